package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// templates are the endpoints in the rule sets of the AWS SDK for Python, which is
// generated from the same models as AWS's other SDKs and has every service.
var templates = regexp.MustCompile(`"url":\s*"https://([^"/]+)`)

// region is where an endpoint names its region, and all behind it.
var region = regexp.MustCompile(`\.(\{Region\}|[a-z]{2,4}(-[a-z]+)+-\d|global|us-gov)?\.?(\{\w+#(dnsSuffix|dualStackDnsSuffix)\}|amazonaws\.com(\.cn)?|amazonaws\.eu|api\.aws|api\.amazonwebservices\.(com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$`)

// fromBotocore writes to w the names that botocore's data in dir asks services by, one a
// line: each endpoint's, and those with what an operation puts before it.
func fromBotocore(w io.Writer, dir string) error {
	models, err := filepath.Glob(filepath.Join(dir, "*", "*", "service-2.json.gz"))
	if err != nil || len(models) == 0 {
		return fmt.Errorf("no models in %q: %w", dir, err)
	}
	var names []string
	for _, model := range models {
		found, err := namesIn(model)
		if err != nil {
			return fmt.Errorf("reading %s: %w", model, err)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		fmt.Fprintln(w, name)
	}
	return nil
}

func namesIn(model string) ([]string, error) {
	text, err := unzip(model)
	if err != nil {
		return nil, err
	}
	var service struct {
		Operations map[string]struct {
			Endpoint struct{ HostPrefix string }
		}
	}
	if err := json.Unmarshal(text, &service); err != nil {
		return nil, err
	}
	rules, err := unzip(filepath.Join(filepath.Dir(model), "endpoint-rule-set-1.json.gz"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range templates.FindAllSubmatch(rules, -1) {
		name := nameIn(string(m[1]))
		if name == "" {
			continue
		}
		names = append(names, name)
		for _, op := range service.Operations {
			if prefix := op.Endpoint.HostPrefix; prefix != "" && !strings.Contains(prefix, "{") {
				names = append(names, prefix+name)
			}
		}
	}
	return names, nil
}

// nameIn returns what stands before the region in an endpoint's host; "" where a
// customer's own name stands there, too.
func nameIn(host string) string {
	at := region.FindStringIndex(host)
	if at == nil || strings.HasPrefix(host, "s3.") || strings.HasPrefix(host, "s3-") && !strings.HasPrefix(host, "s3-control") {
		return "" // buckets are judged by their names
	}
	labels := strings.Split(host[:at[0]], ".")
	for i := range labels {
		labels[i] = strings.TrimSuffix(labels[i], "-fips")
	}
	name := strings.TrimSuffix(strings.Join(labels, "."), ".dualstack")
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || rented(name) {
		return ""
	}
	return name
}

// rented reports whether name is only ever asked for with a customer's own before it,
// so that by itself, or through a VPC endpoint, it leads to anybody's.
func rented(name string) bool { return name == "execute-api" || name == "cloudsearchdomain" }

func unzip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was read
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
