// Package input has what the readers of DEB and RPM packages share. A package is an attacker's file: its size is not
// trusted, its text is quoted before it is shown, and where it makes a parser panic, it is rejected.
//
// In reading order: input.go has rejections, prefix.go the part of a file that is kept to be read again, limit.go the
// limits of what is unpacked, verification.go the goroutine that unpacks a payload while the file is stored.
package input

import (
	"fmt"
	"strconv"

	"repomill/schemas/catalog"
)

// Reject returns a verdict on a package. Detail is a sentence that says what to do; text of the package in it goes through
// [Quote].
func Reject(reason catalog.Reason, format string, args ...any) *catalog.Rejection {
	return &catalog.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Quote returns text of a package for a sentence: quoted, in printable ASCII, and cut after 80 bytes.
func Quote[T string | []byte](s T) string {
	const most = 80
	if len(s) <= most {
		return strconv.QuoteToASCII(string(s))
	}
	return strconv.QuoteToASCII(string(s[:most])) + "..."
}

// Guard calls f and turns a panic of it into a rejection, so that one package does not stop the process. parser names
// what failed, as in "the reader of headers".
func Guard(parser string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Reject(catalog.ParserPanic, "%s failed on this package: %s; keep the file, and report this", parser, Quote(fmt.Sprint(v)))
		}
	}()
	return f()
}
