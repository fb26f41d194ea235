package html

import (
	"net/url"
	"strings"
)

// relative returns the link from the page of one key to another key. A key that ends in "/index.html" is linked as its folder.
func relative(from, to string) string {
	source, target := strings.Split(from, "/"), strings.Split(to, "/")
	if last := len(target) - 1; target[last] == "index.html" {
		target[last] = ""
	}
	same := 0
	for same < len(source)-1 && same < len(target)-1 && source[same] == target[same] {
		same++
	}
	var b strings.Builder
	for range len(source) - 1 - same {
		b.WriteString("../")
	}
	for i, segment := range target[same:] {
		if i > 0 {
			b.WriteByte('/')
		}
		escapeSegment(&b, segment)
	}
	if link := b.String(); link != "" && link[0] != '/' {
		return link
	}
	return "./" + b.String() // an empty segment would begin a path, or a host
}

// escapeSegment writes a segment of a path with all but unreserved characters (RFC 3986) encoded: some stores read a "+" as a
// blank, and a ":" in the first segment would end a scheme.
func escapeSegment(b *strings.Builder, segment string) {
	const hex = "0123456789ABCDEF"
	for i := range len(segment) {
		c := segment[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}

// outside returns a link that a package says, if it is one of the web with a host and without a user; empty for all others.
func outside(link string) string {
	link = strings.TrimSpace(link)
	u, err := url.Parse(link)
	if err != nil || len(link) > 2000 || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return u.String()
}
