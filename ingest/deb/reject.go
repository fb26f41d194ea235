package deb

import (
	"fmt"
	"strconv"

	"repomill/schemas/catalog"
)

func reject(reason catalog.Reason, format string, args ...any) error {
	return &catalog.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// quote makes bytes of a package fit to be shown.
func quote[T string | []byte](s T) string {
	const most = 80
	if len(s) <= most {
		return strconv.QuoteToASCII(string(s))
	}
	return strconv.QuoteToASCII(string(s[:most])) + "..."
}
