package deb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// maxListing is the largest size of conffiles and of triggers, in bytes. Real ones have some kilobytes.
const maxListing = 1 << 20

// maxConffile is the longest line of conffiles, in bytes with its newline (lib/dpkg/dpkg.h, MAXCONFFILENAME).
const maxConffile = 997

// conffiles are the paths of a conffiles member (deb-conffiles(5)).
type conffiles struct {
	marked map[uint64]bool // by [hashName]: whether the path is marked remove-on-upgrade
	paths  string          // those that are not, each with a newline
}

// The characters of isspace in dpkg, whose locale is that of C.
const spaces = " \t\n\v\f\r"

// readConffiles reads a conffiles member as dpkg does (src/main/unpack.c, deb_parse_conffiles).
func readConffiles(r io.Reader) (conffiles, error) {
	all := conffiles{marked: map[uint64]bool{}}
	var paths strings.Builder
	err := readLines(r, maxConffile, func(line string) error {
		line = strings.TrimRight(line, spaces)
		path, remove := strings.CutPrefix(line, "remove-on-upgrade ")
		switch {
		case line == "":
			return nil
		case !strings.HasPrefix(path, "/"):
			return errors.New("dpkg takes a path that begins with a slash, and before it nothing, or remove-on-upgrade and one blank")
		}
		name := dpkgName(path)
		if err := checkPath(name); err != nil {
			return fmt.Errorf("it %w", err)
		}
		key := hashName(name)
		all.marked[key] = all.marked[key] || remove
		if !remove {
			paths.WriteString(name + "\n")
		}
		return nil
	})
	if err != nil {
		return conffiles{}, listingRejection("conffiles", err)
	}
	all.paths = paths.String()
	return all, nil
}

// check returns a [tarProblem] if a member of data.tar is listed in a way that keeps dpkg from unpacking or
// configuring the package.
func (c conffiles) check(name string, h tarHeader) error {
	remove, is := c.marked[hashName(name)]
	switch {
	case !is:
		return nil
	case remove:
		return tarProblem(fmt.Sprintf("has %s, which conffiles marks as remove-on-upgrade", input.Quote(h.name)))
	case h.kind == '6':
		return tarProblem(fmt.Sprintf("has a pipe %s, which conffiles lists: dpkg waits for it for good", input.Quote(h.name)))
	case h.kind == '3' || h.kind == '4':
		return tarProblem(fmt.Sprintf("has a device %s, which conffiles lists: dpkg reads it to its end", input.Quote(h.name)))
	case h.kind == '5' && !commonFolders[cleanPath(name)]:
		return tarProblem(fmt.Sprintf("has a folder %s, which conffiles lists: it takes files only", input.Quote(h.name)))
	}
	return nil
}

// commonFolders are folders of every system. dpkg warns of them in conffiles, and continues.
var commonFolders = func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(`. bin boot dev etc etc/alternatives etc/cron.d etc/cron.daily etc/cron.hourly etc/cron.monthly
		etc/cron.weekly etc/default etc/init.d etc/ld.so.conf.d etc/logrotate.d etc/opt etc/pam.d etc/profile.d etc/security etc/skel
		etc/systemd etc/systemd/system home lib media mnt opt root run sbin srv sys tmp usr usr/bin usr/games usr/include usr/lib
		usr/libexec usr/local usr/sbin usr/share usr/share/doc usr/share/man usr/src var var/cache var/lib var/local var/log var/mail
		var/opt var/spool var/tmp`) {
		all[name] = true
	}
	all[""] = true
	return all
}()

// errLine is wrapped by the errors of lines that dpkg cannot read.
var errLine = errors.New("line")

// readLines calls f with each line, without its newline. most is the longest line, in bytes with its newline.
func readLines(r io.Reader, most int, f func(line string) error) error {
	b := bufio.NewReaderSize(r, max(most, 16))
	for n := 1; ; n++ {
		line, err := b.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err != nil && err != io.EOF && err != bufio.ErrBufferFull:
			return err
		case err == bufio.ErrBufferFull || len(line) > most:
			return fmt.Errorf("%w %d, %s, is longer than %d bytes", errLine, n, input.Quote(line), most)
		case bytes.IndexByte(line, 0) >= 0:
			return fmt.Errorf("%w %d, %s, has a NUL byte", errLine, n, input.Quote(line))
		case err == io.EOF:
			return fmt.Errorf("%w %d, %s, the last one, has no newline at its end", errLine, n, input.Quote(line))
		}
		if err := f(string(line[:len(line)-1])); err != nil {
			return fmt.Errorf("%w %d is %s; %w", errLine, n, input.Quote(line), err)
		}
	}
}

// listingRejection is the rejection of a conffiles or triggers member that cannot be read.
func listingRejection(name string, err error) error {
	if errors.Is(err, errLine) {
		return input.Reject(catalog.Malformed, "dpkg cannot read %s in control.tar: %s", name, err)
	}
	return unpackRejection(err, "control.tar ends inside %s; rebuild the package with dpkg-deb", name)
}

// maxLinks is the number of symbolic links that are followed one after the other: the limit of Linux.
const maxLinks = 40

// recordLink records the target of a symbolic link, if there are conffiles.
func (t *fileTree) recordLink(place, to string) {
	if len(t.conffiles.marked) == 0 || len(t.links) >= maxNames {
		return
	}
	if !strings.HasPrefix(to, "/") {
		to = "/" + path.Dir(place) + "/" + to
	}
	t.links[hashName(place)] = hashName(path.Clean(to)[1:])
}

// resolve returns what dpkg finds at a path after it has made all symbolic links, or 0 if that is not known.
func (t *fileTree) resolve(place string) nodeKinds {
	key := hashName(place)
	for range maxLinks {
		k := t.names[key]
		if k&isFolder != 0 || k == 0 && commonFolderKeys[key] {
			return isFolder
		}
		to, link := t.links[key]
		if k&isSymlink == 0 || !link {
			return k
		}
		key = to
	}
	return 0
}

var commonFolderKeys = func() map[uint64]bool {
	keys := map[uint64]bool{}
	for name := range commonFolders {
		keys[hashName(name)] = true
	}
	return keys
}()

// checkConfigure returns a [tarProblem] if dpkg cannot configure the package (src/main/configure.c,
// deferred_configure_conffile). If data.tar was not read to its end, it checks the members that were read.
func (t *fileTree) checkConfigure() error {
	for line := range strings.Lines(t.conffiles.paths) {
		name := strings.TrimSuffix(line, "\n")
		for depth, i := 0, strings.LastIndexByte(name, '/'); i > 0 && depth < maxDepth; depth, i = depth+1, strings.LastIndexByte(name[:i], '/') {
			if above := t.resolve(cleanPath(name[:i])); above&isFolder == 0 && above&(isFile|isNode) != 0 {
				return tarProblem(fmt.Sprintf("has a file %s, and conffiles lists %s, as if that were a folder", input.Quote("/"+name[:i]), input.Quote("/"+name)))
			}
		}
		if !t.linkNamed(name) {
			continue
		}
		switch to := t.resolve(cleanPath(name)); {
		case to&isFolder != 0:
			return tarProblem(fmt.Sprintf("has a symbolic link %s to a folder, which conffiles lists: it takes files only", input.Quote("/"+name)))
		case to&isNode != 0 && to&(isFile|isSymlink) == 0:
			return tarProblem(fmt.Sprintf("has a symbolic link %s to a pipe or device, which conffiles lists: dpkg reads it to its end", input.Quote("/"+name)))
		}
	}
	return nil
}

// linkNamed reports whether the archive has a symbolic link with exactly this name.
func (t *fileTree) linkNamed(name string) bool {
	k := t.names[hashName(name)]
	return k&isSymlink != 0 && (k&isExact != 0 || cleanPath(name) != name)
}
