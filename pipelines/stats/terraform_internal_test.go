package stats

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The fields that deploy/terraform has CloudFront log are enough, and the line that they make is read.
func TestFieldsOfTerraform(t *testing.T) {
	body, err := os.ReadFile("../../deploy/terraform/modules/cdn/variables.tf")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(body), `variable "log_fields"`)
	_, list, begins := strings.Cut(list, "default = [")
	list, _, ends := strings.Cut(list, "]")
	if !ok || !begins || !ends {
		t.Fatal("variables.tf has no default of log_fields")
	}
	var names []string
	for _, m := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	values := map[string]string{
		"date": "2026-11-29", "time": "21:57:10", "sc-bytes": "3700", "cs-method": "GET", "cs-uri-stem": "/acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb",
		"sc-status": "200", "cs(User-Agent)": "Debian%20APT-HTTP/1.3", "sc-content-len": "3290", "c-country": "DE",
	}
	line := make([]string, len(names))
	for i, name := range names {
		if line[i] = values[name]; line[i] == "" {
			line[i] = "-"
		}
	}
	var w w3c
	if err := w.setFields([]byte(fieldsLine + " " + strings.Join(names, " "))); err != nil {
		t.Fatal(err)
	}
	var e entry
	if !w.parse([]byte(strings.Join(line, "\t")), &e) || e.status != 200 || string(e.path) != values["cs-uri-stem"] || e.end != 3290 {
		t.Errorf("read %+v of %q", e, line)
	}
	t.Run("one that is left out is found", func(t *testing.T) {
		some := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "sc-content-len" })
		if err := w.setFields([]byte(fieldsLine + " " + strings.Join(some, " "))); err == nil {
			t.Error("downloads are counted without their length")
		}
	})
}
