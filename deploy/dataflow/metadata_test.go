package dataflow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/deploytest"
)

// A metadata is what a template says of itself, in the fields that Dataflow's API has.
type metadata struct {
	Name, Description string
	Streaming         bool
	Parameters        []parameter
}

type parameter struct {
	Name, Label, HelpText, ParamType, DefaultValue string
	IsOptional                                     bool
	Regexes                                        []string
	EnumOptions                                    []struct{ Value, Label string }
}

// A flag is one of a command of repomill-beam.
type flag struct {
	required bool
	value    string // default, or ""
}

// commandOf returns the command of a template: metadata.json is of ingest, metadata-NAME.json of NAME.
func commandOf(file string) string {
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	if name == "metadata" {
		return "ingest"
	}
	return strings.TrimPrefix(name, "metadata-")
}

var (
	flagLine = regexp.MustCompile(`(?m)^ {2,6}--([a-z-]+)(?:=("[^"]*"|\S+))?`)
	usage    = regexp.MustCompile(`(?m)^Usage: .*$`)
	required = regexp.MustCompile(`(?:^| )--([a-z-]+)=`)
)

// flagsOf reads the flags of a command from its help, which deploy/commands.md has.
func flagsOf(t *testing.T, command string) map[string]flag {
	t.Helper()
	document, err := os.ReadFile("../commands.md")
	if err != nil {
		t.Fatal(err)
	}
	_, help, found := strings.Cut(string(document), "\n### repomill-beam "+command+"\n")
	if !found {
		t.Fatalf("repomill-beam has no command %s", command)
	}
	help, _, _ = strings.Cut(help, "\n### ")
	flags := map[string]flag{}
	for _, m := range flagLine.FindAllStringSubmatch(help, -1) {
		f := flag{}
		if quoted := strings.Trim(m[2], `"`); quoted != m[2] || regexp.MustCompile(`^[0-9]`).MatchString(m[2]) {
			f.value = quoted
		}
		flags[m[1]] = f
	}
	for _, m := range required.FindAllStringSubmatch(usage.FindString(help), -1) {
		f := flags[m[1]]
		f.required = true
		flags[m[1]] = f
	}
	if len(flags) < 10 {
		t.Fatalf("%s: flags %v", command, flags)
	}
	return flags
}

// notParameters are flags that the launcher of a template passes by itself, or that have no meaning in a template.
var notParameters = strings.Fields(`runner project region staging-location temp-location template-location service-account-email job-name num-workers
	max-num-workers worker-machine-type worker-region worker-zone disk-size-gb network subnetwork no-use-public-ips sdk-container-image labels
	experiments dry-run version log-level log-format
	detach signing-key signing-key-passphrase-file
	endpoint environment-type environment-config parallelism worker-binary`)

// values are examples of parameters, those of the documents among them, and values that Dataflow has to refuse before a job starts.
var values = map[string]struct{ right, wrong []string }{
	"staging": {[]string{"gs://in", "gs://acme-staging", "gs://acme-staging/uploads"}, []string{"acme-staging", "s3://acme-staging", "gs://", "gs://Acme", "gs://a b"}},
	"catalog": {[]string{"mysql://mill@db/mill?password-file=/etc/mill/password", "mysql://repomill@db.acme.example:3306/repomill?password-file=/run/secrets/db"},
		[]string{"mysql://repomill:secret@db/repomill", "sqlite:///catalog.db", "mysql://db/repomill", "mysql://repomill@db"}},
	"bucket":           {[]string{"s3://out?region=eu-west-1", "s3://packages?endpoint=https://s3.acme.example&region=eu-west-1"}, []string{"gs://out", "s3://out", "s3://out?region=", "out?region=eu-west-1"}},
	"public_url":       {[]string{"https://packages.example.org", "http://packages.example.org:8080"}, []string{"packages.example.org", "https://", "ftp://packages.example.org"}},
	"create":           {[]string{"auto", "declared"}, []string{"", "yes", "autodeclared"}},
	"max_package_size": {[]string{"8589934592", "1"}, []string{"0", "-1", "8GiB", "1.5"}},
	"aws_identity":     {[]string{"google", "default"}, []string{"aws", "googled"}},
	"aws_role":         {[]string{"arn:aws:iam::123456789012:role/publish", "arn:aws-cn:iam::123456789012:role/repomill/publish"}, []string{"publish", "arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:user/x"}},
	"aws_audience":     {[]string{"sts.amazonaws.com", "packages.acme.example"}, []string{"", "a b"}},
	"upload_timeout":   {[]string{"5m", "1h30m", "90s", "1.5h"}, []string{"5", "m", "5 m", "-5m", "5d"}},
}

// faults returns what is wrong with a template for a command with these flags.
func faults(m metadata, flags map[string]flag) (found []string) {
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	seen := map[string]bool{}
	for _, p := range m.Parameters {
		name := strings.ReplaceAll(p.Name, "_", "-")
		f, known := flags[name]
		seen[name] = true
		if !known {
			add("%s is not a flag", p.Name)
			continue
		}
		if slices.Contains(notParameters, name) {
			add("%s is not for a parameter: the launcher passes it, or a template cannot have it", p.Name)
		}
		if p.IsOptional == f.required {
			add("%s: optional is %t, and the flag is required: %t", p.Name, p.IsOptional, f.required)
		}
		if p.DefaultValue != f.value {
			add("%s: the default is %q, and that of the flag %q", p.Name, p.DefaultValue, f.value)
		}
		if p.Label == "" || p.HelpText == "" || len(p.Regexes) == 0 {
			add("%s lacks its label, help or pattern", p.Name)
		}
		found = append(found, wrongPatterns(p)...)
	}
	for name, f := range flags {
		if f.required && !seen[name] && !slices.Contains(notParameters, name) {
			add("the flag %s is required, and there is no parameter", name)
		} else if !seen[name] && !slices.Contains(notParameters, name) {
			add("the flag %s is not a parameter: add it, or to the list of those that are not", name)
		}
	}
	slices.Sort(found)
	return found
}

// wrongPatterns returns examples that a parameter's patterns judge wrongly.
func wrongPatterns(p parameter) (found []string) {
	examples := values[p.Name]
	right := slices.Clone(examples.right)
	for _, o := range p.EnumOptions {
		right = append(right, o.Value)
	}
	if p.DefaultValue != "" {
		right = append(right, p.DefaultValue)
	}
	if len(right) == 0 || len(examples.wrong) == 0 {
		return []string{p.Name + " has no examples in this test"}
	}
	takes := func(value string) bool {
		return !slices.ContainsFunc(p.Regexes, func(re string) bool { return !regexp.MustCompile(re).MatchString(value) })
	}
	for _, v := range right {
		if !takes(v) {
			found = append(found, fmt.Sprintf("%s refuses %q", p.Name, v))
		}
	}
	for _, v := range examples.wrong {
		if takes(v) {
			found = append(found, fmt.Sprintf("%s takes %q", p.Name, v))
		}
	}
	return found
}

// read reads a template, and fails if it has fields that the API does not.
func read(t *testing.T, file string) (m metadata) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || m.Name == "" || m.Description == "" {
		t.Fatalf("%s: %v: %+v", file, err, m)
	}
	return m
}

// The parameters of a template are the flags of its command: no other, with the same defaults.
func TestParametersAreFlags(t *testing.T) {
	deploytest.Record(t, deploytest.Row{Files: "dataflow/metadata*.json", Check: "parameters are the flags of repomill-beam, required and default likewise; patterns take the documents' examples and refuse wrong values; a typo, a wrong default and a missing parameter are found",
		Tool: "go test", CannotShow: "how the console shows them"})
	files, err := filepath.Glob("metadata*.json")
	if err != nil || !slices.Contains(files, "metadata.json") {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		if found := faults(read(t, file), flagsOf(t, commandOf(file))); len(found) > 0 {
			t.Errorf("%s:\n  %s", file, strings.Join(found, "\n  "))
		}
	}
}

func TestFaultsOfMetadataAreFound(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		change func(*metadata)
		want   string
	}{
		{"a typo", func(m *metadata) { m.Parameters[0].Name = "stagging" }, "stagging is not a flag"},
		{"a parameter that is missing", func(m *metadata) { m.Parameters = m.Parameters[1:] }, "the flag staging is required, and there is no parameter"},
		{"an optional one that is missing", func(m *metadata) {
			m.Parameters = slices.DeleteFunc(m.Parameters, func(p parameter) bool { return p.Name == "upload_timeout" })
		}, "the flag upload-timeout is not a parameter"},
		{"a required one that is optional", func(m *metadata) { m.Parameters[0].IsOptional = true }, "staging: optional is true, and the flag is required: true"},
		{"another default", func(m *metadata) { m.Parameters[4].DefaultValue = "auto" }, `create: the default is "auto", and that of the flag "declared"`},
		{"a password in a URL", func(m *metadata) { m.Parameters[1].Regexes = []string{"^mysql://.+$"} }, `catalog takes "mysql://repomill:secret@db/repomill"`},
		{"a pattern that refuses an example", func(m *metadata) { m.Parameters[6].Regexes = []string{"^[0-9]+[smh]$"} }, `upload_timeout refuses "1h30m"`},
		{"what the launcher passes", func(m *metadata) { m.Parameters[0].Name = "region" }, "region is not for a parameter"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			m := read(t, "metadata.json")
			tt.change(&m)
			if found := strings.Join(faults(m, flagsOf(t, "ingest")), "\n"); !strings.Contains(found, tt.want) {
				t.Errorf("got %q, want %q", found, tt.want)
			}
		})
	}
}
