package deb

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// What is kept of the contents of a package. Names are counted beyond these limits.
const (
	MaxPaths     = 200_000
	maxPathBytes = 16 << 20 // of all paths together
)

// The kinds of a [Path] other than a file.
const (
	PathFolder = "dir"
	PathLink   = "link" // symbolic; a hard link is a file
)

// A Path is what dpkg installs at one path.
type Path struct {
	Path string // absolute
	Kind string // empty for a file, a pipe or a device
}

// Contents are what a package installs.
type Contents struct {
	Paths     []Path // in byte order, each once: up to [MaxPaths], of some 16 MiB in all
	Files     int    // that are not folders, with those that Paths leaves out
	LeftOut   int    // paths that Paths leaves out
	Changelog string // the newest entries, up to [MaxChangelog] bytes; empty if there are none
}

// ReadContents reads a package to the end of its data.tar. It unpacks as much as a verification does ([Package.VerifyWhole]); memory
// is that of the decompressor, and of what is kept. The error is a *[catalog.Rejection], or a fault of r, wrapped.
func ReadContents(r io.Reader) (*Contents, error) {
	in := &faultReader{r: r}
	var c *Contents
	err := input.Guard("the reader of contents", func() (err error) {
		c, err = readContents(in)
		return err
	})
	if in.fault != nil { // readers above take it for damage
		return nil, fmt.Errorf("read package: %w", in.fault)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A faultReader keeps the error of the reader below.
type faultReader struct {
	r     io.Reader
	fault error // nil at the end
}

func (f *faultReader) Read(p []byte) (int, error) {
	if f.fault != nil {
		return 0, f.fault
	}
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.fault = err
	}
	return n, err
}

func readContents(r io.Reader) (*Contents, error) {
	p, err := Peek(r)
	if err != nil {
		return nil, err
	}
	defer p.Close() //nolint:errcheck // never fails
	m, err := findData(r)
	if err != nil {
		return nil, err
	}
	unpacked, _, done, err := decompress(m.name, io.LimitReader(r, m.size))
	if err != nil {
		return nil, dataRejection(m.name, err)
	}
	defer done()
	limit := input.FreeOutput + input.WholeRatio*m.size
	l := &lister{r: input.LimitReader(unpacked, limit), changelog: newChangelogs(p.identity.Name)}
	err = walkTar(l.r, l.member)
	if errors.Is(err, input.ErrLimit) {
		return nil, input.Reject(catalog.TooLarge, "%s unpacks to more than %d bytes", m.name, limit)
	}
	if err != nil {
		return nil, dataRejection(m.name, err)
	}
	return l.contents(), nil
}

// findData reads r, behind the control member, up to the content of data.tar.
func findData(r io.Reader) (arMember, error) {
	header := make([]byte, arHeaderSize)
	for range maxMembers {
		if _, err := input.ReadFull(r, header); err == io.EOF {
			return arMember{}, input.Reject(catalog.Truncated, "the file ends before data.tar; upload it again")
		} else if err != nil {
			return arMember{}, err
		}
		m, err := parseMember(header)
		switch {
		case err != nil:
			return m, err
		case m.extra():
			if _, err := io.CopyN(io.Discard, r, m.padded()); err == io.EOF {
				return m, input.Reject(catalog.Truncated, "the file ends in the archive member %s; upload it again", input.Quote(m.name))
			} else if err != nil {
				return m, err
			}
		case !strings.HasPrefix(m.name, "data.tar"):
			return m, input.Reject(catalog.Malformed, "the archive has a member %s after control.tar; rebuild the package with dpkg-deb", input.Quote(m.name))
		case m.name != "data.tar" && dataMagic[m.name] == "":
			return m, input.Reject(catalog.Unsupported, "the compression of %s is not one that dpkg reads; build it with dpkg-deb -Zgzip, -Zxz or -Zzstd", input.Quote(m.name))
		default:
			return m, nil
		}
	}
	return arMember{}, tooManyMembers()
}

// A lister keeps the names of an archive, and its changelogs.
type lister struct {
	r         io.Reader // the archive
	paths     []Path
	bytes     int // of paths
	leftOut   Contents
	changelog *changelogs
}

// member implements the function of [walkTar].
func (l *lister) member(h tarHeader, n int) error {
	kind := ""
	switch h.kind {
	case 0, '0':
		if strings.HasSuffix(h.name, "/") { // as old programs wrote folders
			kind = PathFolder
		}
	case '5':
		kind = PathFolder
	case '2':
		kind = PathLink
	case '1', '3', '4', '6':
	default:
		return checkDataMember(l.r, h, n, nil) // the problem with other kinds
	}
	name := cleanPath(dpkgName(strings.TrimSuffix(h.name, "/")))
	if len(name) > maxPath {
		return tarProblem(fmt.Sprintf("has a path of %d bytes, %s", len(name), input.Quote(name)))
	}
	if name != "" && name != "." {
		l.add(Path{"/" + name, kind})
	}
	if h.kind != 0 && h.kind != '0' {
		l.changelog.link(name, h)
		return nil
	}
	read, err := l.changelog.read(l.r, name, h.size)
	if err != nil {
		return err
	}
	return skipRest(l.r, read, h.size)
}

func (l *lister) add(p Path) {
	if len(l.paths) >= MaxPaths || l.bytes+len(p.Path) > maxPathBytes {
		l.leftOut.LeftOut++
		if p.Kind != PathFolder {
			l.leftOut.Files++
		}
		return
	}
	l.bytes += len(p.Path)
	l.paths = append(l.paths, p)
}

// contents returns what was read. Of a path that an archive has several times, dpkg keeps the last.
func (l *lister) contents() *Contents {
	slices.Reverse(l.paths)
	slices.SortStableFunc(l.paths, func(a, b Path) int { return cmp.Compare(a.Path, b.Path) })
	c := l.leftOut
	c.Paths = slices.CompactFunc(l.paths, func(a, b Path) bool { return a.Path == b.Path })
	for _, p := range c.Paths {
		if p.Kind != PathFolder {
			c.Files++
		}
	}
	c.Changelog = l.changelog.newest()
	return &c
}
