package emulator

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// runtimeOnly are variables that no extension sees,
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html.
var runtimeOnly = []string{
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_LAMBDA_MAX_CONCURRENCY", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS",
	"LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// runtimeEnv is the environment of the runtime process: defaults that a
// customer may change, the customer's variables, credentials that he may
// change too (unlike on AWS: nothing here could issue real ones), and what
// Lambda reserves.
func (c *Config) runtimeEnv(apiAddr, logStream string) map[string]string {
	env := map[string]string{
		"LANG":                     "en_US.UTF-8",
		"TZ":                       ":UTC",
		"PATH":                     c.searchPath(),
		"LD_LIBRARY_PATH":          c.libraryPath(),
		"AWS_ACCESS_KEY_ID":        "AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY":    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_SESSION_TOKEN":        "IQoJb3JpZ2luX2VjEXAMPLETOKENEXAMPLETOKENEXAMPLETOKEN",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":  "169.254.79.129:2000",
	}
	for k, v := range c.Env {
		env[k] = c.underLayer(v)
	}
	maps.Copy(env, c.reservedEnv(apiAddr, logStream))
	return env
}

func (c *Config) reservedEnv(apiAddr, logStream string) map[string]string {
	env := map[string]string{
		"_HANDLER":                        c.Handler,
		"AWS_REGION":                      region,
		"AWS_DEFAULT_REGION":              region,
		"AWS_EXECUTION_ENV":               "AWS_Lambda_provided.al2023",
		"AWS_LAMBDA_FUNCTION_NAME":        c.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION":     version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  c.initializationType(),
		"AWS_LAMBDA_LOG_FORMAT":           c.LogFormat,
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.FunctionName,
		"AWS_LAMBDA_LOG_STREAM_NAME":      logStream,
		"AWS_LAMBDA_RUNTIME_API":          apiAddr,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LAMBDA_TASK_ROOT":                c.Dir,
	}
	if c.managed() {
		env["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(c.Concurrency)
	}
	return env
}

// extensionEnv is the environment of an extension, made from the runtime's.
func extensionEnv(runtime map[string]string) map[string]string {
	env := maps.Clone(runtime)
	maps.DeleteFunc(env, func(k, _ string) bool {
		return strings.HasPrefix(k, "_") || slices.Contains(runtimeOnly, k)
	})
	return env
}

// underLayer points a path below /opt into the layer's folder.
func (c *Config) underLayer(value string) string {
	rest, ok := strings.CutPrefix(value, "/opt/")
	if !ok || c.Layer == "" {
		return value
	}
	return filepath.Join(c.Layer, rest)
}

func (c *Config) searchPath() string {
	path := "/usr/local/bin:/usr/bin:/bin"
	if c.Layer != "" {
		path += ":" + filepath.Join(c.Layer, "bin")
	}
	return path
}

func (c *Config) libraryPath() string {
	path := c.Dir + ":" + filepath.Join(c.Dir, "lib")
	if c.Layer != "" {
		path += ":" + filepath.Join(c.Layer, "lib")
	}
	return path
}

// environ is env as a process wants it, sorted so that runs are alike.
func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}
