package tree

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// maxLine bounds one withdrawn package in a list, in bytes.
const maxLine = 1 << 20

// WithdrawnPrefix is what the keys of a release's lists begin with.
func WithdrawnPrefix(r catalog.Release) string { return layout.HistoryPrefix(r) + "yanked-" }

// Withdrawn yields the packages in the list that a manifest names; none if it names none.
func Withdrawn(ctx context.Context, b Reader, m Manifest) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		if m.Yanked == nil {
			return
		}
		in, err := OpenPacked(ctx, b, *m.Yanked)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		defer in.Close()
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			var k catalog.Package
			err := json.Unmarshal(lines.Bytes(), &k)
			if !yield(k, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(catalog.Package{}, fmt.Errorf("read %s: %w", m.Yanked.Key, err))
		}
	}
}

// IsKeyOf reports whether a package can lie under a key.
func IsKeyOf(key string, k catalog.Package) bool {
	if k.Format == catalog.DEB {
		return k.Component != "" && key == layout.PoolKey(k)
	}
	dir, _, _ := strings.Cut(strings.TrimPrefix(key, k.Repository.String()+"/"+k.Distribution.String()+"/"), "/")
	own := k.Arch == layout.Noarch && layout.ValidArch(dir) || dir == layout.RPMDirOf(k.Arch) || k.Multilib && dir == layout.X86
	return own && key == layout.RPMKey(k, dir)
}
