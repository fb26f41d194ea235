package deb

import (
	"fmt"
	"hash/maphash"
	"path"
	"strings"

	"repomill/ingest/input"
)

// What the systems of clients take. dpkg writes each file under its name with ".dpkg-new" behind it first.
const (
	maxPath      = 4095 // bytes of a path, and of the target of a symbolic link
	maxComponent = 255
	tempSuffix   = len(".dpkg-new")
)

// maxNames is of how many names of data.tar something is kept: some 40 bytes each, 20 MiB in all. An archive may have more;
// whether one of those lies under a file, or a hard link leads to one, is then not known.
const maxNames = 1 << 19

// maxDepth is how many folders above a file are looked at, from the file on.
const maxDepth = 16

// A nodeKinds is what an archive has had so far under a name.
type nodeKinds uint8

const (
	isFolder  nodeKinds = 1 << iota
	isFile              // or a hard link: dpkg has written it as NAME.dpkg-new, and renames it at the end
	isSymlink           // dpkg makes them all at the end
	isNode              // a pipe or a device
	hasFiles            // files or symbolic links lie under it
	isExact             // a file or symbolic link has exactly this name: dpkg knows names as they are written
	isOther             // one has another name for this place
)

// A fileTree knows the names of an archive, as numbers that no archive can foresee, and finds what would stop dpkg
// (src/main/archives.c, tarobject) on a system that has nothing under these names yet.
type fileTree struct {
	names         map[uint64]nodeKinds // by place, and by names as they are written
	links         map[uint64]uint64    // of symbolic links: the place that they lead to
	conffiles     conffiles
	hasTempFolder bool // files lie under a folder NAME.dpkg-new
}

func newFileTree(c conffiles) *fileTree {
	return &fileTree{names: map[uint64]nodeKinds{}, links: map[uint64]uint64{}, conffiles: c}
}

var hashSeed = maphash.MakeSeed()

func hashName(name string) uint64 { return maphash.String(hashSeed, name) }

// dpkgName returns a name as dpkg knows it: without slashes and "./" at its start (lib/dpkg/path.c).
func dpkgName(name string) string {
	for strings.HasPrefix(name, "/") || strings.HasPrefix(name, "./") {
		name = name[1:]
	}
	return name
}

// cleanPath returns the place that a name of [dpkgName] means on a file system, written in one way; "" is the outermost folder.
func cleanPath(name string) string {
	if !strings.Contains(name, "//") && !strings.Contains("/"+name+"/", "/./") && !strings.Contains("/"+name+"/", "/../") && !strings.HasSuffix(name, "/") {
		return name
	}
	return path.Clean("/" + name)[1:]
}

// add takes the next member, or says what is wrong with it.
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

// checkUnfinishedName takes a member whose name still ends in a slash, or in "." or "..": dpkg finds the folder that is meant, if
// it is there, and leaves it alone. Otherwise it would make "NAME/.dpkg-new".
func (t *fileTree) checkUnfinishedName(name string, h tarHeader) error {
	there := t.hasFolder(cleanPath(name)) && t.hasFolder(cleanPath(name[:max(0, strings.LastIndexByte(name, '/'))]))
	if there && (h.kind == '5' || h.kind == '2') {
		return nil
	}
	return tarProblem(fmt.Sprintf("has a member %s, of which dpkg does not take off all that is at the end of its name; name it %s", input.Quote(h.name), input.Quote("./"+cleanPath(name))))
}

// hasFolder reports whether a folder is in this place when dpkg comes to a member.
func (t *fileTree) hasFolder(place string) bool {
	return commonFolders[place] || t.names[hashName(place)]&isFolder != 0 || t.full()
}

// checkPath says whether dpkg could write a file of this name on a system whose outermost folder is "/".
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

// checkLink says whether dpkg could make a hard link: its target is a file of the archive, before it and under the same
// name, or a pipe or device, which dpkg has placed.
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

// usrMerged are what systems of today have as links into /usr: what a package has in them goes there, although it has the
// link, too.
var usrMerged = map[string]bool{"bin": true, "sbin": true, "lib": true, "lib32": true, "lib64": true, "libx32": true, "libo32": true}

// checkAbove says whether something is in the place of a folder above a member. Folders that the archive does not have,
// systems may have.
func (t *fileTree) checkAbove(name string, h tarHeader) error {
	placed := h.kind >= '3' // folders, pipes and devices: dpkg does not wait for the end with them
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
		if inTheWay := strings.HasSuffix(place, ".dpkg-new"); inTheWay && !placed {
			t.hasTempFolder = true
			if t.names[hashName(strings.TrimSuffix(place, ".dpkg-new"))]&(isFile|isSymlink) != 0 {
				return tempNameConflict(place)
			}
		}
		if !odd && folder && (placed || above&hasFiles != 0) {
			return nil // what is above it was looked at
		}
		if !placed {
			t.set(key, above|hasFiles)
		}
	}
	return nil
}

// tempNameConflict says that dpkg removes a folder with files in it, because it writes another member under that name first.
func tempNameConflict(place string) error {
	return tarProblem(fmt.Sprintf("has files under %s, which is the name under which dpkg writes another member first; rename the folder", input.Quote(place)))
}

// record notes a member, unless it takes the place of one that dpkg then does not find any more.
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

// checkSpelling says whether dpkg would have a file or symbolic link under two names, and not find it under the second any
// more when it takes ".dpkg-new" off.
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

// set keeps what is known of a name, as long as there is room.
func (t *fileTree) set(key uint64, s nodeKinds) {
	if _, known := t.names[key]; known || !t.full() {
		t.names[key] = s
	}
}
