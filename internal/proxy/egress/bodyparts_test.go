package egress_test

import (
	"strings"
	"testing"

	"gatehouse/internal/proxy/egress"
)

func TestBodyJoints(t *testing.T) {
	tests := []struct{ name, kind, body, want string }{
		{"array", "application/json", `["wJ","al","rX"]`, "wJalrX"},
		{"members", "", `{"a": "wJ", "b" :"al", "n":-12.5e3, "c":{"d":["rX"]}}`, "wJal1253rX abncd"},
		{"cut off", "application/json", `{"a":"wJalrXUt","b":"n`, "wJalrXUtn ab"},
		{"escape at the end", "application/json", `{"a":"wJalrXUt","b":"n\`, `wJalrXUtn\ ab`},
		{"an object in a value", "", `{"log":"{\"HOME\":\"/root\",\"PATH\":\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TOKEN\":\"wJal\"}"}`, "/root/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/binwJal logHOMEPATHTOKEN"},
		{"lines in a value", "text/plain", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTOKEN=wJal\nLANG=en_US", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/binwJalen_US PATHTOKENLANG"},
		{"form", "application/x-www-form-urlencoded; charset=utf-8", "a=wJ&b=al%72&XUt", "wJalrXUt ab"},
		{"multipart", "multipart/form-data; boundary=bb", "--bb\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nwJal\r\n--bb\r\nX: \"y\"\r\n\r\nrXUt\r\n--bb--\r\n", "wJalrXUt fy"},
		{"text", "text/plain", "wJalrXUt", "wJalrXUt"},
		{"long", "text/plain", strings.Repeat("x", 65), ""},
		{"nothing", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values, names := egress.BodyJoints(tt.kind, []byte(tt.body))
			if got := strings.TrimRight(values+" "+names, " "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzBodyJoints(f *testing.F) {
	f.Add("application/json", `{"a":["b",1]}`)
	f.Add("", "--b\r\n\r\nx\r\n--b")
	f.Fuzz(func(t *testing.T, kind, body string) {
		if values, names := egress.BodyJoints(kind, []byte(body)); len(values) > len(body) || len(names) > len(body) {
			t.Errorf("%d and %d bytes of %d", len(values), len(names), len(body))
		}
	})
}
