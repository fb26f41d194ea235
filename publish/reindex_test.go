package publish_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func (w *world) reindex(r catalog.Release, how publish.Reindexing) publish.Reindexed {
	w.t.Helper()
	res, err := w.publisher().Reindex(w.t.Context(), r, how)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// state of all objects except those that every publish writes.
func (w *world) objects() map[string]string {
	all := map[string]string{}
	for _, key := range w.bucket.Keys() {
		all[key] = string(w.bucket.Bytes(key))
	}
	return all
}

// A reindex that finds everything as it should be writes nothing at all, whether it may or not.
func TestReindexOfTheSameWritesNothing(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "one"), w.some(r, "two"))
			want := w.publish(r).Revision
			time.Sleep(time.Minute)
			w.bucket.Writes()
			for _, dry := range []bool{true, false} {
				var steps []string
				got := w.reindex(r, publish.Reindexing{DryRun: dry, Progress: func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) }})
				if diff := cmp.Diff(publish.Reindexed{Release: r, Revision: want, Packages: 2}, got); diff != "" {
					t.Errorf("%s, dry %t (-want +got):\n%s", r, dry, diff)
				}
				if diff := cmp.Diff([]string{"1/2", "2/2"}, steps); diff != "" {
					t.Errorf("progress (-want +got):\n%s", diff)
				}
			}
			if wrote := w.bucket.Writes(); len(wrote) > 0 {
				t.Errorf("wrote %q", wrote)
			}
		})
	}
}

// A dry run reports the differences. A real run publishes them under the next revision.
func TestReindexPublishesWhatDiffers(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			gone := w.some(r, "gone")
			w.push(w.some(r, "one"), gone)
			before := w.publish(r).Revision
			w.forge(gone, "yanked") // as if an older program had not kept its books
			w.push(w.some(r, "two"))
			time.Sleep(time.Minute)
			was := w.objects()
			got := w.reindex(r, publish.Reindexing{DryRun: true})
			if !got.Different || got.Changed || got.Added != 1 || got.Removed != 1 || got.Bytes == 0 || len(got.Files) == 0 || got.Revision != before {
				t.Errorf("dry run: %+v", got)
			}
			if diff := cmp.Diff(was, w.objects()); diff != "" {
				t.Errorf("a dry run wrote (-before +after):\n%s", diff)
			}
			got = w.reindex(r, publish.Reindexing{})
			if !got.Different || !got.Changed || got.Packages != 2 || got.Revision.Number <= before.Number {
				t.Errorf("got %+v", got)
			}
			if got := w.check(r); got.Packages != 2 {
				t.Errorf("%d packages are published", got.Packages)
			}
		})
	}
}

// Other index bytes of the same rows, as another compressor makes them, get the next revision.
func TestReindexAfterAChangeOfTheRenderer(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			one := w.some(r, "one")
			w.push(one)
			before := w.publish(r).Revision
			w.rewrite(one) // the row is rendered in other words now
			time.Sleep(time.Minute)
			if got := w.publish(r); got.Changed {
				t.Errorf("a publish looked at rows that no revision is new for: %+v", got)
			}
			got := w.reindex(r, publish.Reindexing{})
			if !got.Different || !got.Changed || got.Revision.Number != before.Number+1 {
				t.Errorf("got %+v, before %s", got, before)
			}
		})
	}
}

// database lets a test do to the catalog what no program does.
func (w *world) database(query string, args ...any) {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query, args...); err != nil {
		w.t.Fatal(err)
	}
}

// frame returns text as the catalog keeps it.
func frame(text []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(text, nil)
}

func (w *world) forge(u upload, state string) {
	w.database(`UPDATE packages SET state = ?, yanked_at = 0 WHERE name = ?`, state, u.row.Name)
}

// rewrite changes what the row of a package says in an index.
func (w *world) rewrite(u upload) {
	w.t.Helper()
	text, column, from, to := u.row.Stanza, "stanza", "Description: ", "Description: rendered anew "
	if u.row.Format == catalog.RPM {
		text, column, from, to = u.row.Other, "other_xml", "</package>", "  <changelog author=\"jo\" date=\"1\">rendered anew</changelog>\n</package>"
	}
	other := strings.ReplaceAll(string(text), from, to)
	if other == string(text) {
		w.t.Fatalf("%q has no %s", text, from)
	}
	w.database(`UPDATE packages SET `+column+` = ? WHERE name = ?`, frame([]byte(other)), u.row.Name)
}

// Each of these faults is reported with its place, and nothing is changed.
func TestReindexRefuses(t *testing.T) {
	skipUnderRace(t)
	for name, tt := range map[string]struct {
		spoil func(w *world, u upload, r catalog.Release)
		says  func(w *world, u upload, r catalog.Release) []string
	}{
		"a missing file": {
			func(w *world, u upload, r catalog.Release) { w.bucket.Put(u.row.Key, nil) },
			func(w *world, u upload, r catalog.Release) []string { return []string{u.row.Key, "is missing", "yank"} },
		},
		"another file": {
			func(w *world, u upload, r catalog.Release) { w.bucket.Put(u.row.Key, []byte("something else")) },
			func(w *world, u upload, r catalog.Release) []string {
				return []string{u.row.Key, "has 14 bytes", fmt.Sprint(u.row.File.Size)}
			},
		},
		"a corrupt row": {
			func(w *world, u upload, r catalog.Release) {
				w.database(`UPDATE packages SET stanza = 'nonsense', primary_xml = 'nonsense' WHERE name = 'one'`)
			},
			func(w *world, u upload, r catalog.Release) []string {
				return []string{u.row.Name, u.row.Version, r.String(), "--from published"}
			},
		},
		"a row without an entry": {
			func(w *world, u upload, r catalog.Release) {
				w.database(`UPDATE packages SET stanza = NULL, primary_xml = NULL WHERE name = 'one'`)
			},
			func(w *world, u upload, r catalog.Release) []string { return []string{u.row.Name, "no index entry"} },
		},
		"a missing index": {
			func(w *world, u upload, r catalog.Release) { w.bucket.Put(listed(w, r)[0], nil) },
			func(w *world, u upload, r catalog.Release) []string {
				return []string{listed(w, r)[0], "is missing", "--repair"}
			},
		},
		"a damaged index": {
			func(w *world, u upload, r catalog.Release) {
				key := listed(w, r)[0]
				body := []byte(strings.Clone(string(w.bucket.Bytes(key))))
				body[len(body)-1] ^= 1
				w.bucket.Put(key, body)
			},
			func(w *world, u upload, r catalog.Release) []string { return []string{listed(w, r)[0], "SHA-256"} },
		},
		"a forged pointer": {
			func(w *world, u upload, r catalog.Release) {
				key := layout.PointerKey(r)
				w.bucket.Put(key, []byte(strings.Replace(string(w.bucket.Bytes(key)), "20", "19", 1)))
				for _, manifest := range w.manifests(r) {
					w.bucket.Put(manifest, nil)
				}
			},
			func(w *world, u upload, r catalog.Release) []string {
				return []string{layout.PointerKey(r), "does not verify"}
			},
		},
	} {
		for _, r := range []catalog.Release{jammy, el9} {
			t.Run(name+" of "+r.String(), func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					one := w.some(r, "one")
					w.push(one, w.some(r, "two"))
					w.publish(r)
					time.Sleep(time.Minute)
					tt.spoil(w, one, r)
					before := w.objects()
					for _, dry := range []bool{true, false} {
						_, err := w.publisher().Reindex(t.Context(), r, publish.Reindexing{DryRun: dry})
						for _, want := range tt.says(w, one, r) {
							if err == nil || !strings.Contains(err.Error(), want) {
								t.Errorf("got %v, want %q in it", err, want)
							}
						}
					}
					if diff := cmp.Diff(before, w.objects()); diff != "" {
						t.Errorf("objects changed (-before +after):\n%s", diff)
					}
				})
			})
		}
	}
}

func (w *world) manifests(r catalog.Release) (all []string) {
	for _, key := range w.bucket.Keys() {
		if strings.HasPrefix(key, layout.HistoryPrefix(r)) {
			all = append(all, key)
		}
	}
	return all
}

// An index file that is lost or damaged comes back from the rows, under the same name.
func TestReindexRepairs(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		for _, bytes := range [][]byte{nil, []byte("damaged")} {
			simulate(t, func(t *testing.T, w *world) {
				w.push(w.some(r, "one"))
				w.publish(r)
				time.Sleep(time.Minute)
				before := w.objects()
				for _, key := range listed(w, r) {
					w.bucket.Put(key, bytes)
				}
				w.bucket.Writes()
				got := w.reindex(r, publish.Reindexing{Repair: true})
				if got.Changed || got.Different || got.Repaired == 0 {
					t.Errorf("got %+v: the bytes are the same, and files were written anew", got)
				}
				if diff := cmp.Diff(before, w.objects()); diff != "" {
					t.Errorf("objects (-before +after):\n%s", diff)
				}
				w.check(r)
			})
		}
	}
}

// A reindex that loses two swaps to others locks the release; the others wait, and
// none of their packages is missing.
func TestReindexInsists(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.declare(jammy, "contrib")
			h := &history{w: w, r: r, random: rand.New(rand.NewPCG(7, 7)), arches: []string{"amd64"}}
			if r.Arch != "" {
				h.arches = []string{r.Arch}
			}
			rows := h.some(600) // so that what comes later is in other segments
			one := entry(r, "a-one", "main", "amd64", 0)
			if r.Arch != "" {
				one = entry(r, "a-one", "", r.Arch, 0)
			}
			w.push(one)
			w.push(rows...)
			c := w.config()
			c.Catalog = oldProgram{w.db}
			others := newPublisher(t, c)
			publishWith(t, others, r) // and keeps the segments
			time.Sleep(time.Minute)
			w.rewrite(one)
			var swaps atomic.Int32
			p := newPublisher(t, w.config())
			interfering, held := false, false
			w.bucket.Before("Swap", layout.PointerKey(r), func() {
				if interfering || held {
					return
				}
				interfering = true
				w.push(entry(r, fmt.Sprint("z-other", swaps.Add(1)), "main", h.arches[0], 0))
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				_, err := others.Release(ctx, r)
				interfering, held = false, err != nil
				if held && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
			got, err := p.Reindex(t.Context(), r, publish.Reindexing{})
			if err != nil || !got.Changed || got.Lost < 2 || got.Lost > 4 {
				t.Errorf("got %+v, %v", got, err)
			}
			if !held || swaps.Load() != 3 {
				t.Errorf("%d others published, held: %t; want two, and a third who waits", swaps.Load(), held)
			}
			publishWith(t, others, r) // the lock has ended
			if got := w.reindex(r, publish.Reindexing{DryRun: true}); got.Packages != len(rows)+1+int(swaps.Load()) {
				t.Errorf("in the end: %+v", got)
			}
		})
	}
}

// An oldProgram does not notice that a release is of another generation.
type oldProgram struct{ publish.Catalog }

func (c oldProgram) Snapshot(ctx context.Context, r catalog.Release) (*catalogdb.Snapshot, error) {
	snap, err := c.Catalog.Snapshot(ctx, r)
	if err == nil {
		snap.Generation = 0
	}
	return snap, err
}

// After a reindex, other publishers render their cached segments again: they do not publish old ones.
func TestOthersFollowAReindex(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		h := &history{w: w, r: el9, random: rand.New(rand.NewPCG(7, 7)), arches: []string{el9.Arch}}
		one := entry(el9, "a-one", "", el9.Arch, 0)
		w.push(one)
		w.push(h.some(600)...)
		others := w.publisher()
		publishWith(t, others, el9)
		w.rewrite(one)
		w.reindex(el9, publish.Reindexing{})
		w.push(entry(el9, "z-other", "", el9.Arch, 0))
		publishWith(t, others, el9)
		if got := w.reindex(el9, publish.Reindexing{DryRun: true}); got.Different {
			t.Errorf("got %+v", got)
		}
	})
}

// The drill: rows from the bucket alone, and from them the same index bytes.
func TestI15RebuildFromThePublishedIndexes(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			gone := w.some(r, "gone")
			w.push(w.some(r, "one"), w.some(r, "two"), gone)
			w.yank(gone)
			w.publish(r)
			want := listed(w, r)
			time.Sleep(time.Minute)
			w.restore(empty(t)) // the database is lost
			p := w.publisher()
			if err := p.Settings(t.Context(), tools); err != nil {
				t.Fatal(err)
			}
			got, err := p.Rebuild(t.Context(), r)
			if err != nil || got.Inserted < 2 {
				t.Fatalf("got %+v, %v", got, err)
			}
			publishWith(t, p, r)
			if diff := cmp.Diff(want, listed(w, r)); diff != "" {
				t.Errorf("indexes (-before +after):\n%s", diff)
			}
			if got := w.reindex(r, publish.Reindexing{}); got.Different || got.Changed || got.Packages != 2 {
				t.Errorf("a reindex of what was rebuilt: %+v", got)
			}
			if got, err := p.Rebuild(t.Context(), r); err != nil || got != (catalogdb.Recovered{}) {
				t.Errorf("rebuilt once more: %+v, %v", got, err)
			}
		})
	}
}
