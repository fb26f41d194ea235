package deb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const maxVersion = 255 // bytes; the length of a file name

// A Version is a parsed version, as deb-version(7) describes it.
type Version struct {
	Epoch    uint32
	Upstream string
	Revision string // empty if there is none
}

// ParseVersion reads "[epoch:]upstream[-revision]". It returns an error for versions that dpkg refuses to install,
// and for more than 255 bytes. The error is the end of a sentence about the version, without the version itself.
func ParseVersion(s string) (Version, error) {
	if len(s) > maxVersion {
		return Version{}, fmt.Errorf("it has %d bytes; the limit is %d", len(s), maxVersion)
	}
	var v Version
	v.Upstream = s
	if epoch, rest, ok := strings.Cut(s, ":"); ok {
		n, err := strconv.ParseUint(epoch, 10, 64)
		if err != nil || n > math.MaxInt32 {
			return Version{}, fmt.Errorf("the epoch, before the colon, is not a number up to %d", math.MaxInt32)
		}
		v.Epoch, v.Upstream = uint32(n), rest
	}
	if i := strings.LastIndexByte(v.Upstream, '-'); i >= 0 {
		v.Upstream, v.Revision = v.Upstream[:i], v.Upstream[i+1:]
		if v.Revision == "" {
			return Version{}, errors.New("the revision, after the last hyphen, is empty")
		}
	}
	switch {
	case v.Upstream == "":
		return Version{}, errors.New("the upstream version is empty")
	case !isDigit(v.Upstream[0]):
		return Version{}, errors.New("the upstream version does not start with a digit")
	case !onlyCharacters(v.Upstream, ".-+~:"):
		return Version{}, errors.New("the upstream version may only have letters, digits and any of .-+~: in it")
	case !onlyCharacters(v.Revision, ".+~"):
		return Version{}, errors.New("the revision may only have letters, digits and any of .+~ in it")
	}
	return v, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// onlyCharacters reports whether s consists of letters, digits and the others.
func onlyCharacters(s, others string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && !isLetter(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Canonical returns the same string for versions that dpkg regards as equal, and different ones for others: "1:2.0"
// for "1:2.00-0". Numbers have no leading zeros, a missing number is written as 0, and an epoch or a revision of zero
// is omitted if the rest can be read without it.
func (v Version) Canonical() string {
	var b strings.Builder
	if v.Epoch != 0 || strings.Contains(v.Upstream, ":") {
		fmt.Fprintf(&b, "%d:", v.Epoch)
	}
	b.WriteString(canonicalPart(v.Upstream))
	if r := canonicalPart(v.Revision); r != "0" || strings.Contains(v.Upstream, "-") {
		b.WriteString("-" + r)
	}
	return b.String()
}

func canonicalPart(s string) string {
	var b strings.Builder
	for more := true; more; more = s != "" {
		var text, number string
		text, number, s = cutTextNumber(s)
		b.WriteString(text)
		if number == "" {
			number = "0"
		}
		b.WriteString(number)
	}
	return b.String()
}

// cutTextNumber splits off what dpkg compares in one step: characters other than digits, and a number without leading
// zeros, so that zero is "". Only the first text of a part can be empty.
func cutTextNumber(s string) (text, number, rest string) {
	i := 0
	for i < len(s) && !isDigit(s[i]) {
		i++
	}
	j := i
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	return s[:i], strings.TrimLeft(s[i:j], "0"), s[j:]
}

// SortKey returns bytes that order as dpkg orders packages: by name, then by version; then, where dpkg
// holds versions equal, by their exact bytes, then by architecture. Its parts are
//
//	name 0x00 epoch (4 bytes, big endian) upstream revision exact 0x00 arch
//
// and upstream and revision are pairs of text and number, ended by 0x02. A text is its characters, '~' as
// 0x01, letters as they are, others with 0x80 added, ended by 0x02. A number is its count of digits in one
// byte, and the digits.
func SortKey(name string, v Version, exact, arch string) []byte {
	b := append([]byte(name), 0)
	b = binary.BigEndian.AppendUint32(b, v.Epoch)
	b = appendPart(b, v.Upstream)
	b = appendPart(b, v.Revision)
	b = append(b, exact...)
	b = append(b, 0)
	return append(b, arch...)
}

// keyEnd ends a text or a part: after '~', as in dpkg, and before anything else.
const keyEnd = 0x02

// appendPart appends a part of a version. It appends the first pair even if that is empty; otherwise "0" would be a
// prefix of "1".
func appendPart(b []byte, s string) []byte {
	for more := true; more; more = s != "" {
		var text, number string
		text, number, s = cutTextNumber(s)
		for i := range len(text) {
			switch c := text[i]; {
			case c == '~':
				b = append(b, 0x01)
			case isLetter(c):
				b = append(b, c)
			default:
				b = append(b, 0x80+c)
			}
		}
		b = append(b, keyEnd, byte(len(number)))
		b = append(b, number...)
	}
	return append(b, keyEnd)
}
