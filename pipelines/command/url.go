package command

import (
	"net/url"
	"strings"
)

// CheckURL returns a usage error, which names the flag, for a value that cannot be the base URL of clients.
func CheckURL(flag, raw string) error {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil { // not shown: it may have a password
		return Usage("%s: use a URL without user and password", flag)
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || !plain(raw) {
		return Usage("%s %q: use http://NAME[:PORT] or https://NAME[:PORT]", flag, raw)
	}
	return nil
}

// plain reports whether a URL needs no quoting in a shell, a configuration file or a policy.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'`\\<>$#;%&|(){}*!", r) })
}
