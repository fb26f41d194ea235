// Package deb reads Debian binary packages, as deb(5) and deb-control(5) describe them, and makes their stanzas of a
// Packages index. FORMAT.md lists what is accepted and refused.
//
// A package is an attacker's file. It is accepted only if dpkg and apt read it, and read it alike; any other file
// gets a [catalog.Rejection]. Every limit is checked before the memory for it is allocated.
//
// A package is read once, as a stream, and memory use does not depend on its size. [Peek] reads the control member,
// which is unpacked as a stream; the control file and hashes of the paths in conffiles are kept. [Package.Body]
// returns the whole file and checks data.tar while it is read; hashes of its names are kept.
//
// In reading order:
//
//	deb.go           Package, Peek, limits
//	ar.go            the archive up to the control member
//	unpack.go        decompression of control.tar; xz.go
//	controltar.go    its members
//	conffiles.go     and triggers.go: two of them
//	stanza.go        the control file
//	fields.go        its values
//	relation.go      one relation to another package
//	version.go       order of versions
//	row.go           rows of the catalog
//	needs.go         dependencies on exact versions
//	body.go          the archive behind the control member
//	payload.go       data.tar as it is read, verification
//	payloadstart.go  its first MiB
//	streamend.go     its last bytes
//	streams.go       compressed streams as dpkg reads them
//	datatar.go       its members
//	filetree.go      names that dpkg cannot unpack together
//	signed.go        signatures
//	contents.go      paths, once a package is published; changelog.go
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
	maxBeforeControl = 1 << 20   // bytes of all members between debian-binary and control.tar, which are held in memory
	maxPacked        = 32 << 20  // bytes of control.tar, compressed, which is held in memory
	maxUnpacked      = 256 << 20 // bytes of control.tar, unpacked; it is read as a stream
	maxInMemory      = 16 << 20  // bytes of control.tar.zst, unpacked, up to which it is held in memory
	freeOutput       = 1 << 20   // bytes, unpacked, of a control.tar of any size
	maxRatio         = 200       // beyond freeOutput: bytes, unpacked, for each compressed byte
	maxDictionary    = 64 << 20  // bytes, of xz
	maxWindow        = 128 << 20 // bytes, of zstd; a quarter of it for what is read as a stream
	maxFrames        = 1000      // gzip members or xz blocks of control.tar
	maxChunks        = 4500      // chunks of xz or blocks of zstd, each of which may have its own tables; real ones have 64 KiB or more
	maxTarMembers    = 1000      // of control.tar
	maxControl       = 1 << 20   // bytes of the control file
	maxFieldName     = 256       // bytes of the name of a field
	maxName          = 255       // bytes of the package name
	maxFileName      = 255       // bytes of NAME_VERSION_ARCH.deb, the limit of file systems and of the caches of clients
	maxString        = 1000      // bytes of a value that apt keeps as one string; it aborts at 64 KiB
)

// A Package is a Debian package whose control member was read.
type Package struct {
	identity       catalog.Package
	fields         fields
	control        string // name of the control member
	body           *body
	signedContents [][]byte // debian-binary and control.tar, which a signature covers; nil once Body was called
}

// Peek reads r up to the end of the control member, and checks the control file. The error is a *[catalog.Rejection],
// or a fault of r, wrapped.
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

// parse reads the control member with this name and content.
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

// Identity returns the columns of a row that the control file determines: Format, Name, Version, Canonical, Arch and
// SortKey.
func (p *Package) Identity() catalog.Package { return p.identity }

// Body returns the whole file from its first byte. It may be called once. It checks the members behind control.tar
// while they are read. If the file is faulty, the final Read returns a *[catalog.Rejection] instead of io.EOF; the
// bytes before it are those of the file. A fault of the reader below is returned wrapped.
func (p *Package) Body() io.Reader {
	p.signedContents = nil
	return p.body
}

// VerifyWhole makes the body unpack data.tar to its end, and reject one that dpkg cannot unpack. It must be called
// before Body is read.
func (p *Package) VerifyWhole() { p.body.verifyRatio = input.WholeRatio }

// VerifyClosely is [Package.VerifyWhole] with a lower limit of unpacked bytes, for a second reading of a package that
// was [Unclear].
func (p *Package) VerifyClosely() { p.body.verifyRatio = max(p.body.verifyRatio, retryRatio) }

// RefuseZstd rejects a package that is compressed with zstd, for a system whose dpkg cannot unpack it: at once if its
// control member is, otherwise while the body is read. It must be called before Body is read.
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

// Close ends the verification of a body that is not read to its end. It must be called for every Package, and may be
// called while another goroutine reads Body.
func (p *Package) Close() error {
	p.body.close()
	return nil
}

// Describe sets c.Stanza and c.Needs. The caller has set the identity, Distribution, Component and File of c. The stanza has the
// fields of the control file, in order and unchanged, without those that only a repository can know. It ends with the
// Filename, Size, MD5sum (if c has one) and SHA256 of c (DebianRepository/Format, "Packages" indices). An error is a
// fault of the caller.
func (p *Package) Describe(c *catalog.Package) error {
	if c.Name != p.identity.Name || c.Version != p.identity.Version || c.Arch != p.identity.Arch {
		return fmt.Errorf("describe %s %s %s: it is not %s %s %s", c.Name, c.Version, c.Arch, p.identity.Name, p.identity.Version, p.identity.Arch)
	}
	if c.File.SHA256 == "" || c.File.Size <= 0 {
		return fmt.Errorf("describe %s: size and digest are not set", c.Name)
	}
	var b bytes.Buffer
	for _, f := range p.fields {
		ddeb := strings.EqualFold(f.name, "Package-Type") && strings.EqualFold(f.value(), "ddeb") // apt treats it as any other package
		if !repositoryField(f.name) && !ddeb {
			b.WriteString(f.text)
		}
	}
	fmt.Fprintf(&b, "Filename: %s\nSize: %d\n", layout.PoolName(*c), c.File.Size)
	if c.File.MD5 != "" {
		fmt.Fprintf(&b, "MD5sum: %s\n", c.File.MD5)
	}
	fmt.Fprintf(&b, "SHA256: %s\n", c.File.SHA256)
	c.Stanza, c.Needs = b.Bytes(), p.fields.needs()
	return nil
}
