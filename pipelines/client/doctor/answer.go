package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// judgeAnswer says what the server's answer for the release file means.
func (e *exam) judgeAnswer(ctx context.Context, s source, a answer, l *login) []Finding {
	name := path.Base(withoutQuery(s.pointer()))
	if a.err != nil {
		return []Finding{unreached(a)}
	}
	host := a.last.Host
	switch a.status {
	case http.StatusOK:
		return fetched(s, a, name, l)
	case http.StatusUnauthorized:
		return []Finding{e.unauthorized(s, a, l)}
	case http.StatusForbidden:
		if a.redirected() {
			return []Finding{problem("fetch", "403 of "+host+", to which the server redirects: it refuses the signed URL",
				"check the clock of this host and of the server, and that no proxy keeps redirects or changes the query of URLs")}
		}
		return []Finding{problem("fetch", "403 of "+host+": repomill does not answer so, something between does", "ask who runs the proxy or firewall to let "+host+" through")}
	case http.StatusNotFound, http.StatusGone:
		return []Finding{e.absent(ctx, s, a, l)}
	case http.StatusProxyAuthRequired:
		return []Finding{problem("proxy", "407: the proxy wants a user and password", "set the proxy as http://USER:PASSWORD@HOST:PORT")}
	}
	return []Finding{problem("fetch", fmt.Sprintf("%s answers %d %s", host, a.status, http.StatusText(a.status)), "try again later; if it lasts, ask the operator of the server")}
}

func fetched(s source, a answer, name string, l *login) []Finding {
	start := "-----BEGIN PGP SIGNED MESSAGE-----"
	if s.client != "apt" {
		start = "<"
	}
	head := bytes.TrimSpace(a.body[:min(len(a.body), 200)])
	if !bytes.HasPrefix(head, []byte(start)) || bytes.HasPrefix(bytes.ToLower(head), []byte("<!doctype")) || bytes.HasPrefix(bytes.ToLower(head), []byte("<html")) {
		return []Finding{problem("fetch", "the answer for "+name+" is not one: a page of another server, such as a login page of the network",
			"open "+shown(s.pointer())+" with curl -L on this host to see it")}
	}
	text := name + " fetched from " + a.last.Host
	if a.redirected() {
		text += ", to which the server redirects"
		if l != nil {
			text += "; the token was sent to the first host alone"
		}
	}
	if l != nil {
		return []Finding{fine("fetch", text), fine("token", "the server takes the token in "+l.from)}
	}
	return []Finding{fine("fetch", text)}
}

// unreached says why there was no answer, and of which host.
func unreached(a answer) Finding {
	advice := "ask the operator of the server"
	f, is := errors.AsType[fault](a.err)
	detail := a.err.Error()
	if is {
		detail, advice = f.explain()
	}
	if a.redirected() && !errors.Is(a.err, errDowngrade) {
		detail = fmt.Sprintf("the server redirects to %s, and there: %s", a.last.Host, detail)
		if is {
			advice += "; where only the first host can be reached, its operator can serve all from it (--serve-through)"
		}
	}
	check := "fetch"
	if is {
		if w, _ := f.certificate(); w != "" {
			check = "tls"
		} else if f.via.url != nil {
			check = "proxy"
		}
	}
	return problem(check, detail, advice)
}

// unauthorized says whether a host sends no token or one that is refused.
func (e *exam) unauthorized(s source, a answer, l *login) Finding {
	base, name := s.repository()
	token := tokenInPath.MatchString(s.url)
	if l == nil && !token {
		u, _ := url.Parse(base) //nolint:errcheck // it was fetched from
		return problem("token", "401: "+name+" is private, or there is none of this name; the host sends no token", tokenAdvice(s, u, name))
	}
	from := strings.TrimSpace("the URL " + s.file)
	if l != nil {
		from = l.from
	}
	return problem("token", fmt.Sprintf("401: the server refuses the token in %s: it was revoked, or is for another repository than %s", from, name),
		"ask the operator for a new one (repomill token create "+name+"), and put it there")
}

func tokenAdvice(s source, u *url.URL, name string) string {
	file := strings.ReplaceAll(name, "/", "_")
	switch {
	case s.client == "dnf":
		return "put username=TOKEN and password=x into " + s.file + ", which only root may read"
	case s.client == "zypper":
		return "put username=TOKEN and password=x into /etc/zypp/credentials.d/" + file + ", and ?credentials=" + file + " at the end of baseurl"
	case u == nil:
		return "put a token into /etc/apt/auth.conf.d"
	}
	machine := u.Host + u.Path + "/"
	if u.Scheme != "https" {
		machine = u.Scheme + "://" + machine
	}
	return fmt.Sprintf(`put "machine %s login TOKEN password x" into /etc/apt/auth.conf.d/%s.conf`, machine, file)
}

// absent says what of an entry is not there: the repository or the release.
func (e *exam) absent(ctx context.Context, s source, a answer, l *login) Finding {
	base, name := s.repository()
	if name == "" {
		return problem("fetch", "404: there is nothing at "+shown(s.pointer()), "check the URL: it is https://HOST/owner/name/os")
	}
	if !e.fetch(ctx, s, base+"/gpgkey", l).ok() {
		return problem("fetch", fmt.Sprintf("404: there is no repository %s at %s", name, server(s)), "check owner and name in the URL")
	}
	if f, is := e.otherArchitecture(ctx, s, base, l); is {
		return f
	}
	there := e.releases(ctx, s, base, l)
	if len(there) == 0 {
		return problem("fetch", fmt.Sprintf("404: %s is there and has no release for %s", name, s.distribution()), "ask the operator whether packages for it were published")
	}
	advice := "use " + strings.Join(there, ", ")
	if slices.Contains(there, e.host.Distribution) {
		advice = "this host is " + e.host.Distribution + ": use that"
	}
	return problem("fetch", fmt.Sprintf("404: %s has no release for %s; it has %s", name, s.distribution(), strings.Join(there, ", ")), advice)
}

// otherArchitecture reports whether a release of RPM is there for other architectures than the one that is asked for.
func (e *exam) otherArchitecture(ctx context.Context, s source, base string, l *login) (Finding, bool) {
	d, known := find(e.Table, map[string]string{"ID": before(s.distribution()), "VERSION_ID": after(s.distribution())})
	if s.client == "apt" || !known {
		return Finding{}, false
	}
	var there []string
	for _, arch := range d.Architectures {
		if e.fetch(ctx, s, base+"/"+s.distribution()+"/"+arch+"/repodata/repomd.xml", l).ok() {
			there = append(there, arch)
		}
	}
	return problem("architecture", fmt.Sprintf("404: %s has %s for %s, and not for %s", name(s), s.distribution(), strings.Join(there, ", "), path.Base(withoutQuery(strings.TrimRight(s.url, "/")))),
		"ask the operator for packages of that architecture"), len(there) > 0
}

func name(s source) string {
	_, name := s.repository()
	return name
}

// server returns the address of an entry's server.
func server(s source) string {
	l, _ := locate(s.url)
	return l.scheme + "://" + l.host
}

// probes is how many requests are under way at a time.
const probes = 8

// releases returns the distributions of the host's kind that a repository has.
func (e *exam) releases(ctx context.Context, s source, base string, l *login) (there []string) {
	os, _, _ := strings.Cut(s.distribution(), "/")
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(probes)
	for _, d := range e.Table.All() {
		if (d.Format == catalog.DEB) != (s.client == "apt") || d.Distribution.OS != os && d.Distribution != e.host.distro.Distribution {
			continue
		}
		g.Go(func() error {
			one := &exam{Options: e.Options, root: e.root, host: e.host, apt: e.apt, fetched: map[string]answer{}}
			if one.fetch(ctx, s, pointerOf(base, d, s, e.host.Architectures[0]), l).ok() {
				mu.Lock()
				there = append(there, d.Distribution.String())
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
	slices.Sort(there)
	return there
}

func pointerOf(base string, d layout.Distro, s source, arch string) string {
	if s.client == "apt" {
		return base + "/" + d.Distribution.OS + "/dists/" + d.Distribution.Version + "/InRelease"
	}
	return base + "/" + d.Distribution.String() + "/" + arch + "/repodata/repomd.xml"
}
