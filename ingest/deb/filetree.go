package deb

import (
	"fmt"
	"hash/maphash"
	"path"
	"strings"

	"repomill/ingest/input"
)

// The longest names that systems of clients accept. dpkg writes a file as NAME.dpkg-new, and then renames it.
const (
	maxPath      = 4095 // bytes of a path, and of the target of a symbolic link
	maxComponent = 255
	tempSuffix   = len(".dpkg-new")
)

// maxNames is the largest number of names of data.tar that are kept: some 40 bytes each, 20 MiB in all. An archive
// may have more; whether those lie under a file, or hard links lead to them, is not checked.
const maxNames = 1 << 19

// maxDepth is the number of folders above a file that are checked, from the file on.
const maxDepth = 16

// nodeKinds are the kinds of members that an archive had so far at one path.
type nodeKinds uint8

const (
	isFolder  nodeKinds = 1 << iota
	isFile              // or a hard link: dpkg wrote it as NAME.dpkg-new, and renames it at the end
	isSymlink           // dpkg makes them all at the end
	isNode              // a pipe or a device
	hasFiles            // files or symbolic links are under it
	isExact             // a file or symbolic link is spelled exactly as its path; dpkg compares spellings
	isOther             // one has another spelling of the path
)

// A fileTree records the names of an archive, as hashes with a random seed, and finds members that stop dpkg
// (src/main/archives.c, tarobject) on a system that has nothing at these paths yet.
type fileTree struct {
	names         map[uint64]nodeKinds // by clean path, and by name as it is spelled
	links         map[uint64]uint64    // of symbolic links, by clean path: the clean path of the target
	conffiles     conffiles
	hasTempFolder bool // there is a folder NAME.dpkg-new with files under it
}

func newFileTree(c conffiles) *fileTree {
	return &fileTree{names: map[uint64]nodeKinds{}, links: map[uint64]uint64{}, conffiles: c}
}

var hashSeed = maphash.MakeSeed()

func hashName(name string) uint64 { return maphash.String(hashSeed, name) }

// dpkgName returns a name as dpkg stores it: without slashes and "./" at its start (lib/dpkg/path.c).
func dpkgName(name string) string {
	for strings.HasPrefix(name, "/") || strings.HasPrefix(name, "./") {
		name = name[1:]
	}
	return name
}

// cleanPath returns the path to which a name of [dpkgName] leads, in its shortest spelling; "" is the outermost
// folder.
func cleanPath(name string) string {
	if !strings.Contains(name, "//") && !strings.Contains("/"+name+"/", "/./") && !strings.Contains("/"+name+"/", "/../") && !strings.HasSuffix(name, "/") {
		return name
	}
	return path.Clean("/" + name)[1:]
}

// add checks the next member and records it. The error is a [tarProblem].
func (t *fileTree) add(h tarHeader) error {
	name := h.name
	if h.kind == '5' || h.kind == '0' || h.kind == 0 {
		name = strings.TrimSuffix(name, "/")
	}
	if name = dpkgName(name); strings.Contains(name, "\n") {
		return tarProblem(fmt.Sprintf("has a name with a newline, %s; rename the file", input.Quote(h.name)))
	}
	if err := checkPath(name); err != nil {
		return err
	}
	if h.kind == '2' && (h.link == "" || len(h.link) > maxPath) {
		return tarProblem(fmt.Sprintf("has a symbolic link %s to a name of %d bytes, and systems take 1 to %d", input.Quote(h.name), len(h.link), maxPath))
	}
	if err := t.conffiles.check(name, h); err != nil {
		return err
	}
	if name == "" || name == "." {
		if h.kind != '5' && h.kind != '2' {
			return tarProblem("has a file in the place of the outermost folder")
		}
		return nil
	}
	if h.kind == '1' {
		if err := t.checkLink(h); err != nil {
			return err
		}
	}
	if err := t.checkAbove(name, h); err != nil {
		return err
	}
	if last := name[strings.LastIndexByte(name, '/')+1:]; last == "" || last == "." || last == ".." {
		return t.checkUnfinishedName(name, h)
	}
	return t.record(name, h)
}

// checkUnfinishedName checks a member whose name, after dpkg removed one slash, ends in a slash, "." or "..". dpkg
// keeps the folder to which it leads if that exists. Otherwise it would make "NAME/.dpkg-new", and fail.
func (t *fileTree) checkUnfinishedName(name string, h tarHeader) error {
	there := t.hasFolder(cleanPath(name)) && t.hasFolder(cleanPath(name[:max(0, strings.LastIndexByte(name, '/'))]))
	if there && (h.kind == '5' || h.kind == '2') {
		return nil
	}
	return tarProblem(fmt.Sprintf("has a member %s, whose name ends in a slash, '.' or '..' that dpkg does not remove; name it %s", input.Quote(h.name), input.Quote("./"+cleanPath(name))))
}

// hasFolder reports whether dpkg finds a folder at this path when it unpacks the next member.
func (t *fileTree) hasFolder(place string) bool {
	return commonFolders[place] || t.names[hashName(place)]&isFolder != 0 || t.full()
}

// checkPath returns a [tarProblem] if dpkg cannot write a file with this name on a system whose outermost folder is
// "/".
func checkPath(name string) error {
	if len("/")+len(name)+tempSuffix > maxPath {
		return tarProblem(fmt.Sprintf("has a path of %d bytes, %s, and dpkg can write up to %d", len(name), input.Quote(name), maxPath-tempSuffix-len("/")))
	}
	last := name[strings.LastIndexByte(name, '/')+1:]
	if len(last)+tempSuffix > maxComponent {
		return tarProblem(fmt.Sprintf("has a file name of %d bytes, %s, and dpkg can write up to %d; shorten it", len(last), input.Quote(last), maxComponent-tempSuffix))
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > maxComponent {
			return tarProblem(fmt.Sprintf("has a folder name of %d bytes, %s, and systems take %d; shorten it", len(part), input.Quote(part), maxComponent))
		}
	}
	return nil
}

// checkLink returns a [tarProblem] if dpkg cannot make a hard link. Its target must be a file before it in the
// archive, with the same spelling, or a pipe or a device.
func (t *fileTree) checkLink(h tarHeader) error {
	name := dpkgName(h.link)
	place := cleanPath(name)
	to, known := t.names[hashName(place)]
	file := to&isFile != 0 && to&isExact != 0
	if place != name {
		file = t.names[hashName(name)]&isFile != 0
	}
	switch {
	case name == dpkgName(h.name):
		return tarProblem(fmt.Sprintf("has a hard link %s to itself", input.Quote(h.name)))
	case file, to&isNode != 0 && !strings.HasSuffix(name, "/"), !known && t.full():
		return nil
	case to&isFolder != 0 || place == "":
		return tarProblem(fmt.Sprintf("has a hard link %s to %s, which is a folder", input.Quote(h.name), input.Quote(h.link)))
	case to&isSymlink != 0:
		return tarProblem(fmt.Sprintf("has a hard link %s to the symbolic link %s, which dpkg makes after it", input.Quote(h.name), input.Quote(h.link)))
	case to&isFile != 0:
		return tarProblem(fmt.Sprintf("has a hard link %s to the file %s, which it has under another spelling of that name", input.Quote(h.name), input.Quote(h.link)))
	}
	return tarProblem(fmt.Sprintf("has a hard link %s to %s, and no file of that name before it", input.Quote(h.name), input.Quote(h.link)))
}

func (t *fileTree) full() bool { return len(t.names) >= maxNames }

// usrMerged are folders that current systems have as symbolic links into /usr. dpkg unpacks files under them even if
// the package has such a link itself.
var usrMerged = map[string]bool{"bin": true, "sbin": true, "lib": true, "lib32": true, "lib64": true, "libx32": true, "libo32": true}

// checkAbove returns a [tarProblem] if a folder above a member is another member and not a folder. Systems may have
// folders that the archive does not have.
func (t *fileTree) checkAbove(name string, h tarHeader) error {
	atOnce := h.kind >= '3' // folders, pipes and devices, which dpkg does not rename at the end
	odd := cleanPath(name) != name
	for depth, i := 0, strings.LastIndexByte(name, '/'); i > 0 && depth < maxDepth; depth, i = depth+1, strings.LastIndexByte(name[:i], '/') {
		place := cleanPath(name[:i])
		if place == "" {
			continue
		}
		key := hashName(place)
		above := t.names[key]
		folder := above&isFolder != 0
		if !folder && (above&(isFile|isNode) != 0 || above&isSymlink != 0 && !usrMerged[place]) {
			return tarProblem(fmt.Sprintf("has %s under %s, which is not a folder", input.Quote(h.name), input.Quote(place)))
		}
		if inTheWay := strings.HasSuffix(place, ".dpkg-new"); inTheWay && !atOnce {
			t.hasTempFolder = true
			if t.names[hashName(strings.TrimSuffix(place, ".dpkg-new"))]&(isFile|isSymlink) != 0 {
				return tempNameConflict(place)
			}
		}
		if !odd && folder && (atOnce || above&hasFiles != 0) {
			return nil // the folders above it were checked
		}
		if !atOnce {
			t.set(key, above|hasFiles)
		}
	}
	return nil
}

// tempNameConflict is the problem of a folder NAME.dpkg-new with files in it: dpkg removes it when it writes NAME.
func tempNameConflict(place string) error {
	return tarProblem(fmt.Sprintf("has files under %s, which is the name under which dpkg writes another member first; rename the folder", input.Quote(place)))
}

// record adds a member to the names. It returns a [tarProblem] if the member replaces another that dpkg then does not
// find.
func (t *fileTree) record(name string, h tarHeader) error {
	place := cleanPath(name)
	key := hashName(place)
	was := t.names[key]
	if h.kind < '3' {
		if err := t.checkSpelling(name, place, h); err != nil {
			return err
		}
		if place == name {
			was |= isExact
		} else {
			was |= isOther
		}
	}
	if t.hasTempFolder && t.names[hashName(place+".dpkg-new")]&hasFiles != 0 && (h.kind != '5' || was&isFolder == 0) {
		return tempNameConflict(place + ".dpkg-new")
	}
	under := was&hasFiles != 0
	switch h.kind {
	case '2':
		if under && was&isFolder == 0 && !usrMerged[place] {
			return tarProblem(fmt.Sprintf("has a symbolic link %s with files under it", input.Quote(h.name)))
		}
		t.set(key, was|isSymlink)
		t.recordLink(place, h.link)
	case '5':
		if was&isFile != 0 {
			return tarProblem(fmt.Sprintf("has %s as a file, and then as a folder", input.Quote(h.name)))
		}
		t.set(key, was&^isNode|isFolder)
	default:
		node := h.kind != 0 && h.kind != '0' && h.kind != '1'
		switch {
		case under:
			return tarProblem(fmt.Sprintf("has %s as a file, with files under it", input.Quote(h.name)))
		case node && was&isFile != 0:
			return tarProblem(fmt.Sprintf("has %s as a file, and then as a pipe or device", input.Quote(h.name)))
		case node:
			t.set(key, was&(isSymlink|isExact|isOther)|isNode)
		default:
			t.set(key, was&(isSymlink|isExact|isOther)|isFile)
		}
	}
	return nil
}

// checkSpelling returns a [tarProblem] if a file or symbolic link occurs under two spellings of its path: dpkg would
// not find the second when it renames NAME.dpkg-new.
func (t *fileTree) checkSpelling(name, place string, h tarHeader) error {
	was := t.names[hashName(place)]
	again := was&isOther != 0
	if name != place {
		key := hashName(name)
		again = was&isExact != 0 || was&isOther != 0 && t.names[key] == 0
		kind := isFile
		if h.kind == '2' {
			kind = isSymlink
		}
		t.set(key, t.names[key]|kind)
	}
	if !again {
		return nil
	}
	return tarProblem(fmt.Sprintf("has %s under two spellings of its name, and dpkg does not find it under the second", input.Quote(h.name)))
}

// set records the kinds of a name, up to maxNames names.
func (t *fileTree) set(key uint64, s nodeKinds) {
	if _, known := t.names[key]; known || !t.full() {
		t.names[key] = s
	}
}
