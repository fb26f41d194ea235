package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// putManifest forges the manifest of a pointer of el9, with some signature.
func (w *world) putManifest(pointer []byte, signature string) {
	w.t.Helper()
	m := newestManifest(w, el9)
	m.Pointer.Size, m.Pointer.SHA256, m.Signature = int64(len(pointer)), sum(pointer), signature
	body, err := json.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	w.bucket.Put(layout.ManifestKey(el9, fmt.Sprint(m.Revision), m.Pointer.SHA256), body)
}

// What others put into the bucket is not signed because its signature is missing: the catalog's rows are published over it.
func TestAPairIsSignedAgainOnlyWithProof(t *testing.T) {
	key := layout.PointerKey(el9)
	// They keep the revision, which the catalog knows.
	forged := func(w *world) []byte {
		return bytes.Replace(w.bucket.Bytes(key), []byte("primary.xml.gz"), []byte("PRIMARY.xml.gz"), 1)
	}
	for _, tt := range []struct {
		name    string
		spoil   func(w *world)
		proven  bool
		changed bool // another upload waits
	}{
		{"the signature of another, of what was signed", func(w *world) { w.bucket.Put(key+".asc", []byte("torn")) }, true, false},
		{"a forged pointer", func(w *world) { w.bucket.Put(key, forged(w)) }, false, false},
		{"a forged pointer, and a manifest of it without proof", func(w *world) {
			body := forged(w)
			w.putManifest(body, "")
			w.bucket.Put(key, body)
		}, false, false},
		{"a forged pointer, and a manifest with the proof of another", func(w *world) {
			body := forged(w)
			w.putManifest(body, newestManifest(w, el9).Signature)
			w.bucket.Put(key, body)
		}, false, false},
		{"a forged pointer, before the next publish", func(w *world) { w.bucket.Put(key, forged(w)) }, false, true},
		{"a torn pair with the manifest of an older version", func(w *world) {
			w.putManifest(w.bucket.Bytes(key), "")
			w.bucket.Put(key+".asc", []byte("torn"))
		}, false, false},
		{"a torn pair with a damaged manifest", func(w *world) {
			w.bucket.Put(layout.ManifestKey(el9, fmt.Sprint(newestManifest(w, el9).Revision), sum(w.bucket.Bytes(key))), []byte("{"))
			w.bucket.Put(key+".asc", []byte("torn"))
		}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.push(w.some(el9, "one"))
				w.publish(el9)
				tt.spoil(w)
				spoilt := w.bucket.Bytes(key)
				if tt.changed {
					w.push(w.some(el9, "two"))
				}
				var signed [][]byte // what .asc was, with each write
				w.bucket.After("Swap", key+".asc", func() { signed = append(signed, w.bucket.Bytes(key+".asc")) })
				w.repair(el9)
				w.check(el9)
				if got := bytes.Equal(spoilt, w.bucket.Bytes(key)); got != tt.proven {
					t.Errorf("the pointer stays: %t", got)
				}
				ring, err := sign.ReadKeyring(signer().Public())
				if err != nil || len(signed) == 0 {
					t.Fatalf("%d signatures, %v", len(signed), err)
				}
				for _, asc := range signed {
					if ring.VerifyDetached(spoilt, asc) == nil != tt.proven {
						t.Errorf("what was there is signed: %t", !tt.proven)
					}
				}
			})
		})
	}
}
