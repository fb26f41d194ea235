package layout

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

//go:embed arches.json
var builtinArches []byte

// rpmArches are the architectures that RPM clients know.
var rpmArches = func() (a struct {
	Known  []string            // by rpm (rpmrc) or dnf (libsolv, _BASEARCH_MAP)
	Others map[string][]string // names of other systems and tools, by the one of RPM
}) {
	if err := json.Unmarshal(builtinArches, &a); err != nil {
		panic(err) // the embedded file is ours
	}
	return a
}()

// KnownRPMArch reports whether both rpm and dnf of some system can install packages of an architecture. "amd64" is not
// one: rpm installs it, dnf ignores it.
func KnownRPMArch(arch string) bool { return slices.Contains(rpmArches.Known, arch) }

// RPMArchOf returns the architecture of which arch is another name, such as x86_64 for "amd64" or "X86-64". It returns ""
// if arch is known to RPM clients, or is not such a name.
func RPMArchOf(arch string) string {
	if KnownRPMArch(arch) {
		return ""
	}
	folded := strings.ReplaceAll(strings.ToLower(arch), "-", "_")
	if KnownRPMArch(folded) {
		return folded
	}
	for right, others := range rpmArches.Others {
		if slices.Contains(others, folded) {
			return right
		}
	}
	return ""
}
