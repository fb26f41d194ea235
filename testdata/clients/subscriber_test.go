package clients_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

// A subscriber is a kind of client that is set up once and then looks for new packages by itself. A new kind is an entry
// in [subscribers].
type subscriber struct {
	system
	refresh string // what its timer runs; nothing answers a question
	cache   string // pattern of where it keeps the pointer of REPOSITORY
	refuses refusal
	mend    string // what makes it trust the keys of today: a command, or the printed lines again
	hints   bool   // it takes new keys by the hints in a repomd.xml that a key signed which it trusts
}

// A refusal is what a client does to a release that it cannot verify, beside keeping the one that it has.
type refusal struct {
	code int
	says string
}

var (
	inApt = subscriber{
		refresh: "apt-get update", cache: "var/lib/apt/lists/*_acme_REPOSITORY_debian_dists_*_InRelease",
		refuses: refusal{0, "Missing key"}, // as sqv says it
	}
	inDnf = subscriber{
		refresh: "dnf makecache --refresh", cache: "var/cache/dnf/acme_REPOSITORY-" + cacheID + "/repodata/repomd.xml",
		refuses: refusal{0, "Is this ok [y/N]"}, mend: "dnf -y makecache --refresh",
	}
	inDnf5 = subscriber{
		refresh: "dnf makecache --refresh", cache: "var/cache/libdnf5/acme_REPOSITORY-" + cacheID + "/repodata/repomd.xml",
		refuses: refusal{0, "Is this ok [y/N]"}, mend: "dnf -y makecache --refresh",
	}
	inZypper = subscriber{
		refresh: "zypper --non-interactive refresh", cache: "var/cache/zypp/raw/acme_REPOSITORY/repodata/repomd.xml",
		refuses: refusal{4, "New repository or package signing key received"}, mend: "zypper --non-interactive --gpg-auto-import-keys refresh",
	}
	cacheID = strings.Repeat("[0-9a-f]", 16)
)

// subscribers are the clients that go through a change of keys.
var subscribers = []subscriber{
	inApt.saying("NO_PUBKEY").of("bookworm", "apt-get", "debian/bookworm"), // by gpgv
	inApt.of("trixie", "apt-get", "debian/trixie"),
	inApt.of("sid", "apt-get", "debian/sid"),
	inDnf.of("bookworm", "dnf", "el/9"),
	inDnf.of("trixie", "dnf", "el/10"),
	inDnf5.of("sid", "dnf5", "fedora/43"),
	inZypper.of("bookworm", "zypper", "opensuse/15.6"), // libzypp 17.25.7, which does not know hints
	inZypper.withHints().of("trixie", "zypper", "opensuse/15.6"),
	inZypper.withHints().of("sid", "zypper", "opensuse/15.6"),
}

func (s subscriber) of(suite, program, target string) subscriber {
	s.system = system{suite, program, target}
	return s
}

func (s subscriber) saying(words string) subscriber {
	s.refuses.says = words
	return s
}

func (s subscriber) withHints() subscriber {
	s.hints = true
	return s
}

// pointer returns the key of the object by which a repository is verified for this client.
func (s subscriber) pointer(repository string) string {
	os, version, _ := strings.Cut(s.target, "/")
	r := catalog.Release{Repository: catalog.Repository{Owner: "acme", Name: repository}, Distribution: catalog.Distribution{OS: os, Version: version}}
	if s.program != "apt-get" {
		r.Arch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	}
	return layout.PointerKey(r)
}

// A subscribed is a system with a client that is set up for all repositories of a site.
type subscribed struct {
	subscriber
	overlay
	site *rotationSite
	had  map[string][]byte // what its cache has of each repository
}

// newSubscribed makes a new system.
func newSubscribed(t *testing.T, s *rotationSite, kind subscriber) *subscribed {
	t.Helper()
	return &subscribed{kind, newOverlay(t, filepath.Join(*roots, kind.suite)), s, map[string][]byte{}}
}

// setUp sets the client up by the lines that are printed for it now.
func (c *subscribed) setUp(t *testing.T) {
	t.Helper()
	for _, repository := range c.site.repositories {
		if a := c.sh(t, c.site.lines(t, repository, c.target)); a.Code != 0 {
			t.Fatalf("the lines for %s: %v", repository, a)
		}
	}
}

// sees fails unless a refresh brings what is published of every repository into the client's cache.
func (c *subscribed) sees(t *testing.T) {
	t.Helper()
	c.judge(t, c.sh(t, c.refresh), c.site.published)
}

// keeps fails unless the client stays with what it had, and says so in its way: which may be exit 0.
func (c *subscribed) keeps(t *testing.T) {
	t.Helper()
	a := c.sh(t, c.refresh)
	if a.Code != c.refuses.code || !strings.Contains(a.Stdout+a.Stderr, c.refuses.says) {
		t.Errorf("want exit code %d and %q: %v", c.refuses.code, c.refuses.says, a)
	}
	c.judge(t, a, func(*testing.T, string) []byte { return nil })
}

// mends fails unless what an operator does then has the client see what is published.
func (c *subscribed) mends(t *testing.T) {
	t.Helper()
	if c.mend == "" {
		c.setUp(t)
	} else if a := c.sh(t, c.mend); a.Code != 0 {
		t.Errorf("%s: %v", c.mend, a)
	}
	c.sees(t)
}

// judge compares the client's cache with what it should have, or where that is nothing, with what it had before.
func (c *subscribed) judge(t *testing.T, a proctest.Answer, want func(*testing.T, string) []byte) {
	t.Helper()
	failed := false
	for _, repository := range c.site.repositories {
		got := c.read(t, strings.ReplaceAll(c.cache, "REPOSITORY", repository))
		expected := want(t, c.pointer(repository))
		if expected == nil {
			expected = c.had[repository]
		}
		if !bytes.Equal(got, expected) {
			t.Errorf("%s: the cache has %s, want %s", repository, revision(got), revision(expected))
			failed = true
		}
		c.had[repository] = got
	}
	if failed {
		t.Logf("%s: %v", c.refresh, a)
		if log, err := os.ReadFile(filepath.Join(c.dir, "upper/var/log/zypper.log")); err == nil {
			t.Logf("%s", proctest.Tail(string(log)))
		}
	}
}

var revisionPattern = regexp.MustCompile(`<revision>.*</revision>|(?m)^Date: .*$`)

// revision returns the revision of a pointer, for messages.
func revision(pointer []byte) string {
	if pointer == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s (%d bytes)", revisionPattern.Find(pointer), len(pointer))
}
