package deb

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"sync"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// maxInfoName is the longest name, in bytes, of a member of control.tar that dpkg keeps (lib/dpkg/dpkg.h,
// MAXCONTROLFILENAME). It does not keep members with a dot in their names.
const maxInfoName = 100

// A controlArchive has what is kept of control.tar.
type controlArchive struct {
	members         int
	control         []byte // content of the control file; nil before it was read
	conffiles       conffiles
	seen            map[string]bool
	longestName     string            // longest name of a member that dpkg keeps
	badInterpreters map[string]string // by name of the script: a first line that no system can run
}

// readControlTar reads the archive to its end. The error is a rejection.
func readControlTar(tarball io.Reader) (*controlArchive, error) {
	c := &controlArchive{seen: map[string]bool{}, badInterpreters: map[string]string{}}
	t := tar.NewReader(tarball)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, unpackRejection(err, "control.tar is damaged (%s); rebuild the package with dpkg-deb", input.Quote(err.Error()))
		}
		if err := c.member(t, h); err != nil {
			return nil, err
		}
	}
	if err := checkPadding(tarball); err != nil {
		return nil, err
	}
	if c.control == nil {
		return nil, input.Reject(catalog.Malformed, "control.tar has no file named control; rebuild the package with dpkg-deb")
	}
	return c, nil
}

// member reads and checks one member.
func (c *controlArchive) member(t *tar.Reader, h *tar.Header) (err error) {
	name, err := checkTarMember(h)
	c.members++
	switch {
	case err != nil:
		return err
	case c.members > maxTarMembers:
		return input.Reject(catalog.TooLarge, "control.tar has more than %d members", maxTarMembers)
	case name == "": // the outermost folder, or a global PAX header
		return nil
	case c.seen[name]:
		return input.Reject(catalog.Malformed, "control.tar has %s twice; rebuild the package with dpkg-deb", input.Quote(name))
	}
	if name == "control" {
		c.seen[name] = true
		c.control, err = readControl(t, h)
		return err
	}
	if err := c.checkName(name); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		err = c.link(name, strings.TrimPrefix(h.Linkname, "./"))
	} else if h.Typeflag == tar.TypeReg {
		err = c.file(t, name, h.Size)
	}
	c.seen[name] = true
	return err
}

// checkName checks whether dpkg accepts a member with this name.
func (c *controlArchive) checkName(name string) error {
	switch dot := strings.Contains(name, "."); {
	case len(name) > maxComponent:
		return input.Reject(catalog.Malformed, "control.tar has a file name of %d bytes, %s, and systems take %d; shorten it", len(name), input.Quote(name), maxComponent)
	case dot || name == "list":
	case len(name) > maxInfoName:
		return input.Reject(catalog.Malformed, "control.tar has a file name of %d bytes, %s, and dpkg takes %d; shorten it", len(name), input.Quote(name), maxInfoName)
	case len(name) > len(c.longestName):
		c.longestName = name
	}
	return nil
}

// link checks a hard link. GNU tar, with which dpkg unpacks control.tar, makes it if its target exists.
func (c *controlArchive) link(name, to string) error {
	if !c.seen[to] || to == name {
		return input.Reject(catalog.Malformed, "control.tar has a hard link %s to %s, and no file of that name before it; replace it by its content", input.Quote(name), input.Quote(to))
	}
	if name == "conffiles" || name == "triggers" {
		return input.Reject(catalog.Unsupported, "%s in control.tar is a hard link; replace it by its content", name)
	}
	return c.checkScript(name, c.badInterpreters[to])
}

// file checks a file with this name and size as far as dpkg reads it.
func (c *controlArchive) file(r io.Reader, name string, size int64) (err error) {
	if name != "conffiles" && name != "triggers" {
		lead := make([]byte, min(size, 256)) // as much as Linux reads of a script
		if _, err := io.ReadFull(r, lead); err != nil {
			return unpackRejection(err, "control.tar ends inside %s; rebuild the package with dpkg-deb", input.Quote(name))
		}
		return c.checkScript(name, badInterpreter(lead))
	}
	if size > maxListing {
		return input.Reject(catalog.TooLarge, "%s in control.tar has %d bytes; the limit is %d", name, size, maxListing)
	}
	if name == "triggers" {
		return checkTriggers(r)
	}
	c.conffiles, err = readConffiles(r)
	return err
}

// checkScript records the first line of a script that no system can run, or "", and rejects such a script if dpkg
// runs it when it installs.
func (c *controlArchive) checkScript(name, line string) error {
	if c.badInterpreters[name] = line; line == "" || name != "preinst" && name != "postinst" {
		return nil
	}
	return input.Reject(catalog.Malformed, "%s in control.tar begins with %s, and no system runs a program of that name, with a carriage return at its end; write the script with line ends of Unix", name, input.Quote(line))
}

// badInterpreter returns the first line of a script if no system has the program that it names, because the name ends
// in a carriage return. Some programs accept one at the end of an argument.
func badInterpreter(lead []byte) string {
	line, _, whole := bytes.Cut(lead, []byte("\n"))
	if !whole || !bytes.HasPrefix(line, []byte("#!")) || !bytes.HasSuffix(line, []byte("\r")) {
		return ""
	}
	program, argument, more := strings.Cut(strings.Trim(string(line[2:]), " \t"), " ")
	if !more {
		return string(line)
	}
	switch path.Base(program) {
	case "sh", "dash", "bash":
		return string(line)
	case "env":
		if !strings.HasPrefix(argument, "-") {
			return string(line)
		}
	}
	return ""
}

// checkInfoNames checks whether file systems accept the names under which dpkg keeps the members
// (lib/dpkg/infodb-*.c). same reports whether the package is Multi-Arch: same.
func (c *controlArchive) checkInfoNames(p catalog.Package, same bool) error {
	name := p.Name
	if same {
		name += ":" + p.Arch
	}
	files := []string{name + ".list-new", name + "." + c.longestName}
	if !c.seen["md5sums"] {
		files = append(files, name+".md5sums-new") // dpkg makes it
	}
	for _, file := range files {
		if len(file) > maxComponent {
			return input.Reject(catalog.TooLarge, "dpkg would keep a file %s... of %d bytes, %s, and file systems take %d; shorten the name of the package", input.Quote(name[:40]), len(file), input.Quote(file[len(name):]), maxComponent)
		}
	}
	return nil
}

// readControl reads the control file.
func readControl(t *tar.Reader, h *tar.Header) ([]byte, error) {
	if h.Typeflag != tar.TypeReg {
		return nil, input.Reject(catalog.Malformed, "control in control.tar is not a regular file; rebuild the package with dpkg-deb")
	}
	if h.Size > maxControl {
		return nil, input.Reject(catalog.TooLarge, "the control file has %d bytes; the limit is %d", h.Size, maxControl)
	}
	control := make([]byte, h.Size)
	if _, err := io.ReadFull(t, control); err != nil {
		return nil, unpackRejection(err, "control.tar ends inside the control file; rebuild the package with dpkg-deb")
	}
	return control, nil
}

// unpackRejection returns err if it is a rejection of the decompressor, and otherwise a rejection with this Detail.
func unpackRejection(err error, format string, args ...any) error {
	if rej := (*catalog.Rejection)(nil); errors.As(err, &rej) {
		return rej
	}
	return input.Reject(catalog.Malformed, format, args...)
}

// paddings are reused by checkPadding.
var paddings = sync.Pool{New: func() any { return new([4096]byte) }}

// checkPadding checks that only zeros follow the end of the archive.
func checkPadding(r io.Reader) error {
	room := paddings.Get().(*[4096]byte)
	defer paddings.Put(room)
	for b := room[:]; ; {
		n, err := r.Read(b)
		if !isZero(b[:n]) {
			return input.Reject(catalog.Malformed, "control.tar goes on after its end; rebuild the package with dpkg-deb")
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unpackRejection(err, "control.tar is damaged (%s); rebuild the package with dpkg-deb", input.Quote(err.Error()))
		}
	}
}

// checkTarMember returns the name of a member of control.tar without "./". The name is "" for the outermost folder,
// and for a global PAX header, which git archive writes.
//
// dpkg unpacks control.tar into an empty folder, and refuses folders in it. Links through which a later member could
// be written, and extensions that tools read differently, are refused here.
func checkTarMember(h *tar.Header) (string, error) {
	if record := conflictingPAX(h); record != "" {
		return "", input.Reject(catalog.Unsupported, "control.tar has the PAX header %s, which programs read differently; write it in the ustar or GNU format", input.Quote(record))
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return "", nil
	}
	if h.Typeflag == tar.TypeGNUSparse {
		return "", input.Reject(catalog.Unsupported, "control.tar has a sparse file; write it without --sparse")
	}
	if h.Size != 0 && h.Typeflag != tar.TypeReg {
		// GNU tar skips the content that such a header declares; others read it as the next member.
		return "", input.Reject(catalog.Malformed, "control.tar member %s has no content, but a size of %d; rebuild the package with dpkg-deb", input.Quote(h.Name), h.Size)
	}
	name := strings.TrimPrefix(h.Name, "./")
	switch h.Typeflag {
	case tar.TypeDir:
		if path.Clean(h.Name) == "." {
			return "", nil
		}
		return "", input.Reject(catalog.Malformed, "control.tar has a folder %s, and dpkg refuses folders there; remove it", input.Quote(h.Name))
	case tar.TypeReg, tar.TypeLink:
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
			return "", input.Reject(catalog.Malformed, "control.tar has a file %s outside its outermost folder; remove it", input.Quote(h.Name))
		}
		return name, nil
	}
	return "", input.Reject(catalog.Malformed, "control.tar member %s is not a regular file; replace it by its content", input.Quote(h.Name))
}

// conflictingPAX returns the name of a PAX record that GNU tar, with which dpkg unpacks, and other programs may read
// differently: sizes, character sets, sparse files, and names in a global header, which apply to all members behind
// it. They read times, owners and the path of a member alike, and ignore unknown records.
func conflictingPAX(h *tar.Header) string {
	for key := range h.PAXRecords {
		odd := key == "size" || key == "hdrcharset" || strings.HasPrefix(key, "GNU.sparse.")
		if odd || h.Typeflag == tar.TypeXGlobalHeader && key != "comment" {
			return key
		}
	}
	return ""
}
