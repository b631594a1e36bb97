package yamlkeys_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

type config struct {
	Listen string           `yaml:"listen"`
	Routes []route          `yaml:"routes"`
	Pools  map[string]*pool `yaml:"pools"`
	Wait   duration         `yaml:"wait"`
	Common `yaml:",inline"`
}

type Common struct {
	Admin string `yaml:"admin"`
}

type route struct {
	Match struct {
		Host string `yaml:"host"`
	} `yaml:"match"`
}

type pool struct {
	Size int `yaml:"size"`
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		want       []string // the messages, in order; none for a good document
	}{
		{"good", "listen: a\nadmin: b\nwait: 3s\nroutes: [{match: {host: x}}]\npools: {p: {size: 1}}", nil},
		{"empty", "", nil},
		{"near", "listn: a", []string{`f.yaml:1: listn: unknown key; did you mean "listen"?`}},
		{"far", "zzzzzz: a", []string{`f.yaml:1: zzzzzz: unknown key; valid here: admin, listen, pools, routes, wait`}},
		{"inline near", "admni: a", []string{`f.yaml:1: admni: unknown key; did you mean "admin"?`}},
		{"nested in a list", "routes:\n  - match:\n      hots: x\n", []string{`f.yaml:3: routes[0].match.hots: unknown key; did you mean "host"?`}},
		{"nested in a map", "pools:\n  p:\n    sise: 1\n", []string{`f.yaml:3: pools.p.sise: unknown key; did you mean "size"?`}},
		{"type", "pools:\n  p:\n    size: many\n", []string{"f.yaml:3: pools.p.size: cannot unmarshal `many` into int"}},
		{"two at once", "listn: a\npools: {p: {size: x}}", []string{
			`f.yaml:1: listn: unknown key; did you mean "listen"?`,
			"f.yaml:2: pools.p.size: cannot unmarshal `x` into int",
		}},
		{"syntax", "a: 1\n\tb: 2", []string{"f.yaml:2: not valid YAML: found a tab character that violates indentation"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c config
			err := yamlkeys.Decode("f.yaml", []byte(tc.yaml), &c)
			got := []string(nil)
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestDecodeReadsValues(t *testing.T) {
	c := config{Listen: "default"}
	if err := yamlkeys.Decode("f.yaml", []byte("admin: b\nwait: 3s\nroutes: [{match: {host: x}}]"), &c); err != nil {
		t.Fatal(err)
	}
	if c.Listen != "default" || c.Admin != "b" || time.Duration(c.Wait) != 3*time.Second || c.Routes[0].Match.Host != "x" {
		t.Errorf("got %+v", c)
	}
}

func TestNearest(t *testing.T) {
	for _, tc := range []struct{ word, want string }{
		{"decision_wate", "decision_wait"}, {"Decision_Wait", "decision_wait"}, {"polices", "policies"}, {"num_trace", "num_traces"}, {"x", ""},
	} {
		got, ok := yamlkeys.Nearest(tc.word, []string{"decision_wait", "policies", "num_traces"})
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("Nearest(%q) = %q, %v; want %q", tc.word, got, ok, tc.want)
		}
	}
}
