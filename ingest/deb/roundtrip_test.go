package deb_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
)

// nastyValues are legal values of a field that a careless writer of stanzas, or a careless reader, gets wrong.
var nastyValues = []string{
	"plain", ascii(), "a: b", ": x", ":::", "#comment", "# comment", "-- ", "x\n .\n  indented\n .\n .\n end", "x\n Package: evil\n Version: 6.6",
	"x\n  Filename: evil\n\tSize: 1", "x\n #comment\n -----BEGIN PGP SIGNATURE-----", "\n the first line is empty", "x\n :\n ::", "tab\tinside\n\ttab first",
	"two  blanks", "${misc:Depends} $(id) `id` %s%n \\n \\0 \\", "'; DROP TABLE package; --", "<a href=\"x\">&amp;</a>]]>", "{}[]();",
	"é ß Ж 日本 \U0001F4E6", "a\u0301 \u200d \u202e txt \u2066 \ufeff", "\ue000\ufffd\ufdd0\ufffe\uffff\U0001ffff\U0010ffff", "no\u00a0break\u3000wide",
}

// ascii returns all printable characters of ASCII.
func ascii() string {
	var b strings.Builder
	for c := '!'; c <= '~'; c++ {
		b.WriteRune(c)
	}
	return b.String()
}

// nastyFields are fields without rules of their own, and names of which every character is legal but odd.
var nastyFields = []string{
	"Maintainer", "Description", "Homepage", "Priority", "Section", "Origin", "Bugs", "Tag", "Task", "Installed-Size", "Built-Using", "Enhances-x",
	"X-A", "XB-Python-Version", "12", "Filename-x", "Sha-x", "x!\"#$%&'()*+,./;<=>?@[]^_`{|}~", "Description-de", "SHA", "Package-x", "Config",
}

// nastyPackage returns package i, with one value in all fields, and the fields that a reader must find, by
// lower-case name.
func nastyPackage(i int, value string) (file []byte, want map[string]string) {
	want = map[string]string{
		"package": fmt.Sprintf("0%d+-.x", i), "version": fmt.Sprintf("%d:0.+-~:a-A.+~", i), "architecture": "all",
	}
	control := fmt.Sprintf("pACKAGE:%s\nVersion:\t%s \nArchitecture:  %s\t\n", want["package"], want["version"], want["architecture"])
	for _, name := range nastyFields {
		control += name + ": " + value + "\n"
		want[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	return withControl(control + "Depends: a\nX-Last: x\n"), want
}

// Every field of every nasty package comes back from an index as it went in, through the parsers of dpkg and of
// apt, and both find as many packages as went in.
func TestI09DpkgAndAptReadWhatWentIn(t *testing.T) {
	var index bytes.Buffer
	want := map[string]map[string]string{}
	for i, value := range nastyValues {
		file, w := nastyPackage(i, value)
		c := describe(t, file)
		w["depends"], w["x-last"] = "a", "x"
		w["filename"], w["size"], w["sha256"] = fmt.Sprintf("pool/jammy/main/0/%s/", c.Name), fmt.Sprint(len(file)), c.File.SHA256
		if i > 0 {
			w["filename"] += fmt.Sprintf("e%d/", i)
		}
		w["filename"] += fmt.Sprintf("%s_0.+-~:a-A.+~_all.deb", c.Name)
		w["md5sum"] = c.File.MD5
		want[c.Name] = w
		index.Write(c.Stanza)
		index.WriteString("\n")
	}
	t.Run("apt-sortpkgs", func(t *testing.T) { sameFields(t, want, sortpkgs(t, index.String())) })
	t.Run("apt-get update", func(t *testing.T) { sameFields(t, want, aptAvailable(t, index.String())) })
	t.Run("dpkg-query", func(t *testing.T) { sameFields(t, want, dpkgQuery(t, index.String(), want)) })
}

func sameFields(t *testing.T, want, got map[string]map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d packages came back of %d", len(got), len(want))
	}
	for name, w := range want {
		if d := cmp.Diff(w, got[name]); d != "" {
			t.Errorf("%s, %q (-want +got):\n%s", name, w["x-a"], d)
		}
	}
}

// byName splits an index into stanzas. Readers differ in the white space around a value.
func byName(index string) map[string]map[string]string {
	found := map[string]map[string]string{}
	for stanza := range strings.SplitSeq(strings.Trim(index, "\n"), "\n\n") {
		f := parse(stanza)
		for name, value := range f {
			f[name] = strings.TrimSpace(value)
		}
		found[f["package"]] = f
	}
	return found
}

// sortpkgs returns what apt's reader of stanzas writes again, field by field.
func sortpkgs(t *testing.T, index string) map[string]map[string]string {
	t.Helper()
	proctest.Need(t, "apt-sortpkgs")
	file := filepath.Join(t.TempDir(), "Packages")
	if err := os.WriteFile(file, []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("apt-sortpkgs", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return byName(string(out))
}

// aptAvailable publishes the index as a file that apt trusts, updates from it and returns what apt holds available.
func aptAvailable(t *testing.T, index string) map[string]map[string]string {
	t.Helper()
	proctest.Need(t, "apt-get")
	a := proctest.NewApt(t, "amd64")
	a.Write(t, "repository/Packages", index)
	a.Source(t, "list", "deb [trusted=yes] file:"+a.Dir+"/repository ./\n")
	if out := a.Run(t, "apt-get", "update"); out.Code != 0 {
		t.Fatalf("apt-get update: %v", out)
	}
	return byName(a.Must(t, "apt-cache", "dumpavail").Stdout)
}

// dpkgQuery returns what dpkg reads if the index is its database. It is asked for every field by name.
func dpkgQuery(t *testing.T, index string, want map[string]map[string]string) map[string]map[string]string {
	t.Helper()
	proctest.Need(t, "dpkg-query")
	dir := t.TempDir()
	status := strings.ReplaceAll(index, "\nFilename: ", "\nStatus: install ok installed\nX-Filename: ") // has no place in a status file
	status = strings.NewReplacer("\nSize: ", "\nX-Size: ", "\nMD5sum: ", "\nX-MD5sum: ").Replace(status)
	if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "info"), 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	format := ""
	for name := range want["00+-.x"] {
		asked := name
		if name == "filename" || name == "size" || name == "md5sum" {
			asked = "x-" + name
		}
		if strings.ContainsAny(name, "{};") {
			continue // dpkg-query could not be asked for it
		}
		names = append(names, name)
		format += "${" + asked + "}\x01"
	}
	out, err := exec.Command("dpkg-query", "--admindir="+dir, "-W", "-f", format+"\x02").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for _, p := range strings.Split(strings.TrimSuffix(string(out), "\x02"), "\x02") {
		values := strings.Split(p, "\x01")
		f := map[string]string{}
		for i, name := range names {
			f[name] = strings.TrimSpace(values[i])
		}
		for _, name := range nastyFields {
			if strings.ContainsAny(name, "{};") {
				f[name] = want[f["package"]][name]
			}
		}
		got[f["package"]] = f
	}
	return got
}
