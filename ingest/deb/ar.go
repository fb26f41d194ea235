package deb

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
)

// An arMember is the header of one member of the ar archive.
type arMember struct {
	name string
	size int64 // bytes of content, without the padding to an even size
}

// padded returns the size of the content with its padding.
func (m arMember) padded() int64 { return m.size + m.size&1 }

// extra reports whether every reader skips the member, as deb(5) requires of names such as "_gpgorigin" of debsigs.
func (m arMember) extra() bool { return strings.HasPrefix(m.name, "_") }

// arName returns the name in a field of 16 bytes, if that has the form that all tools read alike: printable characters but slashes, perhaps
// a slash, and blanks. They disagree about others, and about the long names of GNU ("/0") and BSD ("#1/20").
func arName(field []byte) (name []byte, ok bool) {
	name = bytes.TrimSuffix(bytes.TrimRight(field, " "), []byte("/"))
	for _, c := range name {
		ok = '!' <= c && c <= '~' && c != '/'
		if !ok {
			break
		}
	}
	return name, ok
}

// isArNumber reports whether a field has digits and then blanks. Tools disagree about others.
func isArNumber(field []byte) bool { return onlyDigits(bytes.TrimRight(field, " ")) }

// isArTime is isArNumber of a time: some tools write fractions of a second. dpkg does not read it.
func isArTime(field []byte) bool {
	whole, fraction, _ := bytes.Cut(bytes.TrimRight(field, " "), []byte("."))
	return onlyDigits(whole) && onlyDigits(fraction)
}

func onlyDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// parseMember reads a member header of 60 bytes: name, time, owner, group, mode, size, and two closing bytes
// (deb(5)).
func parseMember(h []byte) (arMember, error) {
	if !bytes.HasSuffix(h, []byte("`\n")) {
		return arMember{}, input.Reject(catalog.Malformed, "the archive has %s where the header of a member should be; rebuild the package with dpkg-deb", input.Quote(h))
	}
	name, ok := arName(h[:16])
	if !ok {
		return arMember{}, input.Reject(catalog.Malformed, "the archive has a member named %s; rebuild the package with dpkg-deb", input.Quote(h[:16]))
	}
	if time := h[16:28]; !isArTime(time) {
		return arMember{}, input.Reject(catalog.Malformed, "archive member %s has %s where a time should be; rebuild the package with dpkg-deb", input.Quote(name), input.Quote(time))
	}
	for _, number := range [][]byte{h[28:34], h[34:40], h[40:48], h[48:58]} {
		if !isArNumber(number) {
			return arMember{}, input.Reject(catalog.Malformed, "archive member %s has %s where a number should be; rebuild the package with dpkg-deb", input.Quote(name), input.Quote(number))
		}
	}
	size, err := strconv.ParseInt(strings.TrimRight(string(h[48:58]), " "), 10, 64)
	if err != nil {
		return arMember{}, input.Reject(catalog.Malformed, "archive member %s has no size; rebuild the package with dpkg-deb", input.Quote(name))
	}
	return arMember{name: string(name), size: size}, nil
}

// An archiveStart reads a package up to the end of its control member, and keeps what it read for the body.
type archiveStart struct {
	input.Prefix
	members       int
	formatVersion []byte // the content of debian-binary
	signature     []byte // content of _gpgorigin, if that comes before control.tar
}

// control reads up to the end of the control member, and returns its name and content.
func (h *archiveStart) control() (name string, packed []byte, err error) {
	if err := h.magic(); err != nil {
		return "", nil, err
	}
	if err := h.debianBinary(); err != nil {
		return "", nil, err
	}
	for extra := int64(0); ; {
		m, err := h.member()
		switch {
		case err != nil:
			return "", nil, err
		case m.extra():
			if extra += m.padded(); extra > maxBeforeControl {
				return "", nil, input.Reject(catalog.TooLarge, "archive member %s makes more than %d bytes before control.tar; move it behind data.tar", input.Quote(m.name), maxBeforeControl)
			}
			b, err := h.next(m.padded(), m.name)
			if err != nil {
				return "", nil, err
			}
			h.keepSignature(m, b)
		default:
			packed, err := h.controlMember(m)
			return m.name, packed, err
		}
	}
}

// magic reads the magic of the archive.
func (h *archiveStart) magic() error {
	err := h.More(int64(len(arMagic)))
	switch {
	case err != nil && err != io.EOF:
		return err
	case h.Len() == 0:
		return input.Reject(catalog.Empty, "the file is empty; upload it again")
	case !strings.HasPrefix(arMagic, string(h.Bytes())):
		return input.Reject(catalog.NotAPackage, "the file starts with %s and is not a Debian package; upload a file made by dpkg-deb", input.Quote(h.Bytes()))
	case err == io.EOF:
		return truncated(int64(h.Len()), "archive")
	}
	return nil
}

var debianBinary = regexp.MustCompile(`^([0-9]+)\.([0-9]+)\n`) // deb(5): readers ignore further lines

// debianBinary reads the first member, which has the version of the format, such as "2.0\n".
func (h *archiveStart) debianBinary() error {
	m, err := h.member()
	if err != nil {
		return err
	}
	if m.name != "debian-binary" {
		return input.Reject(catalog.NotAPackage, "the file is an archive that starts with %s and not with debian-binary; upload a file made by dpkg-deb", input.Quote(m.name))
	}
	if m.size > maxFormatVersion {
		return input.Reject(catalog.Malformed, "debian-binary has %d bytes; rebuild the package with dpkg-deb", m.size)
	}
	b, err := h.next(m.padded(), m.name)
	if err != nil {
		return err
	}
	b = b[:m.size]
	if string(b) == "2.0\n" { // as dpkg-deb writes it
		h.formatVersion = bytes.Clone(b)
		return nil
	}
	version := debianBinary.FindSubmatch(b)
	var major, minor error
	two := uint64(0)
	if version != nil {
		two, major = strconv.ParseUint(string(version[1]), 10, 31)
		_, minor = strconv.ParseUint(string(version[2]), 10, 31)
	}
	switch {
	case version == nil || major != nil || minor != nil:
		return input.Reject(catalog.Malformed, "debian-binary is %s and not a format version such as \"2.0\\n\"; rebuild the package with dpkg-deb", input.Quote(b))
	case two != 2:
		return input.Reject(catalog.Unsupported, "the package has format version %s; dpkg reads version 2", input.Quote(b))
	}
	h.formatVersion = bytes.Clone(b)
	return nil
}

// controlMember reads the content of m, the first member behind debian-binary that is not extra.
func (h *archiveStart) controlMember(m arMember) ([]byte, error) {
	if !strings.HasPrefix(m.name, "control.tar") {
		return nil, input.Reject(catalog.Malformed, "archive member %s comes before control.tar; rebuild the package with dpkg-deb", input.Quote(m.name))
	}
	if _, ok := unpackers[m.name]; !ok {
		return nil, input.Reject(catalog.Unsupported, "the compression of %s is not one that dpkg reads; build it with dpkg-deb -Zgzip, -Zxz or -Zzstd", input.Quote(m.name))
	}
	if m.size > maxPacked {
		return nil, input.Reject(catalog.TooLarge, "%s has %d bytes; the limit is %d", m.name, m.size, maxPacked)
	}
	b, err := h.next(m.padded(), m.name)
	if err != nil {
		return nil, err
	}
	return b[:m.size], nil
}

// member reads the next member header.
func (h *archiveStart) member() (arMember, error) {
	b, err := h.next(arHeaderSize, "header of an archive member")
	if err != nil {
		return arMember{}, err
	}
	if h.members++; h.members > maxMembers {
		return arMember{}, tooManyMembers()
	}
	return parseMember(b)
}

func tooManyMembers() error {
	return input.Reject(catalog.TooLarge, "the archive has more than %d members; rebuild the package with dpkg-deb", maxMembers)
}

// next reads and returns n more bytes. what names them in the rejection of a file that ends before.
func (h *archiveStart) next(n int64, what string) ([]byte, error) {
	start := h.Len()
	if err := h.More(n); err == io.EOF {
		return nil, truncated(int64(h.Len()), what)
	} else if err != nil {
		return nil, err
	}
	return h.From(start), nil
}

func truncated(offset int64, what string) error {
	return input.Reject(catalog.Truncated, "the file ends after %d bytes, in the %s; upload it again", offset, what)
}
