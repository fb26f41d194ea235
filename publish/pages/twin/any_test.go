package twin_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/model"
)

func TestTwinsAreRenderedAlike(t *testing.T) {
	first := pages(front(), helloName())
	for i, p := range pages(front(), helloName()) {
		if diff := cmp.Diff(first[i], p); diff != "" {
			t.Errorf("%s (-first +second):\n%s", p.Key, diff)
		}
	}
}

// pages returns all twins of a repository with one package.
func pages(f model.Front, n model.Name) []model.Page {
	lines := model.Names{Repository: f.Repository, Level: -1, Total: 1, Lines: []model.Line{{Name: n.Package, Summary: n.Summary, Version: n.Versions[0].Version}}}
	return []model.Page{renderer.Front(f), renderer.Status(f), renderer.Feed(f), renderer.Name(n), renderer.NameFeed(n), renderer.Names(lines)}
}

func TestTwinsKeepPushersAndUsersSecret(t *testing.T) {
	for _, p := range pages(front(), helloName()) {
		if strings.Contains(string(p.Body), "secret") {
			t.Errorf("%s says who pushed a package, or withdrew it:\n%s", p.Key, p.Body)
		}
	}
}

// hostile are texts that break careless writers of JSON and XML.
var hostile = []string{
	"\x00\x01\x08\x0b\x0c\x0e\x1f\x7f\u0085\ufffe\uffff", "a\xff\xfe\xc3(\xed\xa0\x80", "]]></title><script>alert(1)</script>", `"><!--`, "<![CDATA[", "&#0;&lt;&x;", "\r\n\t\v", "\u2028\u2029\u202e\u2066", "\\\"\\u0000\\", "{[,]}", "\U0010ffff\ufdd0", strings.Repeat("é", 5000), "",
}

func TestTwinsSurviveAnyText(t *testing.T) {
	var feeds []string
	for _, text := range hostile {
		f, n := front(), helloName()
		f.Description, f.Keys[0].User, n.Summary, n.Homepage = text, text, text, text
		f.Changes[0].Version, f.Changes[1].Reason = text, text
		n.Versions[1].Packages[1].Yank.Reason, n.Versions[0].Version, n.Versions[0].Packages[0].Signer = text, text, text
		for _, p := range pages(f, n) {
			if strings.HasSuffix(p.Key, ".atom") {
				if got := readFeed(t, p); len(got.Entries) < 2 {
					t.Errorf("%q: %s has %d entries", text, p.Key, len(got.Entries))
				}
				feeds = append(feeds, string(p.Body))
				continue
			}
			var got map[string]any
			if err := json.Unmarshal(p.Body, &got); err != nil {
				t.Errorf("%q: %s: %v", text, p.Key, err)
			}
			if want := strings.ToValidUTF8(text, "\uFFFD"); strings.HasSuffix(p.Key, "p/hello.json") && strings.ReplaceAll(want, "\uFFFD", "") != strings.ReplaceAll(got["summary"].(string), "\uFFFD", "") {
				t.Errorf("the summary is %q, want %q", got["summary"], want)
			}
		}
	}
	expat(t, feeds)
}

// expat has another XML parser than that of Go read the feeds.
func expat(t *testing.T, feeds []string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing: feeds are parsed by Go alone")
	}
	const program = "import json, sys, xml.parsers.expat as e\nfor f in json.load(sys.stdin): e.ParserCreate(namespace_separator=' ').Parse(f.encode(), True)"
	input, err := json.Marshal(feeds)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", program)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("expat refuses a feed: %v: %s", err, out)
	}
}
