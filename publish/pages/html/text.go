package html

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// visible returns a page in which a replacement character is in the place of each control character, each character that changes the
// direction of what follows, and each byte that is not UTF-8. Markup has none of them; what packages say may have.
func visible(page []byte) []byte {
	var out []byte
	kept := 0 // up to here the page is in out
	for i := 0; i < len(page); {
		if c := page[i]; c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		c, n := utf8.DecodeRune(page[i:])
		if c == utf8.RuneError && n == 1 || unicode.IsControl(c) || directs(c) {
			out = append(out, page[kept:i]...)
			if c != '\r' {
				out = utf8.AppendRune(out, utf8.RuneError)
			}
			kept = i + n
		}
		i += n
	}
	if kept == 0 {
		return page
	}
	return append(out, page[kept:]...)
}

// directs reports whether a character overrides or isolates the direction of text, or ends that.
func directs(c rune) bool {
	return 0x202a <= c && c <= 0x202e || 0x2066 <= c && c <= 0x2069 || c == 0x200e || c == 0x200f || c == 0x061c
}

// shortened returns a text of at most n characters.
func shortened(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := 0
	for at := range s {
		if i == n {
			return strings.TrimRight(s[:at], " ") + "…"
		}
		i++
	}
	return s
}

func day(t time.Time) string    { return t.UTC().Format("2006-01-02") }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// machine returns a time as the attribute datetime has it.
func machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// size returns a number of bytes for people.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		value /= 1000
		if value < 9.95 {
			return strconv.FormatFloat(value, 'f', 1, 64) + " " + unit
		}
		if value < 999.5 {
			return strconv.FormatFloat(value, 'f', 0, 64) + " " + unit
		}
	}
	return strconv.FormatFloat(value, 'f', 0, 64) + " TB"
}

// sizeRange returns the smallest and the largest of some sizes, with one unit if that is the same.
func sizeRange(from, to int64) string {
	low, high := size(from), size(to)
	if low == high {
		return low
	}
	number, unit, _ := strings.Cut(low, " ")
	if strings.HasSuffix(high, " "+unit) {
		low = number
	}
	return low + " – " + high
}

// count returns a number with narrow spaces between thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && len(s) > 4; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// counted returns a number with a noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return count(n) + " " + noun + "s"
}

// quarters splits a fingerprint into groups of four digits. Style puts space between them, so that a copy has none.
// A text that has other characters is one group.
func quarters(s string) (groups []string) {
	if len(s) > 128 || strings.Trim(s, "0123456789ABCDEFabcdef") != "" {
		return []string{s}
	}
	for len(s) > 4 {
		groups, s = append(groups, s[:4]), s[4:]
	}
	return append(groups, s)
}
