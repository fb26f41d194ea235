package repomill_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// citation is a document in a comment, with the heading that the comment means if it names one.
	citation = regexp.MustCompile(`([A-Za-z0-9_/.-]+\.md)(?:,\s+"([^"]+)")?`)
	// link is a relative link of a document.
	link = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	// outside is how comments once cited texts that are not in the repository.
	outside = regexp.MustCompile(`\bspec: [a-z]+|\b(?:design|style)\.md\b`)
)

// Comments and documents cite only documents and headings that the repository has.
func TestCitedDocumentsExist(t *testing.T) {
	for _, file := range sources(t, ".go") {
		for _, c := range comments(t, file) {
			for _, problem := range citations(path.Dir(file), c) {
				t.Errorf("%s: %s", file, problem)
			}
		}
	}
	for _, file := range sources(t, ".md") {
		body := read(t, file)
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			if problem := target(path.Dir(file), m[1], m[2], path.Base(file)); problem != "" {
				t.Errorf("%s: %s", file, problem)
			}
		}
	}
}

// The check finds what it is for.
func TestCitationsAreChecked(t *testing.T) {
	for _, tt := range []struct{ comment, want string }{
		{`as PROTOCOL.md, "Crash table" says`, ""},
		{"as PROTOCOL.md, \"Crash\ntable\" says", ""},
		{`as serve/CONTRACT.md, "Status" says`, ""},
		{`as PROTOCOL.md, "Crash cushion" says`, `PROTOCOL.md has no heading "Crash cushion"`},
		{`as PROTOCOLS.md says`, "PROTOCOLS.md does not exist"},
		{`as said (spec: publish, section 3)`, `"spec: publish" is not in the repository`},
	} {
		if got := strings.Join(citations("publish", tt.comment), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.comment, got, tt.want)
		}
	}
}

// Each invariant of the protocol has tests, and each test of an invariant has its row in the protocol.
func TestInvariantsHaveTests(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| I(\d+) \|`)
	test := regexp.MustCompile(`(?m)^func TestI(\d\d)[A-Z]`)
	var rows, tests []string
	for _, m := range row.FindAllStringSubmatch(read(t, "publish/PROTOCOL.md"), -1) {
		rows = append(rows, fmt.Sprintf("%02s", m[1]))
	}
	for _, file := range sources(t, "_test.go") {
		for _, m := range test.FindAllStringSubmatch(read(t, file), -1) {
			tests = append(tests, m[1])
		}
	}
	slices.Sort(tests)
	if tests = slices.Compact(tests); !slices.Equal(rows, tests) {
		t.Errorf("invariants of PROTOCOL.md: %q; of tests: %q", rows, tests)
	}
}

// citations says what is wrong with the documents that a comment of a folder cites.
func citations(dir, comment string) (problems []string) {
	if m := outside.FindString(comment); m != "" {
		problems = append(problems, fmt.Sprintf("%q is not in the repository", m))
	}
	for _, m := range citation.FindAllStringSubmatch(comment, -1) {
		if outside.MatchString(m[1]) {
			continue
		}
		heading := strings.Join(strings.Fields(m[2]), " ")
		at := m[1] // from the root, unless it lies beside the comment
		if _, err := os.Stat(filepath.Join(dir, m[1])); err == nil {
			at = filepath.Join(dir, m[1])
		}
		if problem := missing(at, m[1], heading); problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// missing says that a document, or a heading of it, does not exist. No heading is asked for if it is "".
func missing(file, name, heading string) string {
	body, err := os.ReadFile(file)
	if err != nil {
		return name + " does not exist"
	}
	if heading != "" && !slices.Contains(headings(string(body)), heading) {
		return fmt.Sprintf("%s has no heading %q", name, heading)
	}
	return ""
}

// target says what is wrong with a link from a document of a folder: to a file, a heading of it, or both.
func target(dir, file, anchor, self string) string {
	if file == "" {
		file = self
	}
	at := filepath.Join(dir, file)
	if _, err := os.Stat(at); err != nil {
		return fmt.Sprintf("links to %s, which does not exist", file)
	}
	if anchor == "" {
		return ""
	}
	body, err := os.ReadFile(at)
	if err != nil {
		return err.Error()
	}
	if !slices.ContainsFunc(headings(string(body)), func(h string) bool { return anchorOf(h) == anchor }) {
		return fmt.Sprintf("links to %s#%s, and no heading has that anchor", file, anchor)
	}
	return ""
}

var heading = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)

func headings(body string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(body, -1) {
		all = append(all, m[1])
	}
	return all
}

// anchorOf makes the anchor of a heading as forges do.
func anchorOf(heading string) string {
	kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(kept, " ", "-")
}

// sources returns the files of the repository with a suffix, without those of other programs and corpora.
func sources(t *testing.T, suffix string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name == "bin" || name == "testdata/corpus" || name != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, suffix) {
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// comments returns the comment groups of a Go file.
func comments(t *testing.T, file string) (all []string) {
	t.Helper()
	if file == "documents_test.go" {
		return nil // it has those that are wrong
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range parsed.Comments {
		var text bytes.Buffer
		for _, c := range g.List {
			text.WriteString(c.Text + "\n")
		}
		all = append(all, strings.ReplaceAll(text.String(), "\n//", "\n"))
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
