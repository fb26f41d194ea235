package publish_test

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// begin makes a world with a release that has a first package and, if it is old, is published with it
// and has a second one to be published.
func begin(w *world, r catalog.Release, old bool) {
	gone := w.some(r, "gone")
	w.push(w.some(r, "first"), gone)
	w.yank(gone)
	if old {
		w.publish(r)
		gone = w.some(r, "gone-too")
		w.push(w.some(r, "second"), gone)
		w.yank(gone)
	}
	w.bucket.Writes()
}

// digits are what depends on the run in the name of a manifest, or of a part of a list of withdrawn packages.
var digits = regexp.MustCompile(`[0-9a-f]{64}`)

// writesOf returns the keys that a publish writes, without what changes from run to run.
func writesOf(t *testing.T, r catalog.Release, old bool) (patterns []string) {
	simulate(t, func(t *testing.T, w *world) {
		begin(w, r, old)
		w.publish(r)
		for _, key := range w.bucket.Writes() {
			if dir, name := path.Split(key); strings.HasPrefix(key, ".history/") {
				key = dir + digits.ReplaceAllStringFunc(name, func(s string) string { return strings.Repeat("?", len(s)) })
			}
			patterns = append(patterns, key)
		}
	})
	return patterns
}

// Every write fails in both ways. Then one more run leaves nothing for a client to stumble over.
func TestEveryWriteFailsOnce(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		for _, old := range []bool{false, true} {
			for _, key := range writesOf(t, r, old) {
				for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored} {
					t.Run(fmt.Sprintf("%s/old=%v/%v", key, old, fault), func(t *testing.T) {
						simulate(t, func(t *testing.T, w *world) { failOnce(w, r, old, key, fault) })
					})
				}
			}
		}
	}
}

func failOnce(w *world, r catalog.Release, old bool, key string, fault publishtest.Fault) {
	begin(w, r, old)
	w.bucket.FailOnce(key, fault)
	p := w.publisher()
	_, err := p.Release(w.t.Context(), r)
	if committed := key == layout.PointerKey(r) || isPair(key); err != nil && committed {
		w.t.Errorf("a publish settles the pointer and the files beside it by itself: %v", err)
	}
	if old {
		if _, problems := w.read(r); len(problems) > 0 {
			w.t.Errorf("after the fault, clients find: %v", problems)
		}
	}
	if _, err := p.Release(w.t.Context(), r); err != nil {
		w.t.Errorf("run again: %v", err)
	}
	w.check(r)
	w.bucket.Writes()
	w.repair(r)
	w.checkSilent("a repair of what is whole")
}

// isPair reports whether a key is of a file that is written together with a pointer.
func isPair(key string) bool {
	for _, end := range []string{"/Release", "/Release.gpg", "/Packages.gz", "/Sources.gz", "/repomd.xml.asc"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

// A store that keeps failing keeps the old release, and its pair whole.
func TestPointerCannotBeWritten(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			begin(w, r, true)
			before := w.bucket.Bytes(layout.PointerKey(r))
			for range 4 {
				w.bucket.FailOnce(layout.PointerKey(r), publishtest.Lost)
			}
			if res, err := w.publisher().Release(t.Context(), r); err == nil || !strings.Contains(err.Error(), "injected fault") {
				t.Errorf("got %+v, %v", res, err)
			}
			if string(w.bucket.Bytes(layout.PointerKey(r))) != string(before) {
				t.Error("the pointer was changed")
			}
			if _, problems := w.read(r); len(problems) > 0 {
				t.Errorf("clients find: %v", problems)
			}
			w.publish(r)
			w.check(r)
		})
	}
}

// Who asked for a publish may lose patience; the pair is written to its end all the same.
func TestImpatienceTearsNothing(t *testing.T) {
	for r, key := range map[catalog.Release]string{jammy: layout.DebDir(jammy) + "/Release.gpg", el9: layout.PointerKey(el9)} {
		simulate(t, func(t *testing.T, w *world) {
			begin(w, r, true)
			ctx, cancel := withCancel(t)
			w.bucket.Before("Swap", key, cancel)
			if _, err := w.publisher().Release(ctx, r); err != nil && !errors.Is(err, ctx.Err()) {
				t.Error(err)
			}
			if _, problems := w.read(r); len(problems) > 0 {
				t.Errorf("clients find: %v", problems)
			}
			w.publish(r)
			w.check(r)
		})
	}
}

// A badSigner makes the wrong signature that a test sets.
type badSigner struct {
	*sign.Signer
	err    error
	body   []byte
	honest bool // but for InRelease
}

func (s badSigner) Clear([]byte, time.Time) ([]byte, error) { return s.sign(s.Signer.Clear) }

func (s badSigner) Detach(body []byte, now time.Time) ([]byte, error) {
	if s.honest {
		return s.Signer.Detach(body, now)
	}
	return s.sign(s.Signer.Detach)
}

func (s badSigner) DetachRPM([]byte, time.Time) ([]byte, error) { return s.sign(s.Signer.DetachRPM) }

func (s badSigner) sign(f func([]byte, time.Time) ([]byte, error)) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	return f(s.body, publishtest.Start)
}

// Nothing unsigned or wrongly signed is ever a pointer: without a key the old release stays.
func TestI08BadSigner(t *testing.T) {
	for name, s := range map[string]badSigner{
		"the signer is down":                 {err: errors.New("no key today")},
		"the signer signs other text":        {body: []byte("another text\n")},
		"the signer signs another InRelease": {body: []byte("another text\n"), honest: true},
		"the signer has another key":         {Signer: generate("somebody else"), body: []byte("another text\n")},
	} {
		for _, r := range []catalog.Release{jammy, el9} {
			if s.honest && r == el9 {
				continue // has no InRelease
			}
			t.Run(name, func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					begin(w, r, true)
					before := w.bucket.Bytes(layout.PointerKey(r))
					if s.Signer == nil {
						s.Signer = signer()
					}
					if _, err := w.publisherWith(s, publicURL).Release(t.Context(), r); err == nil {
						t.Error("got no error")
					}
					if string(w.bucket.Bytes(layout.PointerKey(r))) != string(before) {
						t.Error("the pointer was changed")
					}
					w.publish(r)
					w.check(r)
				})
			})
		}
	}
}

// What lies under an index's name is not believed to be that index.
func TestIndexOfAnotherSize(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(jammy)
		key := listed(w, jammy)[0]
		w.bucket.Put(key, append(w.bucket.Bytes(key), 0))
		w.push(w.deb(jammy, "main", specOf("hello", "arm64")))
		if _, err := w.publisher().Release(t.Context(), jammy); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("got %v, want an error about %s", err, key)
		}
		w.bucket.Put(key, nil)
		w.publish(jammy)
		w.check(jammy)
	})
}

// goneAndBack publishes a release so that the next publish makes an index that clients saw until a day ago. It returns the key of
// the index.
func goneAndBack(w *world) string {
	w.publish(jammy)
	key := listed(w, jammy)[2] // the empty index of arm64
	hello := w.deb(jammy, "main", specOf("hello", "arm64"))
	w.push(hello)
	w.publish(jammy)
	time.Sleep(25 * time.Hour)
	w.yank(hello)
	return key
}

// An index that is used again after a day gets a new age, so that collection spares it.
func TestAgedIndexIsWrittenAgain(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		key := goneAndBack(w)
		w.publish(jammy)
		if !slices.Contains(listed(w, jammy), key) {
			t.Fatalf("%s is not used again", key)
		}
		meta, err := w.bucket.Stat(t.Context(), key)
		if err != nil || meta.Now.Sub(meta.Modified) > time.Hour {
			t.Errorf("%s is %v old (%v)", key, meta.Now.Sub(meta.Modified), err)
		}
		w.check(jammy)
	})
}

// An index that stays what it is keeps its age, and is not written: collection spares what clients see.
func TestLiveIndexIsNotWrittenAgain(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(jammy)
		key := listed(w, jammy)[2] // of arm64
		time.Sleep(25 * time.Hour)
		w.push(w.deb(jammy, "main", specOf("hello", "amd64")))
		w.bucket.Writes()
		w.publish(jammy)
		for _, written := range w.bucket.Writes() {
			if written == key || strings.Contains(written, "binary-arm64") {
				t.Errorf("%s was written", written)
			}
		}
		w.check(jammy)
	})
}

// A collector may remove an old index just before the swap that names it.
func TestCollectedIndexIsWrittenAgain(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		key := goneAndBack(w)
		w.bucket.Before("Swap", layout.PointerKey(jammy), func() { w.bucket.Put(key, nil) })
		w.publish(jammy)
		w.check(jammy)
	})
}

// A release with the signature of another key is never replaced, in any state of the catalog.
func TestForeignPointer(t *testing.T) {
	theirs := generate("somebody else")
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "first"))
			if _, err := w.publisherWith(theirs, publicURL).Release(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			w.restore(empty(t))
			w.declare(jammy, "contrib")
			w.declare(el9, "")
			w.push(w.some(r, "second"))
			ours := w.settings()
			w.bucket.Writes()
			for range 2 {
				for name, run := range map[string]func(*publish.Publisher) error{
					"Release":  func(p *publish.Publisher) error { _, err := p.Release(t.Context(), r); return err },
					"Repair":   func(p *publish.Publisher) error { _, err := p.Repair(t.Context(), r); return err },
					"Settings": func(p *publish.Publisher) error { return p.Settings(t.Context(), tools) },
				} {
					if name == "Settings" && !w.has(layout.SettingsKey(tools)) {
						continue
					}
					if err := run(w.publisher()); !errors.Is(err, tree.ErrForeign) || !strings.Contains(err.Error(), "--signing-key") {
						t.Errorf("%s: got %v, want ErrForeign", name, err)
					}
					w.checkSilent(name)
				}
				w.bucket.Put(layout.SettingsKey(tools), nil) // the pointer alone says enough
			}
			if diff := cmp.Diff(ours, w.settings()); diff != "" || w.log.alarms() > 0 {
				t.Errorf("settings (-ours +now):\n%s", diff)
			}
		})
	}
}

// A file in place of a pointer that this program did not write is not replaced either.
func TestUnreadablePointer(t *testing.T) {
	for r, body := range map[catalog.Release]string{
		jammy: "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: reprepro\nMD5Sum:\n 0 0 x\n-----BEGIN PGP SIGNATURE-----\n",
		el9:   "<html>not found</html>",
	} {
		w := newWorld(t)
		w.bucket.Put(layout.PointerKey(r), []byte(body))
		if _, err := w.publisher().Release(t.Context(), r); err == nil || !strings.Contains(err.Error(), layout.PointerKey(r)) {
			t.Errorf("%s: got %v, want an error that names the pointer", r, err)
		}
		w.checkSilent("an unreadable pointer")
	}
}
