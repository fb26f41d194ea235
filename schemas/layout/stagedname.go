package layout

import (
	"crypto/rand"
	"fmt"
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
func StagedName(id, file string) string { return StagedTrainName(id, "", file) }

// StagedTrainName is [StagedName] of a file that is pushed for a release train of its owner: "@ID+TRAIN~FILE". The name has the
// train, and not what a store keeps beside an object: a store that loses that would have the file published.
func StagedTrainName(id, train, file string) string {
	if train != "" {
		id += "+" + train
	}
	return stagedName(id, file)
}

// ifAbsent is what is behind the ID of a push that replaces nothing.
const ifAbsent = "!"

// StagedIfAbsentName is [StagedName] of a file that is to be published only if its name and version have no other bytes, also in a
// mutable repository: "@ID!~FILE". The name says so for the reason for which it has a train.
func StagedIfAbsentName(id, file string) string { return stagedName(id+ifAbsent, file) }

// IsIfAbsent reports whether a staging key says that the file replaces nothing.
func IsIfAbsent(key string) bool {
	name := path.Base(key)
	id, file := CutID(name)
	return id != "" && name == "@"+id+ifAbsent+"~"+file
}

// stagedName puts what says how a file is pushed before its name.
func stagedName(id, file string) string {
	const dots = "..."
	if limit := MaxFileName + idLength - len(id); len(file) > limit {
		begin, end := limit-len(dots)-keptEnd, len(file)-keptEnd
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
// "@ID~FILE", "@ID!~FILE" or "@ID+TRAIN~FILE" is a plain name, and its ID is empty.
func CutID(name string) (id, file string) {
	id, _, file = cutStaged(name)
	return id, file
}

// TrainOf returns the release train that a staging key names, or the empty string.
func TrainOf(key string) string {
	_, train, _ := cutStaged(path.Base(key))
	return train
}

// cutStaged splits a staged name into its parts. Those that it does not have are empty.
func cutStaged(name string) (id, train, file string) {
	rest, ok := strings.CutPrefix(name, "@")
	if !ok || len(rest) <= idLength+1 || !isID(rest[:idLength]) {
		return "", "", name
	}
	id, rest = rest[:idLength], rest[idLength:]
	if absent, ok := strings.CutPrefix(rest, ifAbsent+"~"); ok && absent != "" {
		return id, "", absent
	}
	if file, ok := strings.CutPrefix(rest, "~"); ok {
		return id, "", file
	}
	train, file, ok = strings.Cut(rest[1:], "~")
	if rest[0] != '+' || !ok || file == "" || CheckTrain(train) != nil {
		return "", "", name
	}
	return id, train, file
}

// maxTrain is the length of the longest name of a train.
const maxTrain = 64

// CheckTrain returns why a release train cannot have a name, as a sentence for the user, or nil.
func CheckTrain(name string) error {
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_+", r)
	}
	if name == "" || len(name) > maxTrain || strings.ContainsFunc(name, strange) || strings.ContainsRune(".-_+", rune(name[0])) {
		return fmt.Errorf("train %.100q: use 1 to %d letters, digits and any of . - _ +, the first one a letter or digit, such as 19.5.0", name, maxTrain)
	}
	return nil
}

// misspelledTrain reports whether a staged name looks as if it named a train, and does not. As a plain name it would be published.
func misspelledTrain(name string) bool {
	rest, ok := strings.CutPrefix(name, "@")
	id, _ := CutID(name)
	return ok && id == "" && len(rest) > idLength && isID(rest[:idLength]) && rest[idLength] == '+'
}

func isID(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '2' || r > '7') })
}

// ShownIn removes the ID of the push from a text that quotes a staging key, or a part of it.
func ShownIn(text, key string) string {
	name := path.Base(key)
	if id, file := CutID(name); id != "" {
		return strings.ReplaceAll(text, strings.TrimSuffix(name, file), "")
	}
	return text
}

// ShownStaging returns a staging key as users know it: without the ID of the push, and without the prefix of an embargo.
func ShownStaging(key string) string {
	key, _ = CutEmbargo(key)
	dir, name := path.Split(key)
	_, file := CutID(name)
	return dir + file
}
