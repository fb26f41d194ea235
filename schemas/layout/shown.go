package layout

import "strings"

// Shown returns a URL without user, query and fragment, which may contain a secret, for logs and messages.
func Shown(rawURL string) string {
	if i := strings.IndexAny(rawURL, "?#"); i >= 0 {
		rawURL = rawURL[:i]
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		scheme, rest = "", rawURL
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		rest = rest[i+1:]
	} else if i := strings.LastIndexByte(path, '@'); i >= 0 && host != "" { // a password with a slash in it
		rest = path[i+1:]
	}
	if !ok {
		return rest
	}
	return scheme + "://" + rest
}
