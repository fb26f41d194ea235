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

// NewID draws the ID of a push.
func NewID() string { return strings.ToLower(rand.Text()) }

// StagedName returns the last part of a staging key: "@ID~FILE". Each push of a file has an ID of its own,
// so that no push stands in the place of another. Who copies a file into staging uses its plain name. Of a file
// whose name is over [MaxFileName] long, the middle is left out: nothing is read in it.
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

// CutID splits a staged name into the ID that its push drew and the file's own name. Whatever is not
// exactly "@", an ID, "~" and a name is a plain name, without an ID.
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

// ShownIn returns a text in which a staging key occurs, or a part of it, as people know the key: without the ID of the push.
func ShownIn(text, key string) string {
	if id, _ := CutID(path.Base(key)); id != "" {
		return strings.ReplaceAll(text, "@"+id+"~", "")
	}
	return text
}

// ShownStaging returns a staging key as people know it: without the ID of the push.
func ShownStaging(key string) string {
	dir, name := path.Split(key)
	_, file := CutID(name)
	return dir + file
}
