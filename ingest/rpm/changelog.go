package rpm

import "strings"

// A change is one entry of a changelog.
type change struct {
	time         int64 // seconds since 1970
	author, text string
}

// maxIndexed is the number of changes in an index: createrepo_c's default.
const maxIndexed = 10

// changes returns the newest changes, oldest first. rpm stores them newest first, and [leanPackage] has cut the
// others off. Those of one day have one time, by which clients could not order them: each is moved one second
// beyond the one before.
func (t *tags) changes() []change {
	times, authors, texts := t.numbers(tagChangeTime), t.texts(tagChangeName), t.texts(tagChangeText)
	if t.err != nil {
		return nil
	}
	n := min(len(times), maxIndexed)
	changes := make([]change, n)
	for i := range n {
		changes[n-1-i] = change{int64(times[i]), t.text(tagChangeName, trimAuthor(authors[i])), t.text(tagChangeText, strings.Clone(texts[i]))}
		if i > 0 && times[i] == times[i-1] {
			makeRoom(changes[n-1-i:])
		}
	}
	return changes
}

// makeRoom moves those changes one second on that would have the time of the first, or of each other.
func makeRoom(changes []change) {
	taken := changes[0].time
	for i := 1; i < len(changes) && changes[i].time == taken; i++ {
		changes[i].time++
		taken++
	}
}

// trimAuthor cuts blanks from the end, but never the first character.
func trimAuthor(s string) string {
	if s == "" {
		return ""
	}
	return strings.Clone(s[:1] + strings.TrimRight(s[1:], " "))
}
