package catalog

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest user and job of a [Pusher] that are kept, in bytes.
const (
	maxPusherUser = 100
	maxPusherJob  = 500
)

// Kept returns what is kept of a pusher: printable characters, and not too many of them.
func (p Pusher) Kept() Pusher {
	return Pusher{User: printable(p.User, maxPusherUser), Job: printable(p.Job, maxPusherJob)}
}

// printable returns the printable characters of s, at most max bytes.
func printable(s string, max int) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len()+utf8.RuneLen(r) > max {
			break
		}
		if unicode.IsPrint(r) && r != utf8.RuneError {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}
