package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A proxy is what a client goes through to a URL.
type proxy struct {
	url  *url.URL // nil: none
	from string   // where it is set
}

// proxyFor returns the proxy of a client for a URL.
func (e *exam) proxyFor(s source, u *url.URL) (proxy, error) {
	raw, from := e.env(u.Scheme), "the environment"
	switch s.client {
	case "apt":
		if v, setting := e.apt.of(u.Scheme, u.Hostname(), "Proxy"); v != "" {
			raw, from = v, setting
		}
	case "dnf":
		if v, file := e.dnfProxy(s); v != "" {
			raw, from = v, file
		}
	case "zypper":
		if v := e.zypperProxy(u.Scheme); raw == "" && v != "" {
			raw, from = v, "/etc/sysconfig/proxy"
		}
	}
	if raw == "" || strings.EqualFold(raw, "DIRECT") || raw == "_none_" || raw == "false" || excepted(u.Hostname(), e.Env.No) {
		return proxy{}, nil
	}
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	p, err := url.Parse(raw)
	if err != nil || p.Host == "" {
		return proxy{}, fmt.Errorf("the proxy that is set in %s is not a URL such as http://proxy.example.org:3128", from)
	}
	e.secrets.addUser(p.User)
	return proxy{p, from}, nil
}

func (e *exam) env(scheme string) string {
	if scheme == "https" {
		return e.Env.HTTPS
	}
	return e.Env.HTTP
}

// dnfProxy returns the proxy of an entry, or of all of them.
func (e *exam) dnfProxy(s source) (value, file string) {
	if v := s.fields["proxy"]; v != "" {
		return withUser(v, s.fields), s.file
	}
	for _, file := range []string{"/etc/dnf/dnf.conf", "/etc/yum.conf"} {
		text, err := e.root.read(file)
		if err != nil {
			continue
		}
		for _, sec := range readSections(string(text)) {
			if v := sec.values["proxy"]; sec.name == "main" && v != "" {
				return withUser(v, sec.values), file
			}
		}
	}
	return "", ""
}

// withUser adds the user that dnf has in other fields.
func withUser(raw string, fields map[string]string) string {
	u, err := url.Parse(raw)
	if err == nil && u.User == nil && fields["proxy_username"] != "" {
		u.User = url.UserPassword(fields["proxy_username"], fields["proxy_password"])
		return u.String()
	}
	return raw
}

func (e *exam) zypperProxy(scheme string) string {
	text, err := e.root.read("/etc/sysconfig/proxy")
	if err != nil {
		return ""
	}
	f := assignments(string(text))
	if f["PROXY_ENABLED"] != "yes" {
		return ""
	}
	return f[strings.ToUpper(scheme)+"_PROXY"]
}

// excepted reports whether no_proxy names a host, or a domain above it.
func excepted(host, list string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' }), func(d string) bool {
		d = strings.TrimPrefix(strings.TrimPrefix(d, "*"), ".")
		return d == "" || strings.EqualFold(host, d) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(d))
	})
}
