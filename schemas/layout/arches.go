package layout

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

//go:embed arches.json
var builtinArches []byte

// rpmArches are what RPM clients know of architectures.
var rpmArches = func() (a struct {
	Known  []string            // by rpm (rpmrc) or dnf (libsolv, _BASEARCH_MAP)
	Others map[string][]string // names of other systems and tools, by the one of RPM
}) {
	if err := json.Unmarshal(builtinArches, &a); err != nil {
		panic(err) // the embedded file is ours
	}
	return a
}()

// KnownRPMArch reports whether RPM clients of some system can install packages of an architecture: rpm and dnf know it.
// They know "amd64" for x86_64 half: rpm installs it, dnf does not see it.
func KnownRPMArch(arch string) bool { return slices.Contains(rpmArches.Known, arch) }

// RPMArchOf returns the architecture that arch is another name of, such as x86_64 for "amd64" or "X86-64", or "" if
// arch is known or nothing like any.
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
