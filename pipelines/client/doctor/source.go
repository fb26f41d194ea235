package doctor

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A source is one entry of the host's configuration: one release.
type source struct {
	file     string // empty: the host has no entry, and this is what it would have
	line     int
	client   string // "apt", "dnf" (also yum) or "zypper"
	disabled bool
	url      string // as the client reads it, with its secrets

	kind          string // apt: "deb" or "deb-src"
	suite         string
	components    []string
	architectures []string
	signedBy      []string          // paths and fingerprints
	inline        string            // a key in the entry itself
	options       map[string]string // others, in lower case

	id     string            // dnf and zypper: the name in brackets
	fields map[string]string // of that section
}

func (s source) place() string {
	if s.file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.file, s.line)
}

// String returns the entry in one line, without secrets.
func (s source) String() string {
	if s.client != "apt" {
		return "[" + s.id + "] " + shown(s.url)
	}
	return strings.Join(slices.Concat([]string{s.kind, shown(s.url), s.suite}, s.components), " ")
}

// pointer returns the URL of the one file that the client reads first.
func (s source) pointer() string {
	base := strings.TrimRight(withoutQuery(s.url), "/")
	switch {
	case s.client != "apt":
		return base + "/repodata/repomd.xml"
	case strings.HasSuffix(s.suite, "/"): // a folder without the structure of dists
		return base + "/" + strings.TrimLeft(path.Join(s.suite, "InRelease"), "/")
	}
	return base + "/dists/" + s.suite + "/InRelease"
}

func withoutQuery(raw string) string {
	head, _, _ := strings.Cut(raw, "?")
	return head
}

// anySystem are the names, of os and version, of what is for all systems of a format.
var anySystem = []string{"any", "deb_any", "rpm_any"}

// A location is what a URL says of a repository.
type location struct {
	scheme, host string   // the host in lower case, with its port
	path         []string // without /priv/TOKEN
}

func locate(raw string) (location, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return location{}, false
	}
	l := location{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Host)}
	p := tokenInPath.ReplaceAllString(u.EscapedPath(), "")
	l.path = strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
	return l, true
}

// tokenInURL reports whether the path of a URL has a token.
func tokenInURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && tokenInPath.MatchString(u.EscapedPath())
}

// cut is how many segments at the end of an entry's URL are below the repository: of apt os or os/version (GitLab's layout
// of 2026), of others os/version/architecture.
func (s source) cut(l location) int {
	switch {
	case s.client != "apt":
		return 3
	case len(l.path) < 2 || l.path[len(l.path)-1] != s.suite:
		return 1
	case slices.Contains(anySystem, s.suite) && l.path[len(l.path)-2] != s.suite: // the os is called as the version
		return 1
	}
	return 2
}

// repository returns the URL of the repository of an entry, with its secrets, and owner/name; "" if the URL is too short.
func (s source) repository() (base, name string) {
	l, ok := locate(s.url)
	n := s.cut(l)
	if !ok || len(l.path) < n+2 {
		return "", ""
	}
	base = strings.TrimRight(withoutQuery(s.url), "/")
	for range n {
		base = base[:strings.LastIndexByte(base, '/')]
	}
	return base, strings.Join(l.path[len(l.path)-n-2:len(l.path)-n], "/")
}

// distribution returns os/version of an entry; "" if its URL is too short.
func (s source) distribution() string {
	l, ok := locate(s.url)
	n := s.cut(l)
	if !ok || len(l.path) < n {
		return ""
	}
	below := l.path[len(l.path)-n:]
	if s.client == "apt" {
		return below[0] + "/" + s.suite
	}
	return below[0] + "/" + below[1]
}

// key is what two entries have in common if they are of the same release, in either layout.
func (s source) key() string {
	_, name := s.repository()
	if name == "" {
		l, _ := locate(s.url)
		return strings.Join(append([]string{s.client, s.kind, l.host}, append(l.path, s.suite)...), " ")
	}
	l, _ := locate(s.url)
	arch := ""
	if s.client != "apt" {
		arch = l.path[len(l.path)-1]
	}
	return strings.Join([]string{s.client, s.kind, l.host, name, s.distribution(), arch}, " ")
}

// trimTarget cuts off what a URL has that no entry has.
func trimTarget(raw string) string {
	raw = strings.TrimRight(withoutQuery(raw), "/")
	if i := strings.Index(raw, "/dists/"); i >= 0 {
		raw = raw[:i]
	}
	return strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(cmp.Or(raw, "/"), ".sources"), ".repo"), "/")
}

// matches reports whether an entry is what a URL names, or below or above it.
func (s source) matches(target location) bool {
	l, ok := locate(s.url)
	if !ok || l.host != target.host {
		return false
	}
	n := min(len(l.path), len(target.path))
	if !slices.Equal(l.path[:n], target.path[:n]) {
		return false
	}
	rest := target.path[n:] // a distribution, if the entry is above what is named
	return len(rest) == 0 || s.client == "apt" && rest[0] == s.suite
}
