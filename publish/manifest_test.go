package publish_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// newestManifest returns the manifest of what clients see.
func newestManifest(w *world, r catalog.Release) tree.Manifest {
	w.t.Helper()
	pointer := w.bucket.Bytes(layout.PointerKey(r))
	return manifestOf(w, r, mustParse(w.t, r, pointer).Number, sum(pointer))
}

func manifestOf(w *world, r catalog.Release, revision int64, pointer string) (m tree.Manifest) {
	w.t.Helper()
	if err := json.Unmarshal(w.bucket.Bytes(layout.ManifestKey(r, fmt.Sprint(revision), pointer)), &m); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// The chain of manifests leads from the live pointer back to the first one.
func TestManifests(t *testing.T) {
	for _, r := range []catalog.Release{jammy, el9} {
		simulate(t, func(t *testing.T, w *world) {
			const publishes = 4
			var pointers [][]byte
			for i := range publishes {
				w.push(w.some(r, fmt.Sprintf("p%d", i)))
				w.publish(r)
				pointers = append(pointers, w.bucket.Bytes(layout.PointerKey(r)))
			}
			m := newestManifest(w, r)
			for i := publishes - 1; i >= 0; i-- {
				revision := mustParse(t, r, pointers[i])
				want := tree.Manifest{
					Release: r.String(), Revision: revision.Number, Nonce: revision.Nonce, Packages: i + 1, Date: m.Date, Indexes: m.Indexes, WithdrawnFormat: tree.WithdrawnFormat,
					Pointer: tree.Object{Key: layout.PointerKey(r), Size: int64(len(pointers[i])), SHA256: sum(pointers[i])},
				}
				if r == el9 {
					checkProof(t, pointers[i], m)
					want.Signature = m.Signature
				}
				if i > 0 {
					want.Previous = sum(pointers[i-1])
				}
				if diff := cmp.Diff(want, m); diff != "" {
					t.Errorf("%s, publish %d (-want +got):\n%s", r, i, diff)
				}
				if want := publishtest.Start.Add(time.Duration(i) * time.Second); !m.Date.Equal(want) {
					t.Errorf("%s, publish %d: got Date %v, want %v", r, i, m.Date, want)
				}
				checkObjects(w, m.Indexes)
				if i > 0 {
					m = manifestOf(w, r, revision.Number-1, m.Previous)
				}
			}
		})
	}
}

// checkProof fails unless a manifest has a signature of its pointer.
func checkProof(t *testing.T, pointer []byte, m tree.Manifest) {
	t.Helper()
	ring, err := sign.ReadKeyring(signer().Public())
	if err == nil {
		err = ring.VerifyDetached(pointer, []byte(m.Signature))
	}
	if err != nil {
		t.Errorf("the manifest of revision %d proves nothing: %v", m.Revision, err)
	}
}

// checkObjects fails unless objects are as a manifest has them.
func checkObjects(w *world, objects []tree.Object) {
	w.t.Helper()
	for _, o := range objects {
		if b := w.bucket.Bytes(o.Key); int64(len(b)) != o.Size || sum(b) != o.SHA256 || !strings.Contains(o.Key, o.SHA256) {
			w.t.Errorf("%s has %d bytes and digest %s, listed with %d and %s", o.Key, len(b), sum(b), o.Size, o.SHA256)
		}
	}
}
