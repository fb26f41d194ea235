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

// A body hands out a package and checks the structure of the archive after the control member.
type body struct {
	r         io.Reader
	head      []byte // read already, not yet handed out
	offset    int64  // bytes read from r, from the start of the file
	members   int
	name      string                             // of the current member
	left      int64                              // bytes of the current member that are still to be read, with its padding
	odd       bool                               // the current member has padding: one byte
	data      bool                               // data.tar was seen
	conffiles conffiles                          // of the control member
	ratio     int64                              // data.tar is unpacked whole, up to so many bytes for each of it; 0 if it is not
	noZstd    string                             // the system whose dpkg does not know zstd; "" if it does
	payload   *payload                           // data.tar, while it goes by; nil before and behind it
	running   atomic.Pointer[input.Verification] // of the payload, if it is unpacked whole
	content   int64                              // bytes of the current member that are still to be read, without its padding
	take      io.Writer                          // takes them; nil before the first member
	sealed    sealed
	origin    []byte // the signature; nil if none was seen
	err       error  // final
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if len(b.head) == 0 && b.err == nil && b.left == 0 {
		b.err = b.end(b.next())
	}
	if len(b.head) > 0 {
		n := copy(p, b.head)
		if b.head = b.head[n:]; len(b.head) == 0 {
			b.head = nil // the control member is not kept while the rest goes by
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.offset += int64(n)
	b.pass(p[:n])
	switch {
	case err == io.EOF && b.left == 1 && b.data && b.odd: // the padding is not there, and dpkg does not look for it
		b.left = 0
		b.err = b.end(cmp.Or(b.look(p[:n]), io.EOF))
	case err == io.EOF && b.left > 0:
		b.err = truncated(b.offset, b.name)
	case err != nil && err != io.EOF:
		b.err = fmt.Errorf("read package: %w", err)
	default:
		b.err = b.look(p[:n])
	}
	return n, b.err
}

// look has the payload take bytes of the current member.
func (b *body) look(p []byte) error {
	if b.payload == nil {
		return nil
	}
	err := b.payload.write(p)
	if err == nil && b.left == 0 {
		err = b.payload.end()
	}
	if err != nil || b.left == 0 {
		b.close()
		b.payload = nil
	}
	return err
}

// close ends a verification that runs. It may be called at any time, and again.
func (b *body) close() {
	if v := b.running.Load(); v != nil {
		v.Close()
	}
}

// next reads the header of the next member. At the proper end of the file it returns io.EOF.
func (b *body) next() error {
	header := make([]byte, arHeaderSize)
	n, err := input.ReadFull(b.r, header)
	b.offset += int64(n)
	b.head = header[:n]
	switch {
	case err == io.EOF && b.data && strings.Trim(string(header[:n]), "\n") == "": // some tools pad with newlines
		return io.EOF
	case err == io.EOF && b.data:
		return trailing(b.offset - int64(n))
	case err == io.EOF && !b.data:
		return truncated(b.offset, "archive, before data.tar")
	case err != nil:
		return err
	}
	if b.members++; b.members > maxMembers {
		return tooManyMembers()
	}
	m, err := parseMember(header)
	if err != nil {
		if b.data {
			return trailing(b.offset - int64(n))
		}
		return err
	}
	b.name, b.left, b.odd = m.name, m.padded(), m.size&1 == 1
	first := !b.data
	if err := b.check(m); err != nil {
		return err
	}
	b.take, b.content = b.taker(m), m.size
	if b.data != first {
		return nil // it is not data.tar
	}
	b.payload = newPayload(m, b.ratio, b.conffiles)
	b.running.Store(b.payload.whole)
	return b.checkMagic(m)
}

// dataMagic is how the compressed forms of data.tar begin. A plain one need not have any magic.
var dataMagic = map[string]string{
	"data.tar.gz": "\x1f\x8b", "data.tar.bz2": "BZh", "data.tar.xz": "\xfd7zXZ\x00", "data.tar.lzma": "\x5d", "data.tar.zst": "\x28\xb5\x2f\xfd",
}

// checkMagic reads the start of data.tar: dpkg would refuse to unpack what is not compressed as its name says.
func (b *body) checkMagic(m member) error {
	want := dataMagic[m.name]
	lead := make([]byte, min(int64(len(want)), m.size))
	n, err := input.ReadFull(b.r, lead)
	b.offset += int64(n)
	b.left -= int64(n)
	b.head = append(b.head, lead[:n]...)
	switch {
	case err == io.EOF:
		return truncated(b.offset, b.name)
	case err != nil:
		return err
	}
	b.pass(lead)
	if string(lead) != want {
		return input.Reject(catalog.Malformed, "%s does not begin as its compression does; rebuild the package with dpkg-deb", input.Quote(m.name))
	}
	return b.look(lead[:n])
}

func trailing(offset int64) error {
	return input.Reject(catalog.Malformed, "the file goes on after data.tar, at byte %d, and not with an archive member; rebuild the package with dpkg-deb", offset)
}

// check decides whether m may follow what was seen before.
func (b *body) check(m member) error {
	switch {
	case m.padded() > MaxSize-b.offset:
		return input.Reject(catalog.TooLarge, "archive member %s has %d bytes; the limit for a package is %d", input.Quote(m.name), m.size, int64(MaxSize))
	case m.extra():
		return nil
	case b.data && !known(m.name):
		return nil // deb(5): ignored behind data.tar
	case !strings.HasPrefix(m.name, "data.tar"):
		return input.Reject(catalog.Malformed, "the archive has a member %s after control.tar; rebuild the package with dpkg-deb", input.Quote(m.name))
	case b.data:
		return input.Reject(catalog.Malformed, "the archive has a second data member %s; rebuild the package with dpkg-deb", input.Quote(m.name))
	}
	if m.name == "data.tar.zst" && b.noZstd != "" {
		return noZstd(m.name, b.noZstd)
	}
	switch m.name {
	case "data.tar", "data.tar.gz", "data.tar.bz2", "data.tar.xz", "data.tar.lzma", "data.tar.zst":
		b.data = true
		return nil
	}
	return input.Reject(catalog.Unsupported, "the compression of %s is not one that dpkg reads; build it with dpkg-deb -Zgzip, -Zxz or -Zzstd", input.Quote(m.name))
}

// known reports whether a member has the name of one that every package has: a second one, which one program might
// read instead of the first, is refused.
func known(name string) bool {
	return name == "debian-binary" || strings.HasPrefix(name, "control.tar") || strings.HasPrefix(name, "data.tar")
}
