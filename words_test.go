package repomill_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	// refused are the words of CONTRIBUTING.md, "Language". Lines of a text may break within an expression.
	refused = regexp.MustCompile(`(?i)\b(?:anew|meanwhile|who(?:so)?ever|whatever|somebody|nobody|of\s+ours|c[oa]mes?\s+to|in\s+hand|at\s+hand|` +
		`tells?|told|telling|news|stands?|stood|is\s+no|for\s+ever|takes?\s+up|good\s+for)\b`)
	// technical are uses of those words as other programs have them.
	technical = regexp.MustCompile(`(?i)\bthere\s+is\s+no\b|\bis\s+no\s+longer\b|\bstands?\s+for\b|\btakes?\s+up\s+to\b`)
)

// Comments, help, log messages and documents use none of the words that CONTRIBUTING.md refuses.
func TestLanguageHasNoRefusedWords(t *testing.T) {
	found := map[string][]string{}
	for _, file := range sources(t, ".go") {
		for _, w := range goTexts(t, file) {
			found[path.Dir(file)] = append(found[path.Dir(file)], w.refused()...)
		}
	}
	for _, file := range sources(t, ".md") {
		if file != "CONTRIBUTING.md" { // it lists them
			found[file] = passage{file, 1, read(t, file)}.refused()
		}
	}
	for _, where := range slices.Sorted(maps.Keys(found)) {
		if problems := found[where]; len(problems) > 0 {
			t.Errorf("CONTRIBUTING.md, \"Language\", refuses words of %s:\n  %s", where, strings.Join(problems, "\n  "))
		}
	}
}

// The check finds what it is for, and no more.
func TestRefusedWordsAreFound(t *testing.T) {
	const source = `package p

// Nobody knows.
// An index is made anew. There is no other.
type flags struct {
	A string ` + "`help:\"URL of the news\"`" + `
}

func (flags) Help() string { return "What stands there" }

func f(log logger) {
	log.Warn("told " + "again") // x stands for y
	other("whatever")
}
`
	got := []string{}
	for _, w := range parseTexts(t, "p.go", source) {
		got = append(got, w.refused()...)
	}
	slices.Sort(got)
	want := []string{`p.go:12: "told"`, `p.go:3: "Nobody"`, `p.go:4: "anew"`, `p.go:6: "news"`, `p.go:9: "stands"`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A passage is a text for people, and where it begins.
type passage struct {
	file string
	line int
	text string
}

// refused returns the places and words of a passage that must not be in it.
func (p passage) refused() (problems []string) {
	text := technical.ReplaceAllStringFunc(p.text, func(s string) string {
		return regexp.MustCompile(`\S`).ReplaceAllString(s, "-") // lines stay
	})
	for _, at := range refused.FindAllStringIndex(text, -1) {
		line := p.line + strings.Count(text[:at[0]], "\n")
		problems = append(problems, fmt.Sprintf("%s:%d: %q", p.file, line, strings.Join(strings.Fields(text[at[0]:at[1]]), " ")))
	}
	return problems
}

// goTexts returns the comments of a Go file, and the help and log messages of one that is no test.
func goTexts(t *testing.T, file string) []passage {
	t.Helper()
	if file == "words_test.go" {
		return nil // it has those that are wrong
	}
	return parseTexts(t, file, read(t, file))
}

func parseTexts(t *testing.T, file, source string) (all []passage) {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n ast.Node, text string) {
		all = append(all, passage{file, set.Position(n.Pos()).Line, text})
	}
	for _, group := range parsed.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, strings.TrimPrefix(c.Text, "//"))
		}
		add(group, strings.Join(lines, "\n"))
	}
	if strings.HasSuffix(file, "_test.go") {
		return all // their texts are data, and faults
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if n.Tag != nil {
				add(n.Tag, reflect.StructTag(unquoted(n.Tag)).Get("help"))
			}
		case *ast.FuncDecl:
			if n.Name.Name == "Help" && n.Body != nil {
				add(n, unquoted(n.Body))
			}
		case *ast.CallExpr:
			if logs(n.Fun) {
				for _, arg := range n.Args[:min(2, len(n.Args))] { // a context may come first
					add(arg, unquoted(arg))
				}
			}
		}
		return true
	})
	return all
}

// logs reports whether a function has the name of one that logs.
func logs(f ast.Expr) bool {
	s, ok := f.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Debug", "Info", "Warn", "Error", "Log", "log"}, strings.TrimSuffix(s.Sel.Name, "Context"))
}

// unquoted returns the string literals in a node, one after the other.
func unquoted(n ast.Node) string {
	var text strings.Builder
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value) // it has been parsed
			text.WriteString(s)
		}
		return true
	})
	return text.String()
}
