package layout

import "strings"

// Shown returns the URL of a resource as it may be printed: without user, query and fragment, in which
// somebody may have put a secret.
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
