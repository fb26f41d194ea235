package deb

import (
	"fmt"
	"path"
	"strings"

	"repomill/ingest/input"
)

// maxLinks is how many symbolic links are followed from one to the next, as Linux does.
const maxLinks = 40

// follow notes where a symbolic link leads, for conffiles.
func (t *tree) follow(place, to string) {
	if len(t.conffiles.marked) == 0 || len(t.links) >= maxNames {
		return
	}
	if !strings.HasPrefix(to, "/") {
		to = "/" + path.Dir(place) + "/" + to
	}
	t.links[nameKey(place)] = nameKey(path.Clean(to)[1:])
}

// resolve returns what a place has when all symbolic links are made and followed; 0 if that is not known.
func (t *tree) resolve(place string) kinds {
	key := nameKey(place)
	for range maxLinks {
		k := t.names[key]
		if k&isFolder != 0 || k == 0 && commonKeys[key] {
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

var commonKeys = func() map[uint64]bool {
	keys := map[uint64]bool{}
	for name := range common {
		keys[nameKey(name)] = true
	}
	return keys
}()

// checkConfigure says what keeps dpkg from configuring a package all of whose members are there (src/main/configure.c,
// deferred_configure_conffile). Of an archive that was not read to its end it says what those members show.
func (t *tree) checkConfigure() error {
	for line := range strings.Lines(t.conffiles.paths) {
		name := strings.TrimSuffix(line, "\n")
		for depth, i := 0, strings.LastIndexByte(name, '/'); i > 0 && depth < maxDepth; depth, i = depth+1, strings.LastIndexByte(name[:i], '/') {
			if above := t.resolve(placeOf(name[:i])); above&isFolder == 0 && above&(isFile|isNode) != 0 {
				return tarProblem(fmt.Sprintf("has a file %s, and conffiles lists %s, as if that were a folder", input.Quote("/"+name[:i]), input.Quote("/"+name)))
			}
		}
		if !t.linkNamed(name) {
			continue
		}
		switch to := t.resolve(placeOf(name)); {
		case to&isFolder != 0:
			return tarProblem(fmt.Sprintf("has a symbolic link %s to a folder, which conffiles lists: it takes files only", input.Quote("/"+name)))
		case to&isNode != 0 && to&(isFile|isSymlink) == 0:
			return tarProblem(fmt.Sprintf("has a symbolic link %s to a pipe or device, which conffiles lists: dpkg reads it to its end", input.Quote("/"+name)))
		}
	}
	return nil
}

// linkNamed reports whether the archive has a symbolic link of exactly this name.
func (t *tree) linkNamed(name string) bool {
	k := t.names[nameKey(name)]
	return k&isSymlink != 0 && (k&isExact != 0 || placeOf(name) != name)
}
