package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// maxSkew is how far a clock may be off before it is a finding: signed URLs and Valid-Until depend on it.
const maxSkew = 5 * time.Minute

// Examine reads the host's configuration and tries what it names. It never fails: what cannot be read is a finding.
func Examine(ctx context.Context, o Options) Report {
	e := &exam{Options: o, root: root{o.Root}, fetched: map[string]answer{}}
	e.secrets.addURL(o.URL)
	e.host = e.root.host(o.Table)
	e.apt = e.readAptConfig(ctx)
	e.readLogins()
	chosen := e.choose(ctx, e.readSources())
	e.conflicts(chosen)
	r := Report{Version: o.Version, Time: o.Now().UTC().Truncate(time.Second), URL: shown(o.URL), Host: e.host, Sources: []Examined{}}
	for _, s := range chosen {
		if ctx.Err() != nil {
			break
		}
		r.Sources = append(r.Sources, e.examine(ctx, s))
	}
	r.Findings = append([]Finding{}, e.general...)
	e.secrets.hide(&r)
	return r
}

// examine makes all checks of one entry.
func (e *exam) examine(ctx context.Context, s source) Examined {
	x := Examined{Place: s.place(), Source: s.String(), Hops: []Hop{}, Findings: []Finding{}}
	add := func(f ...Finding) { x.Findings = append(x.Findings, f...) }
	if s.disabled {
		add(warning("sources", "the entry is disabled: its packages are not seen", "enable it, or remove it"))
		if e.URL == "" {
			return x
		}
	}
	add(e.judgeEntry(s)...)
	l, notes := e.loginFor(s)
	a := e.fetch(ctx, s, s.pointer(), l)
	x.Hops = append(x.Hops, a.hops...)
	add(e.judgeAnswer(ctx, s, a, l)...)
	if !a.ok() {
		add(notes...)
	}
	add(clock(a)...)
	if s.kind == "deb-src" {
		return x // the release and its keys are those of deb
	}
	add(e.judgeKeys(ctx, s, a, l)...)
	if a.ok() {
		add(e.judgeRelease(s, a.body)...)
		add(e.judgeIndex(ctx, s, a.body, l)...)
	}
	add(e.judgeDistribution(s)...)
	return x
}

// judgeEntry looks at the entry by itself.
func (e *exam) judgeEntry(s source) (all []Finding) {
	u, err := url.Parse(s.url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return []Finding{problem("sources", "its URL does not begin with http:// or https://", "write it as in https://HOST/owner/name/os")}
	}
	if target, ok := locate(e.URL); ok && target.scheme != u.Scheme {
		all = append(all, warning("sources", fmt.Sprintf("it has %s://, and the repository is at %s://", u.Scheme, target.scheme), "write "+target.scheme+":// there"))
	}
	if s.file != "" && (u.User != nil || tokenInPath.MatchString(u.Path)) {
		all = append(all, e.judgeToken(s))
	}
	if variable.MatchString(withoutQuery(s.url)) {
		all = append(all, warning("sources", "its URL has a variable that is not known here: "+shown(s.url), "check the variables of dnf or zypper"))
	}
	if u.Scheme == "https" {
		all = append(all, e.judgeTrust(s)...)
	}
	if s.client == "apt" && s.kind == "deb" && len(s.components) == 0 && !strings.HasSuffix(s.suite, "/") {
		all = append(all, problem("sources", "it names no component", "write main after "+s.suite))
	}
	if program, setting := e.apt.of(u.Scheme, "", "Proxy-Auto-Detect"); s.client == "apt" && program != "" {
		all = append(all, warning("proxy", "apt asks a program for its proxy ("+setting+"), which is not run here", "run it by hand, and set the proxy that it prints as "+u.Scheme+"_proxy for this command"))
	}
	if s.client == "apt" && truth(s.options["trusted"]) {
		all = append(all, warning("key", "it has trusted=yes: apt verifies no signature", "remove that option"))
	}
	if s.client != "apt" && s.file != "" {
		all = append(all, judgeFlags(s)...)
	}
	return all
}

// judgeToken looks at who can read the token in the URL of an entry.
func (e *exam) judgeToken(s source) Finding {
	if info, err := e.root.stat(s.file); err == nil && info.Mode().Perm()&0o004 == 0 {
		return fine("token", "it has a token in its URL, in a file that not every user of the host can read")
	}
	const what = "it has a token in its URL, which every user of the host can read, and which proxies and logs keep"
	base, name := s.repository()
	u, err := url.Parse(withoutToken(base))
	if name == "" || err != nil {
		return warning("token", what, "sudo chmod o-r "+s.file)
	}
	return warning("token", what, tokenAdvice(s, u, name)+", and write the URL without it: "+withoutToken(s.url))
}

// withoutToken returns a URL without what opens private repositories.
func withoutToken(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.Path, u.RawPath, u.RawQuery = nil, tokenInPath.ReplaceAllString(u.Path, ""), "", ""
	return u.String()
}

// judgeTrust looks at what TLS is verified with.
func (e *exam) judgeTrust(s source) (all []Finding) {
	file, where := e.bundleSet(s)
	if file != "" {
		if _, err := e.root.read(file); err != nil {
			all = append(all, problem("tls", fmt.Sprintf("the file of certificates that %s names, %s, cannot be read: %v", where, file, err), "install ca-certificates, or correct the path"))
		}
	} else if e.bundle(s) == "" {
		all = append(all, problem("tls", "the host has no certificates of authorities, so https cannot be verified", "install ca-certificates"))
	}
	u, _ := url.Parse(s.url) //nolint:errcheck // parsed before
	off, _ := e.apt.of("https", u.Hostname(), "Verify-Peer")
	if s.client == "apt" && off != "" && !truth(off) || s.client != "apt" && s.fields["sslverify"] != "" && !truth(s.fields["sslverify"]) {
		all = append(all, warning("tls", "the host is set up not to verify the server's certificate", "remove that setting (Verify-Peer, sslverify)"))
	}
	return all
}

// judgeFlags looks at what a .repo file says of signatures.
func judgeFlags(s source) (all []Finding) {
	check, set := s.fields["repo_gpgcheck"]
	gpgcheck, packages := s.fields["gpgcheck"]
	switch {
	case set && truth(check) && s.fields["gpgkey"] == "":
		all = append(all, problem("key", "repo_gpgcheck=1 without gpgkey: the signature cannot be verified", "add gpgkey="+repositoryShown(s)+"/gpgkey"))
	case !(set && truth(check)) && !(s.client == "zypper" && packages && truth(gpgcheck)):
		all = append(all, warning("key", "repo_gpgcheck is not 1: the signature of the metadata is not verified", "set repo_gpgcheck=1"))
	}
	return all
}

func repositoryShown(s source) string {
	base, _ := s.repository()
	return shown(base)
}

// clock compares the host's clock with the server's.
func clock(a answer) []Finding {
	skew := a.skew.Abs().Round(time.Second)
	if a.dated && skew <= maxSkew {
		return []Finding{fine("clock", "the host's clock agrees with the server's")}
	}
	if !a.dated {
		return nil
	}
	direction := "behind"
	if a.skew < 0 {
		direction = "ahead of"
	}
	return []Finding{warning("clock", fmt.Sprintf("the host's clock is %s %s the server's: signed URLs, signatures and Valid-Until are judged by it", about(skew), direction),
		"set it: timedatectl set-ntp true, or chronyc makestep")}
}

// about returns a duration in the largest unit that fits.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}
