package publish_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
	"repomill/schemas/layout"
)

// entry makes an upload of which there is enough for an index, and a file that is not looked into.
func entry(r catalog.Release, name, component, arch string, size int) upload {
	u := row(name)
	k := &u.row
	k.Distribution, k.Arch, k.Component = r.Distribution, arch, component
	k.SortKey = []byte(name + "\x00" + arch)
	padding := strings.Repeat("x"+name, size/(len(name)+1))
	if r.Arch == "" {
		k.Stanza = fmt.Appendf(nil, "Package: %s\nArchitecture: %s\nDescription: %s\n", name, arch, padding)
		k.Key = layout.PoolKey(*k)
		return u
	}
	k.Format, k.Stanza, k.Component = catalog.RPM, nil, ""
	k.Primary = fmt.Appendf(nil, "<package type=\"rpm\">%s</package>\n", name)
	k.Filelists = fmt.Appendf(nil, "<package pkgid=\"%s\">%s</package>\n", name, padding)
	k.Other = fmt.Appendf(nil, "<package pkgid=\"%s\"></package>\n", name)
	k.Key = layout.RPMKey(*k, layout.RPMDirs(*k, []string{"aarch64"})[0])
	return u
}

// A history is what happens to a release, at random.
type history struct {
	w       *world
	r       catalog.Release
	random  *rand.Rand
	live    []upload
	yanked  []upload
	made    int
	arches  []string
	biggest int // bytes of one text in twelve
}

func (h *history) some(n int) (all []upload) {
	for range n {
		h.made++
		name := fmt.Sprintf("p%03d-%d", h.random.IntN(1000), h.made)
		component := []string{"main", "contrib"}[h.random.IntN(2)]
		size := 0
		if h.random.IntN(12) == 0 {
			size = h.biggest
		}
		all = append(all, entry(h.r, name, component, h.arches[h.random.IntN(len(h.arches))], size))
	}
	return all
}

// step lets some packages come, or one go, or come back.
func (h *history) step() {
	switch n := h.random.IntN(10); {
	case n < 5 || len(h.live) == 0:
		some := h.some(1 + h.random.IntN(3))
		h.w.push(some...)
		h.live = append(h.live, some...)
	case n < 8 || len(h.yanked) == 0:
		i := h.random.IntN(len(h.live))
		h.w.yank(h.live[i])
		h.yanked = append(h.yanked, h.live[i])
		h.live = append(h.live[:i:i], h.live[i+1:]...)
	default:
		h.w.unyank(h.yanked[len(h.yanked)-1])
		h.live = append(h.live, h.yanked[len(h.yanked)-1])
		h.yanked = h.yanked[:len(h.yanked)-1]
	}
}

// Packages are added and withdrawn in any order: a publisher that renders changes only and one that renders everything make the same
// bytes.
func TestFollowingReachesTheBytesOfAWholeRendering(t *testing.T) {
	skipUnderRace(t)
	for seed, r := range []catalog.Release{jammy, el9, jammy, el9} {
		t.Run(fmt.Sprint(seed, r), func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.declare(jammy, "contrib")
				h := &history{w: w, r: r, random: rand.New(rand.NewPCG(uint64(seed), 5)), arches: []string{"amd64", "arm64", "all"}}
				if r.Arch != "" {
					h.arches = []string{r.Arch, "noarch", "aarch64"}
				}
				if seed > 1 { // texts that are members of their own, few packages between them
					h.biggest = gzipmember.Oversized + 1
				}
				steps, begin := 20, 500
				if h.biggest > 0 {
					begin = 30
				}
				h.live = h.some(begin)
				w.push(h.live...)
				p := w.publisher()
				for range steps {
					for range 1 + h.random.IntN(4) {
						h.step()
					}
					if _, err := p.Release(t.Context(), r); err != nil {
						t.Fatal(err)
					}
					whole, err := w.publisher().Reindex(t.Context(), r, publish.Reindexing{DryRun: true})
					if err != nil || whole.Different || whole.Packages == 0 {
						t.Fatalf("rendered anew after %d packages: %+v, %v", h.made, whole, err)
					}
				}
			})
		})
	}
}

// Adding one package rewrites one segment of each index that has it, and no other object.
func TestOneMorePackageMakesOneSegment(t *testing.T) {
	skipUnderRace(t)
	simulate(t, func(t *testing.T, w *world) {
		h := &history{w: w, r: jammy, random: rand.New(rand.NewPCG(1, 2)), arches: []string{"amd64", "arm64", "all"}}
		w.declare(jammy, "contrib")
		w.push(h.some(700)...)
		p := w.publisher()
		publishWith(t, p, jammy)
		for range 5 {
			before := w.indexBytes(jammy)
			w.push(entry(jammy, fmt.Sprintf("p500-x%d", h.random.IntN(1000)), "main", "arm64", 0))
			w.bucket.Writes()
			publishWith(t, p, jammy)
			for _, key := range w.bucket.Writes() {
				if strings.Contains(key, "Packages") && !strings.Contains(key, "main/binary-arm64/") {
					t.Errorf("wrote %s", key)
				}
			}
			for key, index := range w.indexBytes(jammy) {
				was := members(t, before[key])
				fresh := 0
				for _, m := range members(t, index) {
					if !containsText(was, m) {
						fresh++
					}
				}
				if want := strings.Contains(key, "main/binary-arm64"); want && (fresh < 1 || fresh > 2) || !want && fresh > 0 {
					t.Errorf("%s has %d new members of %d", key, fresh, len(was))
				}
			}
		}
	})
}

func containsText(all []string, text string) bool {
	for _, s := range all {
		if s == text {
			return true
		}
	}
	return false
}

// indexBytes returns the plain-named indexes of a release.
func (w *world) indexBytes(r catalog.Release) map[string][]byte {
	all := map[string][]byte{}
	for _, key := range w.bucket.Keys() {
		if strings.HasPrefix(key, layout.DebDir(r)) && strings.HasSuffix(key, "/Packages.gz") {
			all[key] = bytes.Clone(w.bucket.Bytes(key))
		}
	}
	return all
}

func publishWith(t testing.TB, p *publish.Publisher, r catalog.Release) publish.Result {
	t.Helper()
	res, err := p.Release(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// What a publisher kept is of no use once rows were taken over from the bucket: it notices.
func TestKeptSegmentsDoNotOutliveARecovery(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			db := &struct{ publish.Catalog }{w.db}
			c := w.config()
			c.Catalog = db
			p := newPublisher(t, c)
			w.push(w.some(r, "one"))
			publishWith(t, p, r)
			backup := w.backup()
			db.Catalog = w.db
			w.push(w.some(r, "two"))
			w.publish(r)
			w.restore(backup)
			db.Catalog = w.db
			publishWith(t, p, r) // takes over "two"
			w.push(w.some(r, "three"))
			publishWith(t, p, r)
			if got := w.check(r); got.Packages != 3 {
				t.Errorf("%s has %d packages, want 3", r, got.Packages)
			}
		})
	}
}
