package layout

import (
	"crypto/rand"
	"path"
	"strings"
	"unicode/utf8"
)

// idLength is the length of a push's ID: 26 letters of base32, some 130 bits.
const idLength = 26

// MaxFileName is the longest file name that [StagedName] keeps whole, in bytes: a folder's limit for the verdict
// beside the staged object, whose name is that of the object and ".json".
const MaxFileName = 255 - len("@~.json") - idLength

// keptEnd is how many bytes of the end of a longer name are kept: its extension counts.
const keptEnd = 32

// NewID returns a random ID for a push.
func NewID() string { return strings.ToLower(rand.Text()) }

// StagedName returns the last part of a staging key: "@ID~FILE". Each push of a file has an ID of its own,
// so that two pushes never share a staging key. Files that are copied into staging have their plain names. The middle
// of a name longer than [MaxFileName] is left out: no program reads it.
func StagedName(id, file string) string {
	const dots = "..."
	if len(file) > MaxFileName {
		begin, end := MaxFileName-len(dots)-keptEnd, len(file)-keptEnd
		for begin > 0 && !utf8.RuneStart(file[begin]) {
			begin--
		}
		for end < len(file) && !utf8.RuneStart(file[end]) {
			end++
		}
		file = file[:begin] + dots + file[end:]
	}
	return "@" + id + "~" + file
}

// CutID splits a staged name into the ID of its push and the file's own name. A name in another form than
// "@ID~FILE" is a plain name, and its ID is empty.
func CutID(name string) (id, file string) {
	rest, ok := strings.CutPrefix(name, "@")
	if !ok || len(rest) <= idLength+1 || rest[idLength] != '~' || !isID(rest[:idLength]) {
		return "", name
	}
	return rest[:idLength], rest[idLength+1:]
}

func isID(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

// ShownIn removes the ID of the push from a text that quotes a staging key, or a part of it.
func ShownIn(text, key string) string {
	if id, _ := CutID(path.Base(key)); id != "" {
		return strings.ReplaceAll(text, "@"+id+"~", "")
	}
	return text
}

// ShownStaging returns a staging key as users know it: without the ID of the push.
func ShownStaging(key string) string {
	dir, name := path.Split(key)
	_, file := CutID(name)
	return dir + file
}
