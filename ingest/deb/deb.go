// Package deb reads Debian binary packages, as described in deb(5) and deb-control(5), and makes their
// stanzas of a Packages index. A package is read once, as a stream; memory use does not depend on its size.
//
// A package is an attacker's file. What is accepted here, dpkg and apt read, and read alike; whatever
// else a file may be, it is answered with a [catalog.Rejection]. Every limit below is checked before the
// memory is taken. Of the control member, which is unpacked as a stream, the control file and hashes of the paths in
// conffiles are kept; of data.tar, hashes of names.
package deb

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The limits of a package.
const (
	MaxSize = 8 << 30 // bytes of the whole file

	maxMembers       = 10        // of the ar archive
	maxFormatVersion = 1 << 10   // bytes of debian-binary
	maxBeforeControl = 1 << 20   // bytes of all members before control.tar, which are held in memory
	maxPacked        = 32 << 20  // bytes of control.tar as it lies in the file, where it is held
	maxUnpacked      = 256 << 20 // bytes of control.tar, unpacked: it is read as a stream
	maxInMemory      = 16 << 20  // bytes of control.tar.zst, unpacked, that are not read as a stream
	freeOutput       = 1 << 20   // bytes that may come out of however few
	maxRatio         = 200       // beyond freeOutput: bytes out for one byte in
	maxDictionary    = 64 << 20  // bytes, of xz
	maxWindow        = 128 << 20 // bytes, of zstd; of what is read as a stream, a quarter
	maxFrames        = 1000      // gzip members or xz blocks of control.tar
	maxChunks        = 4500      // of xz or zstd, each of which may bring its own tables: real ones have up to 64 KiB and more
	maxTarMembers    = 1000      // of control.tar
	maxControl       = 1 << 20   // bytes of the control file
	maxFieldName     = 256       // bytes of the name of a field
	maxName          = 255       // bytes of the package name
	maxFileName      = 255       // bytes of NAME_VERSION_ARCH.deb, which file systems and the caches of clients take
	maxString        = 1000      // bytes of what apt keeps as one string: it aborts at 64 KiB
)

// A Package is a Debian package whose control member was read.
type Package struct {
	identity       catalog.Package
	fields         fields
	control        string // name of the control member
	body           *body
	signedContents [][]byte // the contents of the first members, of which a signature is; nil once Body was called
}

// Peek reads r up to the end of the control member and decides whether this can be a package. The error
// is a *[catalog.Rejection], or a fault of r.
func Peek(r io.Reader) (*Package, error) {
	h := &archiveStart{Prefix: input.Prefix{R: r}}
	name, packed, err := h.control()
	if err != nil {
		return nil, err
	}
	p := &Package{control: name, body: &body{r: r, replay: h.Bytes(), offset: int64(h.Len()), members: h.members, signature: h.signature}, signedContents: [][]byte{h.formatVersion, packed}}
	if err := input.Guard("the reader of control members", func() error { return p.parse(name, packed) }); err != nil {
		return nil, err
	}
	return p, nil
}

// parse reads the control member, of this name and content.
func (p *Package) parse(name string, packed []byte) error {
	tarball, done, err := unpackControl(name, packed)
	if err != nil {
		return err
	}
	defer done()
	c, err := readControlTar(tarball)
	if err != nil {
		return err
	}
	if p.fields, err = parseControl(c.control); err != nil {
		return err
	}
	if p.identity, err = p.fields.identity(); err != nil {
		return err
	}
	p.body.conffiles = c.conffiles
	return c.checkInfoNames(p.identity, strings.EqualFold(p.fields.get("Multi-Arch"), "same"))
}

// Identity returns the Format, Name, Version, Canonical, Arch and SortKey of the package, and nothing else.
func (p *Package) Identity() catalog.Package { return p.identity }

// Body returns the whole file from its first byte, and may be called once. It checks what Peek has not
// seen while it goes by. Where the file is faulty, the final Read returns a *[catalog.Rejection] instead of
// io.EOF; the bytes before are those of the file. A fault of the reader below is returned wrapped.
func (p *Package) Body() io.Reader {
	p.signedContents = nil
	return p.body
}

// VerifyWhole has the body unpack data.tar to its end and reject what dpkg could not. It is called before Body is read.
func (p *Package) VerifyWhole() { p.body.verifyRatio = input.WholeRatio }

// VerifyClosely is [Package.VerifyWhole] with a lower limit of what may come out, for a package that may be [Unclear] though
// it was not asked to be verified whole.
func (p *Package) VerifyClosely() { p.body.verifyRatio = max(p.body.verifyRatio, retryRatio) }

// RefuseZstd rejects a package that is compressed with zstd, for a system whose dpkg does not know it: at once if its
// control member is, or while the body is read. It is called before.
func (p *Package) RefuseZstd(system string) error {
	p.body.noZstd = system
	if strings.HasSuffix(p.control, ".zst") {
		return noZstd(p.control, system)
	}
	return nil
}

func noZstd(member, system string) error {
	return input.Reject(catalog.Unsupported, "%s is compressed with zstd, which the dpkg of %s cannot unpack; build the package with dpkg-deb -Zxz", member, system)
}

// Close ends what a body runs beside itself that was not read to its end. It may be called while Body is read, and
// is called for every Package.
func (p *Package) Close() error {
	p.body.close()
	return nil
}

// Describe sets c.Stanza. The caller has set the Identity, Distribution, Component and File of c. The stanza
// has the fields of the control file, in order and unchanged, but for those that only a repository can
// know: it ends with the Filename, Size, MD5sum (if c has one) and SHA256 of c
// (DebianRepository/Format, "Packages" indices).
func (p *Package) Describe(c *catalog.Package) error {
	if c.Name != p.identity.Name || c.Version != p.identity.Version || c.Arch != p.identity.Arch {
		return fmt.Errorf("describe %s %s %s: it is not %s %s %s", c.Name, c.Version, c.Arch, p.identity.Name, p.identity.Version, p.identity.Arch)
	}
	if c.File.SHA256 == "" || c.File.Size <= 0 {
		return fmt.Errorf("describe %s: size and digest are not set", c.Name)
	}
	var b bytes.Buffer
	for _, f := range p.fields {
		ddeb := strings.EqualFold(f.name, "Package-Type") && strings.EqualFold(f.value(), "ddeb") // apt takes it as any other
		if !repositoryField(f.name) && !ddeb {
			b.WriteString(f.text)
		}
	}
	fmt.Fprintf(&b, "Filename: %s\nSize: %d\n", layout.PoolName(*c), c.File.Size)
	if c.File.MD5 != "" {
		fmt.Fprintf(&b, "MD5sum: %s\n", c.File.MD5)
	}
	fmt.Fprintf(&b, "SHA256: %s\n", c.File.SHA256)
	c.Stanza = b.Bytes()
	return nil
}
