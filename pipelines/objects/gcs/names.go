package gcs

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"repomill/schemas/catalog"
)

// maxName is the longest name of an object in bytes.
const maxName = 1024

// validName reports whether an object can have a name (Cloud Storage documentation, "About objects").
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsAny(name, "\r\n\x00")
}

// The metadata keys of an upload that name its pusher.
const (
	userKey = "repomill-user"
	jobKey  = "repomill-job"
)

// maxUser and maxJob bound the fields of a pusher, in bytes.
const (
	maxUser = 100
	maxJob  = 500
)

func pusherOf(metadata map[string]string) catalog.Pusher {
	return catalog.Pusher{User: clean(metadata[userKey], maxUser), Job: clean(metadata[jobKey], maxJob)}
}

func metadataOf(by catalog.Pusher) map[string]string {
	m := map[string]string{}
	if user := clean(by.User, maxUser); user != "" {
		m[userKey] = user
	}
	if job := clean(by.Job, maxJob); job != "" {
		m[jobKey] = job
	}
	return m
}

// clean returns the printable characters of s, at most max bytes.
func clean(s string, max int) string {
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
