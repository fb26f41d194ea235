package pipelines_test

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/publish/keys"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// roles returns what each key of a list is for.
func roles(set keys.Set) map[string]keys.Role {
	all := map[string]keys.Role{}
	for _, k := range set.Keys {
		all[k.Fingerprint] = k.Role
	}
	return all
}

// The bucket loses its list of keys, of which one has leaked: it does not come back, although its private part is still there.
func TestALostListOfKeys(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	leaked := map[string]keys.Role{names[0]: keys.Retired, names[1]: keys.Signing, names[2]: keys.Standby}
	for _, tt := range []struct {
		name string
		lose func(t *testing.T, path string, old []byte)
	}{
		{"it is gone", func(t *testing.T, path string, _ []byte) { must(t, os.Remove(path)) }},
		{"it is set back", func(t *testing.T, path string, old []byte) { must(t, os.WriteFile(path, old, 0o644)) }},
	} {
		for _, running := range []bool{true, false} {
			t.Run(tt.name+map[bool]string{true: " under a worker", false: " before a start"}[running], func(t *testing.T) {
				k := newKeyRoom(t)
				k.file(all...)
				r, err := k.open()
				must(t, err)
				path := filepath.Join(k.dir, "bucket", layout.KeysKey)
				old, err := os.ReadFile(path)
				must(t, err)
				_, err = pipelines.ChangeKeys(t.Context(), r.Bucket, r.Catalog, func(s *keys.Set) error {
					now := time.Now().UTC()
					return errors.Join(s.Promote(names[1], now), s.Retire(names[0], true, now))
				})
				must(t, err)
				must(t, r.RefreshKeys(t.Context()))
				tt.lose(t, path, old)
				if _, err := pipelines.ReadSigners(t.Context(), r.Bucket, r.Catalog); err == nil || !strings.Contains(err.Error(), "puts back what the catalog knows") {
					t.Errorf("a command: %v", err)
				}
				var log bytes.Buffer
				if running {
					r.Log = slog.New(slog.NewTextHandler(&log, nil))
					must(t, r.RefreshKeys(t.Context()))
					if !strings.Contains(log.String(), "ALARM: the bucket had lost its list of signing keys") {
						t.Errorf("logged:\n%s", log.String())
					}
				} else {
					r.Close()
					before := slog.Default()
					slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
					r, err = k.open()
					slog.SetDefault(before)
					must(t, err)
					if got := log.String(); !strings.Contains(got, "ALARM: the bucket had lost its list of signing keys") || !strings.Contains(got, "a retired key is still among the private keys: take it out") {
						t.Errorf("logged:\n%s", got)
					}
				}
				set, signing := r.Keys()
				if diff := cmp.Diff(leaked, roles(set)); diff != "" || !set.Keys[0].Distrusted && !set.Keys[1].Distrusted && !set.Keys[2].Distrusted {
					t.Errorf("the list (-want +got):\n%s%+v", diff, set)
				}
				if !cmp.Equal(signing, names[1:2]) {
					t.Errorf("signing: %q", signing)
				}
			})
		}
	}
}

// The catalog has no copy, but knows that clients were given keys: one that they are not given now may have leaked.
func TestALostListOfKeysWithoutACopy(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k := newKeyRoom(t)
	k.file(all[0])
	r, err := k.open()
	must(t, err)
	tools := catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "tools"}}
	must(t, r.Catalog.CreateRepository(t.Context(), tools, time.Now()))
	must(t, r.Publisher.Settings(t.Context(), tools.Repository))
	must(t, os.Remove(filepath.Join(k.dir, "bucket", layout.KeysKey)))
	db, err := sql.Open("sqlite", k.dir+"/catalog.db")
	must(t, err)
	_, err = db.Exec(`DELETE FROM key_list`)
	must(t, errors.Join(err, db.Close()))
	r.Close()
	k.file(all[1], all[0])
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	r, err = k.open()
	must(t, err)
	set, _ := r.Keys()
	if diff := cmp.Diff(map[string]keys.Role{names[0]: keys.Signing, names[1]: keys.Retired}, roles(set)); diff != "" {
		t.Errorf("the list (-want +got):\n%s", diff)
	}
	if got := log.String(); !strings.Contains(got, "ALARM: the bucket has packages, and no list of its signing keys") || !strings.Contains(got, "retired="+names[1]) {
		t.Errorf("logged:\n%s", got)
	}
}

// No error says %!w(<nil>).
func TestAListOfKeysThatCannotBeRead(t *testing.T) {
	all := privateKeys()
	for _, tt := range []struct{ name, list, says string }{
		{"an unknown role", `{"revision":3,"keys":[{"fingerprint":"AAAA","role":"primary"}]}`, `key AAAA has the role "primary"`},
		{"all are retired", `{"revision":3,"keys":[{"fingerprint":"AAAA","role":"retired"}]}`, "none of its keys signs: restore an earlier version of it, or remove it"},
		{"no keys", `{"revision":3}`, "none of its keys signs"},
		{"half of it", `{"revision":3,"keys":[{"finger`, "restore an earlier version"},
		{"nothing in it", `{}`, "restore an earlier version"},
	} {
		k := newKeyRoom(t)
		k.file(all[0])
		path := filepath.Join(k.dir, "bucket", layout.KeysKey)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(tt.list), 0o644))
		if _, err := k.open(); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "%!") || strings.Contains(err.Error(), "()") {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// The advice for a list without keys is true: removed, it is put back as it was, though a worker has seen it.
func TestAListWithoutKeysIsNotRemembered(t *testing.T) {
	all := privateKeys()
	k := newKeyRoom(t)
	k.file(all[0])
	r, err := k.open()
	must(t, err)
	before, _ := r.Keys()
	path := filepath.Join(k.dir, "bucket", layout.KeysKey)
	must(t, os.WriteFile(path, []byte(`{"revision":9,"keys":[]}`), 0o644))
	if err := r.RefreshKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "none of its keys signs") {
		t.Errorf("with a list that has no key: %v", err)
	}
	must(t, os.Remove(path))
	must(t, r.RefreshKeys(t.Context()))
	after, _ := r.Keys()
	if diff := cmp.Diff(roles(before), roles(after)); diff != "" {
		t.Errorf("the list (-before +after):\n%s", diff)
	}
}
