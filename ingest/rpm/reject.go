package rpm

import (
	"fmt"

	"repomill/schemas/catalog"
)

// reject returns a verdict on the package. Untrusted values go through [quote].
func reject(reason catalog.Reason, format string, args ...any) error {
	return &catalog.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// quote makes an untrusted value fit for a sentence: printable, and not longer than a line.
func quote(s string) string {
	const longest = 80
	if len(s) > longest {
		return fmt.Sprintf("%+q...", s[:longest])
	}
	return fmt.Sprintf("%+q", s)
}

// recovered calls f and turns a panic into a rejection. It is the last line of defence for the one
// parser that is not ours: the guard is meant to keep everything from it that it cannot bear.
func recovered(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = reject(catalog.ParserPanic, "the header reader failed on this package: %s; please report it", quote(fmt.Sprint(v)))
		}
	}()
	return f()
}
