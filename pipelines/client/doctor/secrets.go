package doctor

import (
	"cmp"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/layout"
)

// secrets are what must not be printed. URLs are shown without the parts that may have them ([shown]); this is for all other
// texts, such as the messages of a server or a library.
type secrets struct {
	known   map[string]bool
	longest []string // the longest first: one may be a part of another
}

// minSecret is the shortest text that is taken for a secret, in bytes: "x" is what goes into the place of a password.
const minSecret = 6

func (s *secrets) add(texts ...string) {
	for _, t := range texts {
		for _, form := range []string{t, url.QueryEscape(t), url.PathEscape(t)} {
			if len(form) < minSecret {
				continue
			}
			if s.known == nil {
				s.known = map[string]bool{}
			}
			s.known[form] = true
		}
	}
}

// tokenInPath matches what opens a private repository, in a path. Behind other segments "priv" may be the name of a repository,
// of whose operating systems none has so long a name.
var tokenInPath = regexp.MustCompile(`^/priv/([^/]+)|/priv/([^/]{16,})`)

// afterPriv matches what may be a token where the path cannot be found.
var afterPriv = regexp.MustCompile(`/priv/[^/]+`)

func (s *secrets) addURL(raw string) {
	path := raw
	if u, err := url.Parse(raw); err == nil {
		path = u.Path
		s.addUser(u.User)
		for _, values := range u.Query() {
			s.add(values...)
		}
	}
	if m := tokenInPath.FindStringSubmatch(path); m != nil {
		s.add(m[1], m[2])
	}
}

func (s *secrets) addUser(u *url.Userinfo) {
	if u != nil {
		password, _ := u.Password()
		s.addLogin(u.Username(), password)
	}
}

// addLogin adds a token, which is the user name or the password. Beside a password, a user name is a word that may be in any text.
func (s *secrets) addLogin(user, password string) {
	s.add(password)
	if len(password) < minSecret {
		s.add(user)
	}
}

// order is called when all secrets are known: a file may have many.
func (s *secrets) order() {
	s.longest = slices.SortedFunc(maps.Keys(s.known), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
}

// hide removes the known secrets from every text of a report.
func (s *secrets) hide(r *Report) {
	s.order()
	s.hideAll(&r.URL)
	s.hideFindings(r.Findings)
	for i := range r.Sources {
		e := &r.Sources[i]
		s.hideAll(&e.Place, &e.Source)
		s.hideFindings(e.Findings)
		for j := range e.Hops {
			s.hideAll(&e.Hops[j].URL, &e.Hops[j].Proxy, &e.Hops[j].Error)
		}
	}
}

func (s *secrets) hideFindings(all []Finding) {
	for i := range all {
		s.hideAll(&all[i].Detail, &all[i].Advice)
	}
}

// maxText bounds one text of a report, in bytes: a server may list more than anybody reads.
const maxText = 2000

// hideAll removes secrets, and what would make a text look like several.
func (s *secrets) hideAll(texts ...*string) {
	for _, t := range texts {
		for _, secret := range s.longest {
			*t = strings.ReplaceAll(*t, secret, "***")
		}
		if len(*t) > maxText {
			*t = strings.ToValidUTF8((*t)[:maxText], "") + "..."
		}
		*t = strings.ReplaceAll(*t, "\n", " ")
	}
}

// shown returns a URL without what opens private repositories: a user, a token in its path, and a query, which may be a
// signature.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return afterPriv.ReplaceAllString(layout.Shown(raw), "/priv/***")
	}
	s := u.Scheme + "://"
	if u.User != nil {
		s += "***@"
	}
	s += u.Host + tokenInPath.ReplaceAllString(u.EscapedPath(), "/priv/***")
	if u.RawQuery != "" {
		s += "?..."
	}
	return s
}
