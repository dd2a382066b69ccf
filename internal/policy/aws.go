package policy

import (
	"slices"
	"strings"
)

//go:generate go run -C ../../tools ./awsservices ../internal/policy/awsservices.go

// partition is a part of AWS that stands by itself.
type partition struct {
	region   string // how its regions begin
	suffixes []string
}

// partitions are AWS's own; the last is the rest of the world.
// https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
var partitions = [...]partition{
	{"cn-", []string{".amazonaws.com.cn", ".api.amazonwebservices.com.cn"}},
	{"us-isob-", []string{".sc2s.sgov.gov"}},
	{"us-isof-", []string{".csp.hci.ic.gov"}},
	{"us-iso-", []string{".c2s.ic.gov"}},
	{"eu-isoe-", []string{".cloud.adc-e.uk"}},
	{"eusc-", []string{".amazonaws.eu", ".api.amazonwebservices.eu"}},
	{"", []string{".amazonaws.com", ".api.aws"}},
}

// partitionOf returns the partition that region lies in. us-gov shares names with
// the rest of the world, and is told by the region in a host.
func partitionOf(region string) *partition {
	for i := range partitions {
		if strings.HasPrefix(region, partitions[i].region) {
			return &partitions[i]
		}
	}
	return &partitions[len(partitions)-1] // not reached: the last one fits all
}

// AWSService reports whether host is a service endpoint of the partition that
// region lies in, as services document them: SERVICE.REGION.amazonaws.com, with -fips
// or dualstack, a global one, an account's own (ACCOUNT.ddb.REGION…), *.api.aws, or
// a VPC endpoint. Hosts that anybody can rent below those names are none: an instance,
// a load balancer, a domain, a function's URL, an API. Nor are S3's, which are judged
// by bucket, but for the account's own control endpoint. "" takes any of the
// commercial partition's regions.
// https://docs.aws.amazon.com/general/latest/gr/rande.html
func AWSService(host, region string) bool {
	labels, ok := partitionOf(region).cut(host, region)
	if !ok {
		return false
	}
	if n := len(labels); labels[n-1] == "vpce" {
		labels = labels[:n-1]
		if len(labels) < 3 || !strings.HasPrefix(labels[0], "vpce-") || strings.HasPrefix(labels[0], "vpce-svc-") {
			return false
		}
		labels = labels[1:]
	}
	if len(labels) == 2 && isRegion(labels[0]) && regionFirst(labels[1]) {
		return true
	}
	labels = withoutRegion(labels)
	if len(labels) == 2 && isAccount(labels[0]) {
		return ofAccount(strings.TrimSuffix(labels[1], "-fips"))
	}
	return isService(labels)
}

// regionFirst reports whether old clients ask for a service by REGION.SERVICE.
func regionFirst(service string) bool { return service == "queue" || service == "elasticmapreduce" }

// ofAccount reports whether a service is asked for by ACCOUNT.SERVICE.
func ofAccount(service string) bool {
	switch service {
	case "ddb", "control-kinesis", "data-kinesis", "s3-control", "cloudfront-kvs":
		return true
	}
	return false
}

// cut returns the labels of host without the partition's suffix. Where host names a
// region, it is one of the same partition as region.
func (p *partition) cut(host, region string) (labels []string, ok bool) {
	var rest string
	for _, suffix := range p.suffixes {
		if rest, ok = strings.CutSuffix(host, suffix); ok {
			break
		}
	}
	if !ok || rest == "" {
		return nil, false
	}
	labels = strings.Split(rest, ".")
	named := regionIn(labels)
	if named != "" && partitionOf(named) != p || strings.HasPrefix(named, "us-gov") != strings.HasPrefix(region, "us-gov-") {
		return nil, false
	}
	return labels, true
}

// regionIn returns the region that a host below amazonaws.com names, us-gov for all of
// its partition's; "" for none.
func regionIn(labels []string) string {
	n := len(labels)
	if n > 1 && labels[n-1] == "vpce" {
		n--
	}
	last := labels[n-1]
	if last == "us-gov" || isRegion(last) {
		return last
	}
	for _, prefix := range [...]string{"s3-website-", "s3-fips-", "s3-"} { // s3-eu-west-1
		if rest, ok := strings.CutPrefix(last, prefix); ok && isRegion(rest) {
			return rest
		}
	}
	if n == 2 && isRegion(labels[0]) && regionFirst(last) {
		return labels[0]
	}
	return ""
}

// withoutRegion takes the region, or what stands for none, off the end of labels.
func withoutRegion(labels []string) []string {
	if n := len(labels); n > 1 && (isRegion(labels[n-1]) || labels[n-1] == "global" || labels[n-1] == "us-gov") {
		labels = labels[:n-1]
	}
	if n := len(labels); n > 1 && labels[n-1] == "dualstack" {
		labels = labels[:n-1]
	}
	return labels
}

// isService reports whether labels name a service, with or without -fips.
func isService(labels []string) bool {
	last := len(labels) - 1
	if last == 1 && labels[1] == "timestream" { // its clients are sent to one cell of many: ingest-cell2
		if at := strings.Index(labels[0], "-cell"); at > 0 && strings.Trim(labels[0][at+len("-cell"):], "0123456789") == "" {
			return labels[0][:at] == "ingest" || labels[0][:at] == "query"
		}
	}
	name := strings.TrimSuffix(strings.Join(labels, "."), "-fips")
	if i := strings.IndexByte(name, '.'); i > 0 && last == 1 {
		name = strings.TrimSuffix(name[:i], "-fips") + name[i:] // api-fips.ecr
	}
	_, found := slices.BinarySearch(awsServices[:], name)
	return found
}

// isRegion reports whether s is like eu-central-1 or us-gov-west-1.
func isRegion(s string) bool {
	if len(s) < 8 || s[len(s)-2] != '-' && s[len(s)-3] != '-' || s[len(s)-1] < '0' || s[len(s)-1] > '9' {
		return false
	}
	n := strings.Count(s, "-")
	first, _, _ := strings.Cut(s, "-")
	return (n == 2 || n == 3) && (len(first) == 2 && strings.Trim(first, "abcdefghijklmnopqrstuvwxyz") == "" || first == "eusc") && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-0123456789") == ""
}

func isAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// S3Bucket returns the bucket that a request for path at host is for, where host is
// one of S3's in region's partition: "" with true says that only the path names it,
// and path names none. An access point is a bucket called NAME-ACCOUNT.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func S3Bucket(host, path, region string) (bucket string, isS3 bool) {
	labels, ok := partitionOf(region).cut(host, region)
	if !ok {
		return "", false
	}
	if n := len(labels); labels[n-1] == "vpce" { // [NAME.]{bucket,accesspoint}.vpce-ID.s3.REGION
		if n < 4 || labels[n-3] != "s3" || !strings.HasPrefix(labels[n-4], "vpce-") || strings.HasPrefix(labels[n-4], "vpce-svc-") {
			return "", false
		}
		labels = labels[:n-4]
		if n := len(labels); n > 0 && (labels[n-1] == "bucket" || labels[n-1] == "accesspoint") {
			labels = labels[:n-1]
		}
		return s3Name(labels, path), true
	}
	labels = withoutRegion(labels)
	last := labels[len(labels)-1]
	if !isS3Label(last) {
		return "", false
	}
	return s3Name(labels[:len(labels)-1], path), true
}

// isS3Label reports whether label is what S3's hosts have where a service is named.
func isS3Label(label string) bool {
	switch label {
	case "s3", "s3-fips", "s3-accesspoint", "s3-accesspoint-fips", "s3-accelerate", "s3-external-1", "s3-website", "s3-object-lambda", "s3-object-lambda-fips":
		return true
	}
	for _, prefix := range [...]string{"s3-website-", "s3-fips-", "s3express-", "s3-"} {
		if rest, ok := strings.CutPrefix(label, prefix); ok && (isRegion(rest) || prefix == "s3express-") {
			return true
		}
	}
	return false
}

// s3Name is the bucket that stands before S3's name in a host, else the first part
// of path.
func s3Name(before []string, path string) string {
	if len(before) > 0 {
		return strings.Join(before, ".")
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}

// accessPointOwner returns the account that owns the access point that host is one's:
// NAME-ACCOUNT.s3-accesspoint.REGION, or of another kind. A bucket may be called
// NAME-ACCOUNT by anybody.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
func accessPointOwner(host, region string) (account string, ok bool) {
	point, s3 := S3Bucket(host, "", region)
	rest, below := strings.CutPrefix(host, point+".")
	if !s3 || point == "" || !below || strings.Contains(point, ".") {
		return "", false
	}
	kind, _, _ := strings.Cut(rest, ".")
	switch strings.TrimSuffix(kind, "-fips") {
	case "s3-accesspoint", "s3-object-lambda", "accesspoint": // the last is a VPC endpoint's
	default:
		return "", false
	}
	at := strings.LastIndexByte(point, '-')
	if at <= 0 || !isAccount(point[at+1:]) {
		return "", false
	}
	return point[at+1:], true
}
