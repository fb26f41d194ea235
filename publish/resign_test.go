package publish_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// nextSigner is the key that comes after that of signer.
var nextSigner = sync.OnceValue(func() *sign.Signer { return generate("acme repomill next signing key") })

// twoSigners has the keys of both.
func twoSigners(t testing.TB) *sign.Signer { return bothSigners(t, signer(), nextSigner()) }

func name(s *sign.Signer) string { return s.Fingerprints()[0] }

// keySet has the key of signer, which signs, and that of nextSigner in a role.
func keySet(t testing.TB, role keys.Role) keys.Set {
	t.Helper()
	set := keys.Set{}
	for role, s := range map[keys.Role]*sign.Signer{keys.Signing: signer()} {
		set.Add(time.Time{}, role, described(t, s))
	}
	set.Add(time.Time{}, keys.Standby, described(t, nextSigner()))
	if role == keys.Signing {
		if err := set.Promote(name(nextSigner()), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func described(t testing.TB, s *sign.Signer) sign.Key {
	t.Helper()
	all, err := s.Keys()
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// Keys change while a release is being published: how it is recorded to be signed is how it is signed, or it would not be
// signed again when the others are back.
func TestKeysChangeDuringAPublish(t *testing.T) {
	both, one := keySet(t, keys.Signing), keySet(t, keys.Standby)
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "hello"))
			p := w.withKeys(both, twoSigners(t))
			var once sync.Once
			for _, index := range []string{"repodata/*", "by-hash/SHA256/*"} {
				w.bucket.Before("Create", index, func() { once.Do(func() { p.SetKeys(w.keysOf(one, twoSigners(t))) }) })
			}
			w.release(p, r)
			p.SetKeys(w.keysOf(both, twoSigners(t)))
			w.release(p, r)
			got := slices.Compact(slices.Sorted(slices.Values(w.signersOf(r))))
			if diff := cmp.Diff(slices.Sorted(slices.Values([]string{name(signer()), name(nextSigner())})), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", r, diff)
			}
		})
	}
}

// withKeys is a publisher with keys of a set: those that sign in it should, and have has them.
func (w *world) withKeys(set keys.Set, have *sign.Signer) *publish.Publisher {
	w.t.Helper()
	p := w.publisher()
	p.SetKeys(w.keysOf(set, have))
	return p
}

func (w *world) keysOf(set keys.Set, have *sign.Signer) publish.Keys {
	w.t.Helper()
	signing := keys.Fingerprints(set.With(keys.Signing))
	k, err := publish.NewKeys(set, signing, have.Only(signing))
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// signersOf returns the signers of what clients see, by the keyring of both keys.
func (w *world) signersOf(r catalog.Release) []string {
	w.t.Helper()
	ring, err := sign.ReadKeyring(twoSigners(w.t).Public())
	if err != nil {
		w.t.Fatal(err)
	}
	var signers []string
	pointer := w.bucket.Bytes(layout.PointerKey(r))
	if r.Arch == "" {
		signers, err = ring.SignersClear(pointer)
		if err == nil {
			_, err = ring.SignersDetached(w.bucket.Bytes(layout.DebDir(r)+"/Release"), w.bucket.Bytes(layout.DebDir(r)+"/Release.gpg"))
		}
	} else {
		signers, err = ring.SignersDetached(pointer, w.bucket.Bytes(layout.PointerKey(r)+".asc"))
	}
	if err != nil {
		w.t.Fatalf("%s: %v", r, err)
	}
	return signers
}

func (w *world) release(p *publish.Publisher, r catalog.Release) publish.Result {
	w.t.Helper()
	res, err := p.Release(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// A key that was promoted signs what is published, without a push, at the same revision; a key that was retired does not.
func TestWhatIsPublishedIsSignedAgain(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		replaceKey(t, r, false)
		replaceKey(t, r, true)
	}
}

func replaceKey(t *testing.T, r catalog.Release, leaked bool) {
	old, next := name(signer()), name(nextSigner())
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(r, "hello"))
		first := w.release(w.withKeys(keySet(t, keys.Standby), signer()), r)
		pointer := w.bucket.Bytes(layout.PointerKey(r))
		if diff := cmp.Diff([]string{old}, w.signersOf(r)); diff != "" {
			t.Errorf("%s with a standby key (-want +got):\n%s", r, diff)
		}

		set := keySet(t, keys.Signing)
		p := w.withKeys(set, twoSigners(t))
		res := w.release(p, r)
		if !res.Signed || res.Changed || res.Revision != first.Revision {
			t.Errorf("%s: got %+v, want it signed again and not changed", r, res)
		}
		want := map[bool][]string{true: {old, next}, false: {old, next, old}}[r == jammy]
		if diff := cmp.Diff(want, w.signersOf(r)); diff != "" {
			t.Errorf("%s with both keys (-want +got):\n%s", r, diff)
		}
		if same := bytes.Equal(pointer, w.bucket.Bytes(layout.PointerKey(r))); same != (r == el9) {
			t.Errorf("%s: its pointer is the same is %v", r, same)
		}
		w.check(r)
		w.bucket.Writes()
		if res := w.release(p, r); res.Signed {
			t.Errorf("%s is signed again once more", r)
		}
		w.checkSilent("all is signed")

		if err := set.Retire(old, leaked, time.Time{}); err != nil {
			t.Fatal(err)
		}
		w.release(w.withKeys(set, twoSigners(t)), r)
		if diff := cmp.Diff([]string{next}, w.signersOf(r)); diff != "" {
			t.Errorf("%s with the next key (-want +got):\n%s", r, diff)
		}

		w.push(w.some(r, "world"))
		w.release(w.withKeys(set, nextSigner()), r)
		if diff := cmp.Diff([]string{next}, w.signersOf(r)); diff != "" {
			t.Errorf("%s after a push (-want +got):\n%s", r, diff)
		}
	})
}

// repomd.xml names the keys that zypper is to import, and they lie where it looks. A hint alone leaves the revision, so that
// dnf fetches no index again.
func TestHintsOfKeys(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(el9, "hello"))
		w.publish(el9)
		before := w.bucket.Bytes(layout.PointerKey(el9))
		if strings.Contains(string(before), "<content>") {
			t.Errorf("a hint of the only key:\n%s", before)
		}
		w.release(w.withKeys(keySet(t, keys.Standby), signer()), el9)
		after := string(w.bucket.Bytes(layout.PointerKey(el9)))
		tags := ""
		for _, s := range []*sign.Signer{signer(), nextSigner()} {
			k := described(t, s)
			tags += "    <content>" + k.RPMName() + ".asc?fpr=" + k.Fingerprint + "</content>\n"
			if body := w.bucket.Bytes(layout.HintKeyKey(el9, k.RPMName())); !bytes.Equal(body, k.Public) {
				t.Errorf("the file of key %s is another", k.Fingerprint)
			}
		}
		if want := strings.Replace(string(before), "  </tags>", tags+"  </tags>", 1); after != want {
			t.Errorf("repomd.xml (-want +got):\n%s", cmp.Diff(want, after))
		}
		if ref, ok := layout.Parse(layout.HintKeyKey(el9, described(t, signer()).RPMName())); !ok || ref.IsKey() {
			t.Errorf("the file is not served as the metadata beside it is: %+v", ref)
		}
		w.check(el9)
	})
}

// A key that replaces the only one brings hints and takes them away: repomd.xml is then what it was before, byte for byte,
// at the same revision. That does not stop the change of keys.
func TestRepomdIsOnceMoreWhatItWas(t *testing.T) {
	old, next := name(signer()), name(nextSigner())
	simulate(t, func(t *testing.T, w *world) {
		w.push(w.some(el9, "hello"))
		alone := keys.Set{}
		alone.Add(time.Time{}, keys.Signing, described(t, signer()))
		w.release(w.withKeys(alone, signer()), el9)
		first := w.bucket.Bytes(layout.PointerKey(el9))
		set := keySet(t, keys.Signing)
		both := w.withKeys(set, twoSigners(t))
		if err := set.Retire(old, false, time.Time{}); err != nil {
			t.Fatal(err)
		}
		without := w.withKeys(set, twoSigners(t))
		for n := range 3 {
			w.release(both, el9)
			w.release(without, el9)
			if diff := cmp.Diff([]string{next}, w.signersOf(el9)); diff != "" {
				t.Errorf("change %d (-want +got):\n%s", n, diff)
			}
			if !bytes.Equal(first, w.bucket.Bytes(layout.PointerKey(el9))) {
				t.Errorf("change %d: repomd.xml is not what it was", n)
			}
		}
	})
}

// Two workers with different key files would replace each other's signatures endlessly.
func TestWhoLacksAKeySignsNothingAgain(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "hello"))
			w.release(w.withKeys(keySet(t, keys.Standby), signer()), r)
			set := keySet(t, keys.Signing)
			lacking := w.withKeys(set, signer())
			w.bucket.Writes()
			if res := w.release(lacking, r); res.Signed {
				t.Errorf("%s is signed again", r)
			}
			for _, key := range w.bucket.Writes() {
				if key == layout.PointerKey(r) || strings.HasSuffix(key, ".asc") && strings.Contains(key, "repomd") {
					t.Errorf("%s was written", key)
				}
			}
			w.release(w.withKeys(set, twoSigners(t)), r)
			if !slices.Contains(w.signersOf(r), name(nextSigner())) {
				t.Errorf("%s is not signed again by a worker that has all keys", r)
			}
			w.push(w.some(r, "world"))
			w.release(lacking, r) // a push does not wait for the other worker, which signs it again
			if diff := cmp.Diff([]string{name(signer())}, w.signersOf(r)); diff != "" {
				t.Errorf("%s after a push to the worker that lacks a key (-want +got):\n%s", r, diff)
			}
			w.check(r)
			if res := w.release(w.withKeys(set, twoSigners(t)), r); !res.Signed || !slices.Contains(w.signersOf(r), name(nextSigner())) {
				t.Errorf("%s is not signed again after a push to the worker that lacks a key: %+v", r, res)
			}
		})
	}
}

// A process that signs again is killed after each of its writes. The next one goes on from there.
func TestKillResignAfterEveryWrite(t *testing.T) {
	skipUnderRace(t)
	for _, r := range []catalog.Release{jammy, el9} {
		for n, died := 0, true; died; n++ {
			simulate(t, func(t *testing.T, w *world) {
				w.push(w.some(r, "hello"))
				w.release(w.withKeys(keySet(t, keys.Standby), signer()), r)
				set := keySet(t, keys.Signing)
				signing := keys.Fingerprints(set.With(keys.Signing))
				k, err := publish.NewKeys(set, signing, twoSigners(t))
				if err != nil {
					t.Fatal(err)
				}
				c := w.config()
				c.Bucket = mortalAfter(w, n+1)
				p := newPublisher(t, c)
				p.SetKeys(k)
				_, err = p.Release(t.Context(), r)
				if died = errors.Is(err, errDead); !died && err != nil {
					t.Fatal(err)
				}
				next := w.withKeys(set, twoSigners(t))
				if _, err := next.Repair(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(w.signersOf(r), name(nextSigner())) {
					t.Errorf("%s, killed at write %d: it is not signed again", r, n)
				}
				w.check(r)
			})
		}
	}
}

// A change of keys does not sign what others have written into the bucket.
func TestNothingForeignIsSignedAgain(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			w.push(w.some(r, "hello"))
			w.release(w.withKeys(keySet(t, keys.Standby), signer()), r)
			changed := bytes.Replace(w.bucket.Bytes(layout.PointerKey(r)), []byte("acme"), []byte("ACME"), 1)
			changed = bytes.Replace(changed, []byte("<timestamp>1"), []byte("<timestamp>2"), 1)
			w.bucket.Put(layout.PointerKey(r), changed)
			w.bucket.Writes()
			_, err := w.withKeys(keySet(t, keys.Signing), twoSigners(t)).Release(t.Context(), r)
			if !errors.Is(err, tree.ErrForeign) {
				t.Errorf("%s: got %v, want that it is another's", r, err)
			}
			for _, key := range w.bucket.Writes() {
				if key == layout.PointerKey(r) || key == layout.PointerKey(r)+".asc" {
					t.Errorf("%s was written", key)
				}
			}
		})
	}
}
