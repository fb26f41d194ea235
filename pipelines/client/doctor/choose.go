package doctor

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// choose returns the entries that are asked about, and what the host would have if it has none.
func (e *exam) choose(ctx context.Context, all []source) []source {
	if e.URL == "" {
		chosen := filter(all, func(s source) bool { return e.looksLikeOurs(s) })
		if len(chosen) == 0 {
			e.note(problem("sources", fmt.Sprintf("none of the %s of this host looks like one of repomill or packagecloud", layout.Counted(len(all), "source")),
				"name the repository: repomill doctor https://HOST/owner/name"))
		}
		return enabledFirst(chosen)
	}
	target, ok := locate(trimTarget(e.URL))
	if !ok {
		return nil // the command has checked it
	}
	chosen := filter(all, func(s source) bool { return s.matches(target) })
	e.elsewhere(all, target)
	on := filter(chosen, func(s source) bool { return !s.disabled })
	switch {
	case len(on) > 0:
		e.note(fine("sources", fmt.Sprintf("%s for %s", layout.Counted(len(on), "source"), shown(trimTarget(e.URL)))))
		return on
	case len(chosen) > 0:
		s := chosen[0]
		advice := "remove the comment sign at its beginning"
		if s.client != "apt" {
			advice = "set enabled=1 there"
		} else if strings.HasSuffix(s.file, ".sources") {
			advice = `remove "Enabled: no" there`
		}
		e.note(problem("sources", fmt.Sprintf("the entry for %s is disabled: %s; upgrades of a distribution do that", shown(trimTarget(e.URL)), s.place()), advice))
		return chosen[:1]
	}
	return e.missing(ctx, target)
}

func filter(all []source, keep func(source) bool) (some []source) {
	for _, s := range all {
		if keep(s) {
			some = append(some, s)
		}
	}
	return some
}

func enabledFirst(all []source) []source {
	on := filter(all, func(s source) bool { return !s.disabled })
	return append(on, filter(all, func(s source) bool { return s.disabled })...)
}

// looksLikeOurs reports whether an entry has the layout of repomill and packagecloud: owner/name/os below a host.
func (e *exam) looksLikeOurs(s source) bool {
	base, name := s.repository()
	if base == "" {
		return false
	}
	r := catalog.Repository{}
	r.Owner, r.Name, _ = strings.Cut(name, "/")
	if strings.HasPrefix(path.Base(s.file), layout.SourceName(r)+".") || tokenInURL(base) {
		return true
	}
	os, _, _ := strings.Cut(s.distribution(), "/")
	names := slices.Clone(anySystem)
	for _, d := range e.Table.All() {
		names = append(names, d.Distribution.OS)
		for _, a := range d.Aliases {
			other, _, _ := strings.Cut(a, "/")
			names = append(names, other)
		}
	}
	return slices.Contains(names, os)
}

// elsewhere notes entries for a repository of the same name on another host.
func (e *exam) elsewhere(all []source, target location) {
	if len(target.path) < 2 {
		return
	}
	for _, s := range all {
		_, name := s.repository()
		l, _ := locate(s.url)
		if s.disabled || l.host == target.host || name == "" || !strings.Contains("/"+strings.Join(target.path, "/")+"/", "/"+name+"/") {
			continue
		}
		e.note(warning("sources", fmt.Sprintf("%s names a repository %s on another host, %s", s.place(), name, l.host),
			"if the repository has moved, remove that entry: packages of both are mixed"))
	}
}

// missing notes that the host has no entry, and returns the one that it should have.
func (e *exam) missing(ctx context.Context, target location) []source {
	base, d := trimTarget(e.URL), e.host.distro
	none := "the host has no entry for " + shown(base)
	if slices.ContainsFunc(e.general, func(f Finding) bool { return f.Check == "files" }) {
		none += " in what could be read"
	}
	n := e.belowRepository(target.path)
	if len(target.path) < n+2 || d.Format == "" {
		e.note(problem("sources", none, "set the host up with the lines that repomill hint owner/name/os/version prints on the server"))
		return nil
	}
	for range n {
		base = base[:strings.LastIndexByte(base, '/')]
	}
	path := target.path[:len(target.path)-n]
	r := catalog.Repository{Owner: path[len(path)-2], Name: path[len(path)-1]}
	s, file, ending := e.wanted(base, r)
	e.note(problem("sources", none, e.setUp(ctx, s, base, r, file, ending)))
	return []source{s}
}

// setUp returns what sets the host up for a repository: the file that there is for its distribution, or the script that finds
// out which there is.
func (e *exam) setUp(ctx context.Context, s source, base string, r catalog.Repository, file, ending string) string {
	l, _ := e.loginFor(s)
	a := e.fetch(ctx, s, s.pointer(), l)
	switch {
	case a.ok() && e.host.distro.Client == layout.AptList:
		return "set the host up with the lines that repomill hint " + r.String() + "/" + e.host.Distribution + " prints on the server"
	case a.ok() && l == nil:
		return fmt.Sprintf("set it up: sudo curl -fsSLo %s %s/%s%s", file, shown(base), e.host.Distribution, ending)
	case a.err == nil && (a.status == http.StatusNotFound || a.status == http.StatusGone) && e.hasNothing(ctx, s, base, l):
		return "it has nothing for this host, as is said below: ask the operator to publish packages for " + e.host.Distribution
	}
	script := strings.TrimSuffix(withoutToken(base), r.String()) + layout.ScriptKey(r, e.host.distro.Format)
	return fmt.Sprintf("set it up: curl -fsSL %s | sudo bash; if it is private, with a token: curl -fsSL -u TOKEN: %s | sudo username=TOKEN bash", script, script)
}

// hasNothing reports whether a repository without a release for the host has none for all systems either.
func (e *exam) hasNothing(ctx context.Context, s source, base string, l *login) bool {
	all := catalog.Distribution{OS: "any", Version: "any"}
	if s.client != "apt" {
		all = catalog.Distribution{OS: "rpm_any", Version: "rpm_any"}
	}
	return e.fetch(ctx, s, base+"/gpgkey", l).ok() && !e.fetch(ctx, s, pointerOf(base, layout.Distro{Distribution: all}, s, e.host.Architectures[0]), l).ok()
}

// wanted returns the entry that the host should have for a repository, its file, and the ending of the file that the server has.
func (e *exam) wanted(base string, r catalog.Repository) (s source, file, ending string) {
	d := e.host.distro
	if d.Format == catalog.DEB {
		s = source{client: "apt", kind: "deb", url: base + "/" + d.Distribution.OS, suite: d.Distribution.Version, components: []string{layout.DefaultComponent}}
		return s, "/etc/apt/sources.list.d/" + layout.SourceName(r) + ".sources", ".sources"
	}
	s = source{client: "dnf", id: layout.SourceName(r), url: base + "/" + e.host.Distribution + "/" + e.host.Architectures[0]}
	if d.Client == layout.Zypper {
		s.client = "zypper"
	}
	return s, layout.RepoPath(r, d.Client), ".repo"
}

// belowRepository returns how many segments at the end of a path are of a distribution: os, os/version or os/version/architecture.
func (e *exam) belowRepository(path []string) int {
	for n := min(3, len(path)-2); n > 0; n-- {
		below := path[len(path)-n:]
		is := slices.ContainsFunc(e.Table.All(), func(d layout.Distro) bool { return n == 1 && d.Distribution.OS == below[0] })
		if n > 1 {
			_, is = find(e.Table, map[string]string{"ID": below[0], "VERSION_ID": below[1]})
		}
		if is {
			return n
		}
	}
	return 0
}
