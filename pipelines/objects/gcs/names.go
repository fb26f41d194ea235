package gcs

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
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

func pusherOf(metadata map[string]string) catalog.Pusher {
	return catalog.Pusher{User: metadata[userKey], Job: metadata[jobKey]}.Kept()
}

func metadataOf(by catalog.Pusher) map[string]string {
	by = by.Kept()
	m := map[string]string{}
	if by.User != "" {
		m[userKey] = by.User
	}
	if by.Job != "" {
		m[jobKey] = by.Job
	}
	return m
}

// crc32cOf returns a CRC32C as Google's JSON has it.
func crc32cOf(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
