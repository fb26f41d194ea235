package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/publish"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// packageKey is a key with which a vendor signs packages.
func packageKey(t *testing.T) catalog.PackageKey {
	t.Helper()
	k, err := sign.ReadPackageKey(signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// checkSettings fails unless the bucket has the settings of the catalog, as it knows, and all that follows
// from them.
func (w *world) checkSettings() {
	w.t.Helper()
	var got catalog.Settings
	if err := json.Unmarshal(w.bucket.Bytes(layout.SettingsKey(tools)), &got); err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(w.settings(), got, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("settings (-catalog +bucket):\n%s", diff)
	}
	todo, err := w.db.UnpublishedSettings(w.t.Context())
	if err != nil || len(todo) > 0 {
		w.t.Errorf("settings of %v are not recorded as published (%v)", todo, err)
	}
	want := []string{layout.GPGKeyKey(tools)}
	for _, k := range got.PackageKeys {
		want = append(want, layout.PackageKeyKey(tools, k.ID))
	}
	for _, ds := range got.Distributions {
		key := layout.RepoKey(tools, ds.Distribution)
		if len(ds.Components) > 0 {
			key = layout.SourcesKey(tools, ds.Distribution)
		}
		want = append(want, key)
		checked := strings.Contains(string(w.bucket.Bytes(key)), "\ngpgcheck=1\n")
		if checked != (len(ds.Components) == 0 && len(got.PackageKeys) > 0) {
			w.t.Errorf("%s: gpgcheck=1 is %v with %d package keys", key, checked, len(got.PackageKeys))
		}
	}
	for _, key := range want {
		if !slices.Contains(w.bucket.Keys(), key) {
			w.t.Errorf("there is no %s", key)
		}
	}
}

func TestSettings(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		key := packageKey(t)
		for name, change := range map[string]func(*catalog.Settings){
			"as declared":      func(*catalog.Settings) {},
			"private":          func(s *catalog.Settings) { s.Visibility = catalog.Private },
			"with a token":     func(s *catalog.Settings) { s.Tokens = []catalog.Token{keptToken} },
			"with package key": func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{key} },
			"signed": func(s *catalog.Settings) {
				s.PackageKeys, s.RequireSigned = []catalog.PackageKey{key}, []catalog.Format{catalog.RPM}
			},
			"without": func(s *catalog.Settings) { s.PackageKeys, s.RequireSigned = nil, nil },
		} {
			w.change(change)
			w.publishSettings()
			w.checkSettings()
			w.bucket.Writes()
			w.publishSettings()
			w.checkSilent(name + ", again")
		}
		w.change(func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{key} })
		w.publishSettings()
		if got := string(w.bucket.Bytes(layout.PackageKeyKey(tools, key.ID))); got != key.Armor {
			t.Errorf("the package key is %q", got)
		}
	})
}

// Keys are there before the configuration that names them, and the settings before all.
func TestSettingsAreWrittenInOrder(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		key := packageKey(t)
		w.change(func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{key} })
		w.publishSettings()
		want := []string{
			layout.SettingsKey(tools), layout.InstanceKeyKey, layout.GPGKeyKey(tools), layout.SharedKeyKey(key.ID), layout.PackageKeyKey(tools, key.ID),
			layout.MetadataKeyKey(in(el9, "SRPMS")), layout.MetadataKeyKey(in(el9, "aarch64")), layout.MetadataKeyKey(el9),
			layout.RepoKey(tools, el9.Distribution), layout.SourcesKey(tools, jammy.Distribution),
			layout.ScriptKey(tools, catalog.DEB), layout.GPGKeyURLKey(tools, catalog.DEB), layout.ScriptKey(tools, catalog.RPM), layout.GPGKeyURLKey(tools, catalog.RPM),
			layout.ConfigFileKey(tools, el9.Distribution, catalog.RPM), layout.BaseURLKey(tools, el9.Distribution), layout.ConfigFileKey(tools, jammy.Distribution, catalog.DEB),
		}
		if diff := cmp.Diff(want, w.bucket.Writes()); diff != "" {
			t.Errorf("written (-want +got):\n%s", diff)
		}
	})
}

// A private key that was registered by mistake is never published.
func TestSecretsAreNotPublished(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		private, err := signer().Private()
		if err != nil {
			t.Fatal(err)
		}
		for name, armor := range map[string]string{
			"a private key":                string(private),
			"a private key after a public": string(signer().Public()) + string(private),
			"no key at all":                "x",
		} {
			s := &fakeSettings{DB: w.db, settings: w.settings()}
			s.settings.PackageKeys = []catalog.PackageKey{{ID: "0123456789ABCDEF", Armor: armor}}
			c := w.config()
			c.Catalog = s
			if err := newPublisher(t, c).Settings(t.Context(), tools); err == nil || strings.Contains(err.Error(), "-----") {
				t.Errorf("%s: got %v", name, err)
			}
			for _, key := range w.bucket.Keys() {
				if !layout.Hidden(key) && strings.Contains(string(w.bucket.Bytes(key)), "PRIVATE KEY") {
					t.Errorf("%s: %s has it", name, key)
				}
			}
		}
	})
}

// A fakeSettings is a catalog that has fallen behind, or was never checked.
type fakeSettings struct {
	*catalogdb.DB
	settings catalog.Settings
}

// Settings implements [publish.Repositories].
func (f *fakeSettings) Settings(context.Context, catalog.Repository) (catalog.Settings, error) {
	return f.settings, nil
}

// Every write fails in both ways; the next run goes on from there.
func TestEveryWriteOfSettingsFailsOnce(t *testing.T) {
	skipUnderRace(t)
	key := packageKey(t)
	for _, object := range []string{
		layout.SettingsKey(tools), layout.InstanceKeyKey, layout.GPGKeyKey(tools), layout.SharedKeyKey(key.ID), layout.PackageKeyKey(tools, key.ID),
		layout.MetadataKeyKey(el9), layout.RepoKey(tools, el9.Distribution), layout.SourcesKey(tools, jammy.Distribution),
	} {
		for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored} {
			simulate(t, func(t *testing.T, w *world) {
				w.change(func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{key} })
				w.bucket.FailOnce(object, fault)
				if err := w.publisher().Settings(t.Context(), tools); err == nil {
					t.Errorf("%s %v: got no error", object, fault)
				}
				w.publishSettings()
				w.checkSettings()
				w.bucket.Writes()
				w.publishSettings()
				w.checkSilent("settings that are whole")
			})
		}
	}
}

// A writer that falls asleep at any step never replaces what is newer.
func TestSettingsZombie(t *testing.T) {
	key := packageKey(t)
	repo := layout.RepoKey(tools, el9.Distribution)
	for _, tt := range []struct{ op, key string }{
		{"Get", layout.SettingsKey(tools)}, {"Swap", layout.SettingsKey(tools)}, {"Get", layout.GPGKeyKey(tools)},
		{"Get", layout.PackageKeyKey(tools, key.ID)}, {"Get", repo}, {"Swap", repo}, {"Stat", layout.SettingsKey(tools)},
	} {
		for name, run := range map[string]func(context.Context, *publish.Publisher) error{
			"Settings": func(ctx context.Context, p *publish.Publisher) error { return p.Settings(ctx, tools) },
			"Release":  func(ctx context.Context, p *publish.Publisher) error { _, err := p.Release(ctx, el9); return err },
		} {
			t.Run(fmt.Sprintf("%s/%s %s", name, tt.op, tt.key), func(t *testing.T) {
				simulate(t, func(t *testing.T, w *world) {
					w.publishSettings()
					w.change(func(s *catalog.Settings) {
						s.PackageKeys, s.Tokens = []catalog.PackageKey{key}, []catalog.Token{revokedToken}
					})
					asleep, awake := holdOnce(w, tt.op, tt.key)
					zombie := make(chan error)
					go func() { zombie <- run(t.Context(), w.publisher()) }()
					<-asleep
					w.change(func(s *catalog.Settings) { s.PackageKeys, s.Tokens = nil, []catalog.Token{keptToken} })
					w.publishSettings()
					w.checkSettings()
					close(awake)
					if err := <-zombie; err != nil {
						t.Error(err)
					}
					w.checkSettings()
				})
			})
		}
	}
}

// A catalog that reads old settings, as from a replica that lags behind, publishes none of them.
func TestSettingsFromAReplica(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		s := &fakeSettings{DB: w.db, settings: w.settings()}
		w.change(func(s *catalog.Settings) { s.Visibility = catalog.Private })
		w.publishSettings()
		c := w.config()
		c.Catalog = s
		if err := newPublisher(t, c).Settings(t.Context(), tools); !errors.Is(err, publish.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
		w.checkSettings()
	})
}

// Settings that were published with a lost catalog are imported, and not widened.
func TestLostSettings(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.change(func(s *catalog.Settings) { s.Tokens = []catalog.Token{keptToken, revokedToken} })
		w.publishSettings()
		backup := w.backup()
		w.declare(jammy, "contrib", "riscv64")
		w.change(func(s *catalog.Settings) { s.Visibility, s.Tokens = catalog.Private, []catalog.Token{keptToken} })
		w.change(func(s *catalog.Settings) {
			s.PackageKeys, s.RequireSigned = []catalog.PackageKey{packageKey(t)}, []catalog.Format{catalog.RPM}
		})
		w.publishSettings()
		was := w.settings()
		w.restore(backup)
		w.declare(el9, "", "ppc64le")
		w.publishSettings()
		w.checkSettings()
		got := w.settings()
		ds, _ := got.Find(jammy.Distribution)
		rpm, _ := got.Find(el9.Distribution)
		if got.Visibility != catalog.Private || !cmp.Equal(got.Tokens, was.Tokens) || !cmp.Equal(got.PackageKeys, was.PackageKeys) || !slices.Contains(got.RequireSigned, catalog.RPM) || got.Revision.Number <= was.Revision.Number ||
			!slices.Contains(ds.Components, "contrib") || !slices.Contains(ds.Architectures, "riscv64") || !slices.Contains(rpm.Architectures, "ppc64le") {
			t.Errorf("settings are %+v", got)
		}
		if w.log.alarms() != 1 {
			t.Errorf("%d alarms", w.log.alarms())
		}
	})
}

// An object that is not this repository's settings is not replaced.
func TestUnreadableSettings(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{"no JSON": "<html>", "another repository's": `{"repository":{"owner":"acme","name":"other"}}`} {
		w.bucket.Put(layout.SettingsKey(tools), []byte(body))
		if err := w.publisher().Settings(t.Context(), tools); err == nil || !strings.Contains(err.Error(), layout.SettingsKey(tools)) {
			t.Errorf("%s: got %v", name, err)
		}
		w.checkSilent(name)
	}
	if err := w.publisher().Settings(t.Context(), catalog.Repository{Owner: "no", Name: "body"}); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("undeclared: got %v", err)
	}
}

// Settings of a time before they had a revision are replaced by the catalog's, and taken over if it has none.
func TestSettingsWithoutARevision(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		old := w.settings()
		old.Revision = catalog.Revision{}
		body, err := json.Marshal(old)
		if err != nil {
			t.Fatal(err)
		}
		w.bucket.Put(layout.SettingsKey(tools), body)
		w.publishSettings()
		w.checkSettings()
		w.bucket.Put(layout.SettingsKey(tools), body)
		w.restore(empty(t))
		w.publishSettings()
		w.checkSettings()
	})
}
