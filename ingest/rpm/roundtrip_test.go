package rpm_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// nastyTexts are legal texts that a careless writer of XML, or a careless reader, gets wrong.
var nastyTexts = []string{
	"plain", "", " ", "  two blanks around  ", "\ttab\tand\nnew\nlines\n", "\n\n", "a\rb\r\nc\r",
	`"double" 'single' ` + "`back`", "<a href=\"x\">&amp;&lt;&#0;&#x1;&nbsp;</a>", "]]>", "<![CDATA[x]]>", "<!-- x --> -- >", "<?xml version=\"1.1\"?>", "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>&y;",
	"</summary></package><package type=\"rpm\">", "%s%n%x\\n\\u0000${IFS}$(id)`id`", "'; DROP TABLE package; --", "é ß Ж 日本 \U0001F4E6", "a\u0301 \u200d \u202e txt \u2066 \ufeff", "\ue000\ufffd\ufdd0\U0001ffff\U0010ffff", "\u2028line\u2029paragraph\u00a0",
	ascii(""),
}

// ascii returns all printable characters of ASCII but these.
func ascii(but string) string {
	var b strings.Builder
	for c := ' '; c <= '~'; c++ {
		if !strings.ContainsRune(but, c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// What a reader finds in a package.
type found struct {
	Name, Arch, Href string
	Version          map[string]string
	Texts            []string
	Dependencies     map[string][]string
	Files            [][]string // path, type; sorted
	Changes          [][]any    // author, time, text
}

// nasty returns a package that has text in all its fields, and what a reader must find.
func nasty(i int, text string) (*forgery, found) {
	line := strings.NewReplacer("\t", "", "\n", "", "\r", "", "/", "").Replace(text) // fit for a name
	want := found{
		Name: fmt.Sprintf("_%d.-+x", i), Arch: "x86_64", Version: map[string]string{"epoch": strconv.Itoa(i), "ver": "1.~^+_a", "rel": "A_.~^+"},
		Texts:        slices.Repeat([]string{text}, 8),
		Dependencies: map[string][]string{},
		Files:        [][]string{{"/etc/x" + line, "file"}, {"/usr" + line + "/d", "dir"}, {"/usr" + line + "/g", "ghost"}},
		Changes:      [][]any{{"author" + strings.TrimRight(text, " "), 7.0, text}},
	}
	want.Texts = append(want.Texts, "x.src.rpm")
	want.Href = fmt.Sprintf("%s-%s-%s.x86_64.rpm", want.Name, want.Version["ver"], want.Version["rel"])
	if i > 0 {
		want.Href = fmt.Sprintf("e%d/%s", i, want.Href)
	}
	f := forge().set(
		str(1000, want.Name), int32s(1003, uint32(i)), str(1001, want.Version["ver"]), str(1002, want.Version["rel"]), str(1044, "x.src.rpm"),
		str(1004, text), str(1005, text), str(1015, text), str(1020, text), str(1014, text), str(1011, text), str(1016, text), str(1007, text),
		strs(1117, "x"+line, "d", "g"), strs(1118, "/etc/", "/usr"+line+"/"), int32s(1116, 0, 1, 1), int16s(1030, 0o100644, 0o040755, 0o100644), int32s(1037, 0, 0, 64), strs(1035, "", "", ""),
		int32s(1028, 0, 0, 0), strs(1039, "", "", ""), strs(1040, "", "", ""),
		strs(1081, "author"+text), int32s(1080, 7), strs(1082, text),
	)
	for kind, tags := range map[string][3]uint32{
		"provides": {1047, 1112, 1113}, "requires": {1049, 1048, 1050}, "conflicts": {1054, 1053, 1055}, "obsoletes": {1090, 1114, 1115},
		"suggests": {5049, 5051, 5050}, "enhances": {5055, 5057, 5056}, "recommends": {5046, 5048, 5047}, "supplements": {5052, 5054, 5053},
	} {
		names := []string{kind + line, "(" + kind + line + " if x)"}
		want.Dependencies[kind] = names
		f.set(strs(tags[0], names...), int32s(tags[1], 0, 0), strs(tags[2], "", ""))
	}
	return f, want
}

// Every field of every nasty package comes back from the indexes as it went in, through two XML parsers that are not Go's.
func TestI09TwoParsersReadWhatWentIn(t *testing.T) {
	for _, program := range []string{"python3", "sqliterepo_c"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	want := map[string]found{}
	var rows []catalog.Package
	for i, text := range nastyTexts {
		f, w := nasty(i, text)
		c := mustRead(t, f.bytes())
		want[c.File.SHA256] = w
		rows = append(rows, c)
	}
	dir := t.TempDir()
	writeRepodata(t, dir, rows)
	cmd := exec.Command("python3", "testdata/read.py", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("read.py: %v", err)
	}
	var got map[string]map[string]found
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, reader := range []string{"expat", "libxml2"} {
		for id, w := range want {
			if d := cmp.Diff(w, got[reader][id]); d != "" {
				t.Errorf("%s, %q (-want +got):\n%s", reader, w.Texts[0], d)
			}
		}
	}
}

// writeRepodata writes the indexes of rows with as little around them as a parser needs.
func writeRepodata(t *testing.T, dir string, rows []catalog.Package) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "repodata"), 0o755); err != nil {
		t.Fatal(err)
	}
	repomd := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n<revision>1</revision>\n"
	for _, kind := range []struct {
		name, open, end string
		fragment        func(catalog.Package) []byte
	}{
		{"primary", `<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="%d">`, "</metadata>", func(c catalog.Package) []byte { return c.Primary }},
		{"filelists", `<filelists xmlns="http://linux.duke.edu/metadata/filelists" packages="%d">`, "</filelists>", func(c catalog.Package) []byte { return c.Filelists }},
		{"other", `<otherdata xmlns="http://linux.duke.edu/metadata/other" packages="%d">`, "</otherdata>", func(c catalog.Package) []byte { return c.Other }},
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprintf(z, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+kind.open+"\n", len(rows))
		for _, c := range rows {
			z.Write(kind.fragment(c)) //nolint:errcheck // to memory
		}
		fmt.Fprintln(z, kind.end)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "repodata", kind.name+".xml.gz"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		repomd += fmt.Sprintf("<data type=%q><checksum type=\"sha256\">%064d</checksum><location href=\"repodata/%s.xml.gz\"/></data>\n", kind.name, 0, kind.name)
	}
	if err := os.WriteFile(filepath.Join(dir, "repodata", "repomd.xml"), []byte(repomd+"</repomd>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
