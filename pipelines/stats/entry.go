package stats

import "bytes"

// An entry is a line of a log, as far as it is counted. Its slices are parts of the line. The address of the client is never read.
type entry struct {
	day     int64 // since 1970, UTC
	get     bool
	status  int
	path    []byte // as the client encoded it, without the query
	query   []byte // without its question mark
	agent   []byte
	country uint16 // two capital letters; 0 if the log has none
	end     int64  // byte of the object behind the last one that the answer carried
}

// A format reads lines. It is used by one goroutine.
type format interface {
	// parse reads a line without its end. It returns false for a line that is not of the format.
	parse(line []byte, e *entry) bool
}

// number reads decimal digits.
func number(s []byte) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// httpStatus reads a status of three digits.
func httpStatus(s []byte) (int, bool) {
	n, ok := number(s)
	return int(n), ok && len(s) == 3 && n >= 100
}

// countryOf returns a country of two letters, and 0 for all other texts.
func countryOf(s []byte) uint16 {
	if len(s) != 2 || !isCapital(s[0]) || !isCapital(s[1]) {
		return 0
	}
	return uint16(s[0])<<8 | uint16(s[1])
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }

func countryText(c uint16) string {
	if c == 0 {
		return ""
	}
	return string([]byte{byte(c >> 8), byte(c)})
}

// unescape appends s to to with its percent-encoding undone, once. ok is false if a percent sign has no two digits behind it.
func unescape(to, s []byte) (plain []byte, ok bool) {
	for len(s) > 0 {
		i := bytes.IndexByte(s, '%')
		if i < 0 {
			return append(to, s...), true
		}
		if len(s) < i+3 {
			return to, false
		}
		high, ok1 := hexDigit(s[i+1])
		low, ok2 := hexDigit(s[i+2])
		if !ok1 || !ok2 {
			return to, false
		}
		to = append(append(to, s[:i]...), high<<4|low)
		s = s[i+3:]
	}
	return to, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// The first and last days that a line may be of: others are malformed.
const (
	firstDay = 7_305  // 1990-01-01
	lastDay  = 73_049 // 2169-12-31
)
