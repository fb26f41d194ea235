package pipelines_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/publish/keys"
)

// A key expires, another one never does, and a third was promoted that has signed nothing yet.
func TestMetricsOfKeys(t *testing.T) {
	dir := t.TempDir()
	cfg := configOf(dir)
	migrate(t, cfg.Catalog)
	cfg.SigningKey = "file://" + writeKey(t, dir)
	s := openSite(t, dir, cfg, runDirect)
	must(t, s.CheckKey(t.Context()))
	s.ingest(s.batch(s.putDebs(jammy, "first", 1)...))
	_, standby, err := newStandby(t)
	must(t, err)
	expiring := shortLived(t, 100*24*time.Hour)
	set, _ := s.Keys()
	_, err = keys.Change(t.Context(), s.Bucket, func(set *keys.Set) error {
		set.Add(time.Now(), keys.Signing, standby)
		set.Add(time.Now(), keys.Standby, publicOf(t, expiring))
		return nil
	})
	must(t, err)
	must(t, s.RefreshKeys(t.Context()))
	want := map[string]float64{
		"repomill_releases_not_signed_by " + set.Keys[0].Fingerprint:                         0,
		"repomill_releases_not_signed_by " + standby.Fingerprint:                             1,
		"repomill_signing_key_failures_total " + set.Keys[0].Fingerprint:                     0,
		"repomill_signing_key_failures_total " + standby.Fingerprint:                         0,
		"repomill_signing_key_expiry_timestamp_seconds " + publicOf(t, expiring).Fingerprint: float64(publicOf(t, expiring).Expires.Unix()),
	}
	reg := s.Registry()
	_, err = reg.Gather() // the first one finds the keys, whose failures begin with 0 then
	must(t, err)
	families, err := reg.Gather()
	must(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); len(labels) == 1 && labels[0].GetName() == "fingerprint" {
				got[f.GetName()+" "+labels[0].GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// The only key expires while a worker runs.
func TestNotReadyWithoutAKey(t *testing.T) {
	t.Parallel()
	for left := 4 * time.Second; ; left *= 4 {
		k := newKeyRoom(t)
		file := shortLived(t, 48*time.Hour+left)
		expires := publicOf(t, file).Expires
		k.file(file)
		r, err := k.open()
		if err == nil {
			err = r.Ready(t.Context())
		}
		if !time.Now().Before(expires) {
			continue // before a busy machine got so far
		}
		must(t, err)
		time.Sleep(time.Until(expires) + 2*time.Second)
		var none *pipelines.NoKey
		if err := r.Ready(t.Context()); !errors.As(err, &none) || !strings.Contains(err.Error(), "it expired at") {
			t.Errorf("got %v", err)
		}
		return
	}
}
