package check

import "strings"

// canonicalVersion returns a form of a Debian version that is equal for versions which dpkg holds equal,
// such as "1.0", "1.00", "1.0-0" and "0:1.0" (deb-version(7)).
func canonicalVersion(v string) string {
	epoch, rest, ok := strings.Cut(v, ":")
	if !ok {
		epoch, rest = "", v
	}
	upstream, revision := rest, ""
	if i := strings.LastIndexByte(rest, '-'); i >= 0 {
		upstream, revision = rest[:i], rest[i+1:]
	}
	return strings.TrimLeft(epoch, "0") + ":" + canonicalPart(upstream) + "-" + canonicalPart(revision)
}

// canonicalPart removes leading zeros from every number, and the number 0 from the end, where dpkg does not
// distinguish it from an absent number.
func canonicalPart(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := strings.IndexFunc(s, isDigit)
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		n = strings.IndexFunc(s, func(c rune) bool { return !isDigit(c) })
		if n < 0 {
			n = len(s)
		}
		number := strings.TrimLeft(s[:n], "0")
		if s = s[n:]; number == "" && n > 0 && s != "" {
			number = "0"
		}
		b.WriteString(number)
	}
	return b.String()
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }
