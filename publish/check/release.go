package check

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// maxAhead is how far in the future a Date may be before apt says "not valid yet".
const maxAhead = 10 * time.Second

// maxLine is the longest line in bytes of a signed Release (CVE-2016-1252).
const maxLine = 4096

// parseRelease parses the body of the pointer and reports its problems. It returns false if the body lists no files
// that could be checked.
func (a *aptRun) parseRelease(body []byte) bool {
	for line := range bytes.Lines(body) {
		if len(line) > maxLine {
			a.add(a.pointer, "has a line of %d bytes; apt reads %d", len(line), maxLine)
		}
	}
	s, err := readStanza(body)
	if err != nil {
		a.add(a.pointer, "is malformed: %v", err)
		return false
	}
	f := s.fields
	a.checkNames(f)
	a.checkDates(f)
	a.release.Revision = parseRevision(f["repomill-revision"])
	a.components, a.archs = strings.Fields(f["components"]), strings.Fields(f["architectures"])
	if f["acquire-by-hash"] != "yes" {
		a.add(a.pointer, `does not say "Acquire-By-Hash: yes"`)
	}
	if !slices.Contains(a.archs, "all") || hasKey(f, "no-support-for-architecture-all") {
		a.add(a.pointer, `does not support architecture "all" of its own: a client of another architecture would see nothing`)
	}
	for _, algorithm := range []string{"sha512", "sha3-512"} {
		if hasKey(f, algorithm) {
			a.add(a.pointer, "lists %s, so that apt asks for by-hash copies that are not there", strings.ToUpper(algorithm))
		}
	}
	if !hasKey(f, "sha256") {
		a.add(a.pointer, "lists no files with SHA256")
		return false
	}
	a.parseEntries(f["sha256"])
	return true
}

func (a *aptRun) checkNames(f map[string]string) {
	if !hasKey(f, "suite") && !hasKey(f, "codename") {
		a.add(a.pointer, "has neither Suite nor Codename")
	}
	for _, name := range []string{"suite", "codename"} {
		if v, ok := f[name]; ok && v != a.codename {
			a.add(a.pointer, "conflicting distribution: expected %s, got %s %.100q", a.codename, name, v)
		}
	}
}

func (a *aptRun) checkDates(f map[string]string) {
	date, err := parseDate(f["date"])
	if err != nil {
		a.add(a.pointer, "Date: %v", err)
	}
	a.release.Date = date
	now := a.opt.Now
	if !now.IsZero() && date.After(now.Add(maxAhead)) {
		a.add(a.pointer, "is not valid yet: its Date is %s ahead", date.Sub(now).Round(time.Second))
	}
	v, ok := f["valid-until"]
	if !ok {
		return
	}
	until, err := parseDate(v)
	if err != nil {
		a.add(a.pointer, "Valid-Until: %v", err)
	} else if !now.IsZero() && now.After(until) {
		a.add(a.pointer, "has expired: it was valid until %s", v)
	}
}

// parseDate reads the date format of Release files: RFC 1123, always UTC.
func parseDate(s string) (time.Time, error) {
	for _, zone := range []string{"UTC", "GMT", "Z", "+0000"} {
		if t, err := time.Parse("Mon, 2 Jan 2006 15:04:05 "+zone, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%.100q is no date of RFC 1123 in UTC", s)
}

var nonce = regexp.MustCompile(`\b[0-9a-f]{16}\b`)

// parseRevision reads "number nonce"; anything else, of another tool, is the zero revision.
func parseRevision(s string) catalog.Revision {
	number, rest, _ := strings.Cut(s, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return catalog.Revision{}
	}
	return catalog.Revision{Number: n, Nonce: nonce.FindString(rest)}
}

// parseEntries reads the SHA256 section: a line of digest, size and name for each file.
func (a *aptRun) parseEntries(section string) {
	for line := range strings.Lines(section) {
		if strings.TrimSpace(line) == "" {
			continue // the field's own line
		}
		name, f, err := parseEntry(line)
		if _, twice := a.entries[name]; err == nil && twice {
			err = errors.New("is listed twice")
		}
		if err != nil {
			a.add(a.pointer, "SHA256: %.200q %v", strings.TrimSpace(line), err)
			continue
		}
		a.entries[name] = f
	}
	a.release.Indexes = len(a.entries)
}

func parseEntry(line string) (name string, f fact, err error) {
	w := strings.Fields(line)
	if len(w) != 3 {
		return "", f, errors.New("is not digest, size and name")
	}
	sum, ok := parseDigest(w[0])
	if !ok {
		return "", f, errors.New("has no SHA-256")
	}
	size, err := parseSize(w[1])
	if err != nil {
		return "", f, err
	}
	return w[2], fact{size: size, sum: sum}, checkName(w[2])
}

// parseSize reads a number of bytes, digits only.
func parseSize(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil {
		return 0, errors.New("has no size in bytes")
	}
	return int64(n), nil
}
