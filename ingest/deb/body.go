package deb

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A body returns the bytes of a package, and checks the members of the archive behind the control member.
type body struct {
	r            io.Reader
	replay       []byte // bytes that were read, and that Read has not returned yet
	offset       int64  // bytes read from r, from the start of the file
	members      int
	name         string                             // of the current member
	memberLeft   int64                              // bytes of the current member, with its padding, that were not read
	padded       bool                               // the current member has one byte of padding
	seenData     bool                               // the header of data.tar was read
	conffiles    conffiles                          // of the control member
	verifyRatio  int64                              // the most bytes that are unpacked for each byte of data.tar; 0 if it is not unpacked whole
	noZstd       string                             // the system whose dpkg cannot unpack zstd; "" if it can
	payload      *payload                           // data.tar, while it is read; otherwise nil
	verification atomic.Pointer[input.Verification] // of data.tar, if it is unpacked whole
	contentLeft  int64                              // bytes of the current member, without its padding, that were not read
	sink         io.Writer                          // takes the content of the current member; nil before the first
	signedHashes signedHashes
	signature    []byte // content of _gpgorigin; nil if it was not read
	err          error  // returned by all later reads
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if len(b.replay) == 0 && b.err == nil && b.memberLeft == 0 {
		b.err = b.finish(b.next())
	}
	if len(b.replay) > 0 {
		n := copy(p, b.replay)
		if b.replay = b.replay[n:]; len(b.replay) == 0 {
			b.replay = nil // so that its memory is freed
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.memberLeft)])
	b.memberLeft -= int64(n)
	b.offset += int64(n)
	b.writeContent(p[:n])
	switch {
	case err == io.EOF && b.memberLeft == 1 && b.seenData && b.padded: // dpkg does not read the padding
		b.memberLeft = 0
		b.err = b.finish(cmp.Or(b.checkPayload(p[:n]), io.EOF))
	case err == io.EOF && b.memberLeft > 0:
		b.err = truncated(b.offset, b.name)
	case err != nil && err != io.EOF:
		b.err = fmt.Errorf("read package: %w", err)
	default:
		b.err = b.checkPayload(p[:n])
	}
	return n, b.err
}

// checkPayload checks the next bytes of data.tar, if that is the current member.
func (b *body) checkPayload(p []byte) error {
	if b.payload == nil {
		return nil
	}
	err := b.payload.write(p)
	if err == nil && b.memberLeft == 0 {
		err = b.payload.end()
	}
	if err != nil || b.memberLeft == 0 {
		b.close()
		b.payload = nil
	}
	return err
}

// close ends the verification, if one runs. It may be called at any time, and again.
func (b *body) close() {
	if v := b.verification.Load(); v != nil {
		v.Close()
	}
}

// next reads the header of the next member. At the end of a complete file it returns io.EOF.
func (b *body) next() error {
	header := make([]byte, arHeaderSize)
	n, err := input.ReadFull(b.r, header)
	b.offset += int64(n)
	b.replay = header[:n]
	switch {
	case err == io.EOF && b.seenData && strings.Trim(string(header[:n]), "\n") == "": // some tools pad with newlines
		return io.EOF
	case err == io.EOF && b.seenData:
		return trailingData(b.offset - int64(n))
	case err == io.EOF && !b.seenData:
		return truncated(b.offset, "archive, before data.tar")
	case err != nil:
		return err
	}
	if b.members++; b.members > maxMembers {
		return tooManyMembers()
	}
	m, err := parseMember(header)
	if err != nil {
		if b.seenData {
			return trailingData(b.offset - int64(n))
		}
		return err
	}
	b.name, b.memberLeft, b.padded = m.name, m.padded(), m.size&1 == 1
	first := !b.seenData
	if err := b.checkMember(m); err != nil {
		return err
	}
	b.sink, b.contentLeft = b.sinkOf(m), m.size
	if b.seenData != first {
		return nil // another member than data.tar
	}
	b.payload = newPayload(m, b.verifyRatio, b.conffiles)
	b.verification.Store(b.payload.verification)
	return b.checkMagic(m)
}

// dataMagic are the first bytes of the compressed forms of data.tar. A plain archive may have any.
var dataMagic = map[string]string{
	"data.tar.gz": "\x1f\x8b", "data.tar.bz2": "BZh", "data.tar.xz": "\xfd7zXZ\x00", "data.tar.lzma": "\x5d", "data.tar.zst": "\x28\xb5\x2f\xfd",
}

// checkMagic reads the first bytes of data.tar. dpkg does not unpack a member that is not compressed as its name
// says.
func (b *body) checkMagic(m arMember) error {
	want := dataMagic[m.name]
	lead := make([]byte, min(int64(len(want)), m.size))
	n, err := input.ReadFull(b.r, lead)
	b.offset += int64(n)
	b.memberLeft -= int64(n)
	b.replay = append(b.replay, lead[:n]...)
	switch {
	case err == io.EOF:
		return truncated(b.offset, b.name)
	case err != nil:
		return err
	}
	b.writeContent(lead)
	if string(lead) != want {
		return input.Reject(catalog.Malformed, "%s does not begin as its compression does; rebuild the package with dpkg-deb", input.Quote(m.name))
	}
	return b.checkPayload(lead[:n])
}

func trailingData(offset int64) error {
	return input.Reject(catalog.Malformed, "the file goes on after data.tar, at byte %d, and not with an archive member; rebuild the package with dpkg-deb", offset)
}

// checkMember checks whether m may follow the members before it.
func (b *body) checkMember(m arMember) error {
	switch {
	case m.padded() > MaxSize-b.offset:
		return input.Reject(catalog.TooLarge, "archive member %s has %d bytes; the limit for a package is %d", input.Quote(m.name), m.size, int64(MaxSize))
	case m.extra():
		return nil
	case b.seenData && !isRequiredMember(m.name):
		return nil // deb(5): readers ignore other members behind data.tar
	case !strings.HasPrefix(m.name, "data.tar"):
		return input.Reject(catalog.Malformed, "the archive has a member %s after control.tar; rebuild the package with dpkg-deb", input.Quote(m.name))
	case b.seenData:
		return input.Reject(catalog.Malformed, "the archive has a second data member %s; rebuild the package with dpkg-deb", input.Quote(m.name))
	}
	if m.name == "data.tar.zst" && b.noZstd != "" {
		return noZstd(m.name, b.noZstd)
	}
	switch m.name {
	case "data.tar", "data.tar.gz", "data.tar.bz2", "data.tar.xz", "data.tar.lzma", "data.tar.zst":
		b.seenData = true
		return nil
	}
	return input.Reject(catalog.Unsupported, "the compression of %s is not one that dpkg reads; build it with dpkg-deb -Zgzip, -Zxz or -Zzstd", input.Quote(m.name))
}

// isRequiredMember reports whether a member has the name of one that every package has. A second one is refused: a
// program may read it instead of the first.
func isRequiredMember(name string) bool {
	return name == "debian-binary" || strings.HasPrefix(name, "control.tar") || strings.HasPrefix(name, "data.tar")
}
