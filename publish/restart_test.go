package publish_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
)

// A restarting process publishes with one folder of rendered indexes.
type restarting struct {
	w     *world
	dir   string
	limit int64
	*publish.Publisher
}

func newRestarting(w *world, dir string) *restarting {
	r := &restarting{w: w, dir: dir}
	r.start()
	return r
}

func (r *restarting) start() {
	c := r.w.config()
	c.CacheDir, c.CacheSize = r.dir, r.limit
	r.Publisher = newPublisher(r.w.t, c)
}

// restart ends the process in good order and starts the next one.
func (r *restarting) restart() { r.Close(); r.start() }

// kill starts the next process with the folder as it is now.
func (r *restarting) kill() {
	r.w.t.Helper()
	left, old := filepath.Join(r.w.t.TempDir(), "left"), r.Publisher
	if err := os.CopyFS(left, os.DirFS(r.dir)); err != nil {
		r.w.t.Fatal(err)
	}
	old.Close()
	r.dir = left
	r.start()
}

// publish publishes releases and fails unless clients see what the rows render to.
func (r *restarting) publish(releases ...catalog.Release) {
	r.w.t.Helper()
	for _, one := range releases {
		r.w.later()
		publishWith(r.w.t, r.Publisher, one)
		r.w.check(one)
		other := r.w.publisher()
		res, err := other.Reindex(r.w.t.Context(), one, publish.Reindexing{DryRun: true})
		if err != nil || res.Different {
			r.w.t.Errorf("%s: what was published is not what the rows render to: %q, %v", one, res.Files, err)
		}
	}
}

// files returns the paths of saved files that end so.
func (r *restarting) files(suffix string) []string {
	r.w.t.Helper()
	all, err := filepath.Glob(filepath.Join(r.dir, "renderings", "[0-9a-f]*"+suffix))
	if err != nil {
		r.w.t.Fatal(err)
	}
	return all
}

// size returns the bytes of all saved files.
func (r *restarting) size() (n int64) {
	for _, path := range r.files("") {
		if info, err := os.Stat(path); err == nil {
			n += info.Size()
		}
	}
	return n
}

// many makes n packages of a release, whose names begin so.
func many(w *world, r catalog.Release, name string, n int) (all []upload) {
	for i := range n {
		all = append(all, w.some(r, fmt.Sprintf("%s%03d", name, i)))
	}
	return all
}

// breakRows makes the index entries of packages unreadable whose names are before another one.
func (w *world) breakRows(before string) {
	for _, column := range []string{"stanza", "primary_xml", "filelists_xml", "other_xml"} {
		w.database(`UPDATE packages SET `+column+` = X'00' WHERE `+column+` IS NOT NULL AND name < ?`, before)
	}
}

// segmentStarts returns the names of the packages that start the second segment and later ones of an index with these rows.
func segmentStarts(t *testing.T, rows []catalog.Package) (names []string) {
	t.Helper()
	for _, k := range rows[1:] {
		if gzipmember.Boundary([]byte(k.Name), []byte(k.Canonical), []byte(k.Arch)) {
			names = append(names, k.Name)
		}
	}
	if len(names) == 0 {
		t.Fatal("the rows are in one segment")
	}
	return names
}

// A process that starts with the folder of another one reads the rows that have changed since and those of their segments, and no others.
func TestRestartReadsNoOtherRows(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		for how, next := range map[string]func(*restarting){"ended": (*restarting).restart, "killed": (*restarting).kill} {
			t.Run(r.Distribution.OS+"/"+how, func(t *testing.T) {
				w := newWorld(t)
				w.push(many(w, r, "a", 400)...)
				p := newRestarting(w, t.TempDir())
				p.publish(r)
				w.push(w.some(r, "z1"))
				p.publish(r)
				next(p)
				starts := segmentStarts(t, w.rows(r))
				w.breakRows(starts[len(starts)-1])
				w.push(w.some(r, "z2"))
				w.later()
				if _, err := w.publisher().Release(t.Context(), r); err == nil {
					t.Fatal("a process without the folder did not read the broken rows")
				}
				if _, err := p.Release(t.Context(), r); err != nil {
					t.Errorf("rows that had not changed were read: %v", err)
				}
				w.check(r)
				if says := w.log.String(); says != "" {
					t.Errorf("logged was %s", says)
				}
			})
		}
	}
}

// What was done to the folder makes the next publish slower and never wrong, and the log says it once.
func TestRestartWithADamagedFolder(t *testing.T) {
	skipUnderRace(t)
	overwrite := func(at float64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			if err == nil {
				b[int(at*float64(len(b)-1))] ^= 1
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	truncate := func(t *testing.T, path string) {
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	const again, none, any = "a saved rendering is not used", "", "any" // any: what was damaged may be a text that is rendered again without being read
	for _, tt := range []struct {
		fact, suffix string
		damage       func(*testing.T, string)
		says         string
	}{
		{"the begin of the segments is other", ".segments", overwrite(0), any},
		{"the middle of the segments is other", ".segments", overwrite(0.5), any},
		{"the end of the segments is other", ".segments", overwrite(1), any},
		{"the segments are short", ".segments", truncate, again},
		{"the segments are gone", ".segments", remove, none},
		{"the begin of the description is other", ".rendering", overwrite(0), again},
		{"the middle of the description is other", ".rendering", overwrite(0.5), again},
		{"the end of the description is other", ".rendering", overwrite(1), again},
		{"the description is short", ".rendering", truncate, again},
		{"the description is gone", ".rendering", remove, none},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			w := newWorld(t)
			releases := []catalog.Release{jammy, el9}
			p := newRestarting(w, t.TempDir())
			for _, r := range releases {
				w.push(many(w, r, "a", 200)...)
				p.publish(r)
			}
			p.Close()
			for _, path := range p.files(tt.suffix) {
				tt.damage(t, path)
			}
			p.start()
			for _, r := range releases {
				w.push(w.some(r, "a0000")) // before all others, so that all texts are read
			}
			p.publish(releases...)
			says := w.log.String()
			if n := strings.Count(says, again); n > 1 || tt.says == again && n == 0 || tt.says == none && n > 0 {
				t.Errorf("logged was %s", says)
			}
			p.restart()
			for _, r := range releases {
				w.push(w.some(r, "b"))
			}
			p.publish(releases...)
		})
	}
}

// Texts that were read from the folder are verified also if they are read long after the start.
func TestRestartVerifiesTextsWhenTheyAreRead(t *testing.T) {
	w := newWorld(t)
	w.push(many(w, jammy, "a", 400)...)
	p := newRestarting(w, t.TempDir())
	p.publish(jammy)
	p.Close()
	path := p.files(".segments")[0]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	starts := segmentStarts(t, w.rows(jammy))
	if len(starts) < 2 {
		t.Fatal("the second segment is the last one")
	}
	at := strings.Index(string(b), "Package: "+starts[0]+"\n")
	if at < 0 {
		t.Fatal("the texts are not in the file")
	}
	copy(b[at:], "Package: evil")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	w.push(w.some(jammy, "z")) // in the last segment
	p.publish(jammy)
	w.push(w.some(jammy, "0first")) // in the first one
	p.publish(jammy)
	if says := w.log.String(); strings.Count(says, "a saved rendering is not used") != 1 {
		t.Errorf("logged was %s", says)
	}
}

// A folder of another catalog, of a file instead of a folder, and one that another process has are not used.
func TestRestartWithoutTheFolder(t *testing.T) {
	w := newWorld(t)
	w.push(w.some(jammy, "hello"))
	p := newRestarting(w, t.TempDir())
	p.publish(jammy)
	second := newRestarting(w, p.dir)
	for _, name := range []string{"one", "two"} {
		w.push(w.some(jammy, name))
		second.publish(jammy)
	}
	if says := w.log.String(); strings.Count(says, "another process uses the folder") != 1 {
		t.Errorf("with a second process logged was %s", says)
	}
	p.Close()
	w.push(w.some(el9, "hello"))
	second.publish(el9)
	second.Close()
	if n := len(second.files(".rendering")); n != 2 {
		t.Errorf("the second process has saved %d renderings in all once the first one had ended, want 2", n)
	}
	w.database(`DELETE FROM secrets`)
	p.start()
	w.push(w.some(jammy, "three"))
	p.publish(jammy)
	if says := w.log.String(); strings.Count(says, "not saved with this catalog") != 1 {
		t.Errorf("with another catalog logged was %s", says)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"four", "five"} {
		w.push(w.some(jammy, name), w.some(el9, name))
		p.publish(jammy, el9)
	}
	p.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p = newRestarting(w, file)
	for _, name := range []string{"six", "seven"} {
		w.push(w.some(jammy, name))
		p.publish(jammy)
	}
	if says := w.log.String(); strings.Count(says, "renderings are not saved") != 2 { // of the second process, and of the file
		t.Errorf("with a file logged was %s", says)
	}
}

// The folder keeps to its limit, also one that an earlier process has filled: the least recently used renderings go.
func TestRestartKeepsToTheLimit(t *testing.T) {
	skipUnderRace(t)
	w := newWorld(t)
	releases := []catalog.Release{jammy, el9}
	for _, arch := range []string{"aarch64", "ppc64le", "s390x"} {
		w.declare(el9, "", arch)
		releases = append(releases, in(el9, arch))
	}
	for _, r := range releases {
		w.push(many(w, r, "a", 100)...)
	}
	p := newRestarting(w, t.TempDir())
	p.publish(releases...)
	all := p.size()
	p.Close()
	p.limit = all / 2
	p.start()
	w.push(w.some(el9, "b"))
	p.publish(el9)
	if size := p.size(); size > p.limit || size == 0 {
		t.Errorf("%d bytes are in the folder, the limit is %d", size, p.limit)
	}
	p.publish(releases...)
	p.Close()
	if size := p.size(); size > p.limit || size == 0 {
		t.Errorf("after all were published %d bytes are in the folder, the limit is %d", size, p.limit)
	}
	p.limit = 1
	p.start()
	w.push(w.some(el9, "c"))
	p.publish(el9)
	if n := p.size(); n != 0 {
		t.Errorf("%d bytes are in a folder of which one byte is wanted", n)
	}
}

// With pushes, withdrawals, ends, kills and reindexes between the publishes, clients see what the rows render to, and nothing is left over.
func TestRestartAtRandom(t *testing.T) {
	skipUnderRace(t)
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t)
			r := []catalog.Release{jammy, el9}[seed%2]
			live := many(w, r, "m", 300)
			w.push(live...)
			p := newRestarting(w, t.TempDir())
			for n := range 24 {
				p.SetSlack(int64(random.IntN(2)) << 20)
				for range random.IntN(8) {
					if random.IntN(3) > 0 || len(live) == 0 {
						u := w.some(r, fmt.Sprintf("%c%d", 'a'+rune(random.IntN(26)), n*100+len(live)))
						if !slices.ContainsFunc(live, func(o upload) bool { return o.row.Name == u.row.Name }) {
							w.push(u)
							live = append(live, u)
						}
						continue
					}
					i := random.IntN(len(live))
					w.yank(live[i])
					live = slices.Delete(live, i, i+1)
				}
				p.publish(r)
				switch random.IntN(6) {
				case 0:
					p.restart()
				case 1:
					p.kill()
				case 2:
					w.later()
					if _, err := p.Reindex(t.Context(), r, publish.Reindexing{}); err != nil {
						t.Fatal(err)
					}
				case 3: // another machine publishes
					w.push(w.some(r, fmt.Sprintf("other%d", n)))
					w.later()
					w.publish(r)
				}
			}
			p.restart()
			p.publish(r)
			if got := len(p.files("")); got != 2 {
				t.Errorf("the folder has %q", p.files(""))
			}
			if says := w.log.String(); strings.Contains(says, "rendering") {
				t.Errorf("logged was %s", says)
			}
		})
	}
}
