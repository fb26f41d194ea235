package pipelines_test

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
)

// locked protects a private key by a passphrase.
func locked(t *testing.T, private []byte, passphrase string) []byte {
	t.Helper()
	s, err := sign.Read(private)
	must(t, err)
	armored, err := s.Lock([]byte(passphrase))
	must(t, err)
	return armored
}

// fileErrors returns how many files of keys a worker counts as bad.
func fileErrors(t *testing.T, r *pipelines.Resources) (n float64) {
	t.Helper()
	families, err := r.Registry().Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == "repomill_signing_key_file_errors" {
			for _, m := range f.GetMetric() {
				n += m.GetGauge().GetValue()
			}
		}
	}
	return n
}

// A file that goes bad under a running worker changes nothing of what signs, and everybody who asks learns of it.
func TestAKeyFileGoesBadUnderAWorker(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	for _, tt := range []struct {
		name string
		do   func(k *keyRoom)
		says string
	}{
		{"it is removed", func(k *keyRoom) { must(t, os.Remove(k.dir+"/key.asc")) }, "no such file"},
		{"it is cut off", func(k *keyRoom) { k.file(all[0][:len(all[0])/2]) }, "signing key "},
		{"it is emptied", func(k *keyRoom) { k.file() }, "signing key "},
		{"a stranger's key is in it", func(k *keyRoom) { k.file(all[2]) }, "restore the old key"},
		{"the key that signs is locked by another passphrase", func(k *keyRoom) { k.file(locked(t, all[0], "new"), all[1]) }, "a passphrase protects it"},
		{"it has only a key that few clients know", func(k *keyRoom) { k.file(all[1]) }, "restore the old key there (" + names[0] + ")"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKeyRoom(t)
			k.file(all[0], all[1])
			r, err := k.open()
			must(t, err)
			_, err = keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error { // the first is older
				s.Keys[0].Added = time.Now().Add(-60 * 24 * time.Hour)
				return nil
			})
			must(t, err)
			var log bytes.Buffer
			r.Log = slog.New(slog.NewTextHandler(&log, nil))
			must(t, r.RefreshKeys(t.Context()))
			if got := fileErrors(t, r); got != 0 || r.KeyRisk() != nil {
				t.Errorf("before: %v files are bad, risk: %v", got, r.KeyRisk())
			}
			tt.do(k)
			for range 3 {
				if err := r.RefreshKeys(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
			}
			k.check("what signs", r, names[:1], names[1:2])
			if diff := cmp.Diff(names[:2], r.Signer().Fingerprints()); diff != "" {
				t.Errorf("private keys (-want +got):\n%s", diff)
			}
			if got := fileErrors(t, r); got != 1 {
				t.Errorf("%v files are bad", got)
			}
			if err := r.KeyRisk(); err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "next start fails") {
				t.Errorf("risk: %v", err)
			}
			must(t, r.Ready(t.Context()))
			if got := strings.Count(log.String(), "ALARM: a file of signing keys is bad"); got != 1 {
				t.Errorf("%d alarms:\n%s", got, log.String())
			}
			k.file(all[0], all[1])
			must(t, r.RefreshKeys(t.Context()))
			if got := fileErrors(t, r); got != 0 || r.KeyRisk() != nil || !strings.Contains(log.String(), "a file of signing keys is good again") {
				t.Errorf("put back: %v files are bad, risk: %v\n%s", got, r.KeyRisk(), log.String())
			}
		})
	}
}

// The worker before this one had the key that signs, and this one has not.
func TestAStartWithoutTheKeyThatSigns(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k := newKeyRoom(t)
	k.file(all[0], all[1])
	r, err := k.open()
	must(t, err)
	seen := time.Now().Add(-5 * time.Minute)
	must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "before", Keys: names[:2]}, true, seen))
	r.Close()
	k.file(all[1])
	r, err = k.open()
	must(t, err)
	var log bytes.Buffer
	r.Log = slog.New(slog.NewTextHandler(&log, nil))
	says := "no running worker has the private part of key " + names[0]
	for range 3 {
		must(t, r.RefreshKeys(t.Context()))
	}
	if w := r.Waits(); w == nil || !strings.Contains(w.String(), says) || w.Until.Sub(seen).Round(time.Second) != 15*time.Minute || !cmp.Equal(w.Then, names[1:2]) {
		t.Errorf("waits for %v", w)
	}
	if err := r.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("ready: %v", err)
	}
	must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "this", Keys: names[1:2]}, false, time.Now()))
	s, err := pipelines.ReadSigners(t.Context(), r.Bucket, r.Catalog)
	if err != nil || s.Waits == nil || !strings.Contains(s.Waits.String(), "key "+names[1]+" signs in its place") {
		t.Errorf("a command sees %v, %v", s.Waits, err)
	}
	if got := log.String(); strings.Contains(got, "ALARM") { // it was logged at the start
		t.Errorf("logged again:\n%s", got)
	}
	// Another one has it, and runs.
	must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "other", Keys: names[:1]}, false, time.Now()))
	for range 3 {
		must(t, r.RefreshKeys(t.Context()))
	}
	if got := strings.Count(log.String(), "this worker publishes nothing: only other workers"); got != 1 || r.Waits() != nil {
		t.Errorf("%d warnings, waits for %v:\n%s", got, r.Waits(), log.String())
	}
	k.file(all[0], all[1])
	must(t, r.RefreshKeys(t.Context()))
	if !strings.Contains(log.String(), "this worker publishes again") || r.Ready(t.Context()) != nil {
		t.Errorf("put back:\n%s", log.String())
	}
}

// The key that signs is there at a start, and its passphrase is not.
func TestAStartWithoutThePassphrase(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k := newKeyRoom(t)
	k.file(all[0], all[1])
	r, err := k.open()
	must(t, err)
	must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "before", Keys: names[:2]}, true, time.Now().Add(-time.Minute)))
	r.Close()
	k.file(locked(t, all[0], "other"), all[1])
	r, err = k.open()
	must(t, err)
	if w := r.Waits(); w == nil || !strings.Contains(w.String(), "no running worker can sign with key "+names[0]+", which is to sign: a passphrase protects it") {
		t.Errorf("waits for %v", w)
	}
}

// A worker announces why it cannot use a key, and commands say that and not that no worker has it.
func TestKeysThatWorkersCannotUse(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k := newKeyRoom(t)
	k.file(all[0], all[1])
	r, err := k.open()
	must(t, err)
	expired, err := keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error {
		s.Add(time.Now(), keys.Standby, publicOf(t, expiredKey(t)))
		return nil
	})
	must(t, err)
	fault := catalogdb.KeyFault{Key: names[1], Why: "a passphrase protects it"}
	must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "one", Keys: names[:1], Faults: []catalogdb.KeyFault{fault}}, false, time.Now()))
	s, err := pipelines.ReadSigners(t.Context(), r.Bucket, r.Catalog)
	must(t, err)
	for i, want := range []string{"", "a passphrase protects it", "it expired at"} {
		if got := s.Problem(expired.Keys[i]); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("key %d: %q, want %q", i, got, want)
		}
	}
}
