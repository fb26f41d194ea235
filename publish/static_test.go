package publish_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/publish/publishtest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/rpmtest"
)

// The contents are in the golden releases; here is what becomes of them.
func TestChangedURLIsRepaired(t *testing.T) {
	for r, config := range map[catalog.Release]string{
		jammy: layout.SourcesKey(tools, jammy.Distribution),
		el9:   layout.RepoKey(tools, el9.Distribution),
	} {
		simulate(t, func(t *testing.T, w *world) {
			w.publish(r)
			before := string(w.bucket.Bytes(config))
			w.bucket.Writes()
			const moved = "https://moved.example.org"
			if _, err := w.publisherWith(signer(), moved).Repair(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{config}, w.bucket.Writes()); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.ReplaceAll(before, publicURL, moved), string(w.bucket.Bytes(config))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", config, diff)
			}
			w.check(r)
		})
	}
}

func TestStaticsFollowTheCatalog(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		for range 2 {
			w.publish(jammy)
			want, err := w.db.Settings(t.Context(), tools)
			if err != nil {
				t.Fatal(err)
			}
			var got catalog.Settings
			if err := json.Unmarshal(w.bucket.Bytes(layout.SettingsKey(tools)), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if got := w.bucket.Bytes(layout.GPGKeyKey(tools)); string(got) != string(signer().Public()) {
				t.Errorf("gpgkey is %q", got)
			}
			w.declare(jammy, "contrib", "riscv64")
		}
		if config := string(w.bucket.Bytes(layout.SourcesKey(tools, jammy.Distribution))); !strings.Contains(config, "\nComponents: contrib main\n") {
			t.Errorf("client configuration: %s", config)
		}
		w.check(jammy)
	})
}

// A directory that is declared after noarch packages has them in its first release, whatever fails.
func TestNewDirectoryHasNoarch(t *testing.T) {
	const file = "hello-data-1.0-1.noarch.rpm"
	for name, fail := range map[string]func(*publishtest.Bucket){
		"nothing fails":                       func(*publishtest.Bucket) {},
		"the copy is lost":                    func(b *publishtest.Bucket) { b.FailOnce("ppc64le/"+file, publishtest.Lost) },
		"the copy is stored but not reported": func(b *publishtest.Bucket) { b.FailOnce("ppc64le/"+file, publishtest.Stored) },
		"the pointer is lost":                 func(b *publishtest.Bucket) { b.FailOnce("ppc64le/repodata/repomd.xml", publishtest.Lost) },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) {
				w.push(w.rpm(el9, rpmtest.Spec{Name: "hello-data", Arch: "noarch"}), w.rpm(el9, rpmtest.Spec{Name: "hello"}))
				w.publish(el9)
				w.declare(el9, "", "ppc64le")
				added := in(el9, "ppc64le")
				if key := added.String() + "/" + file; slices.Contains(w.bucket.Keys(), key) {
					t.Fatalf("%s is there already", key)
				}
				fail(w.bucket)
				p := w.publisher()
				_, first := p.Release(t.Context(), added)
				if _, err := p.Release(t.Context(), added); err != nil {
					t.Errorf("%v, then %v", first, err)
				}
				if got := w.check(added); got.Packages != 1 {
					t.Errorf("got %+v", got)
				}
				w.check(el9)
			})
		})
	}
}

// Packages are checked against the registered keys, which are named beside the one of the metadata.
func TestRepoWithPackageKeys(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(el9)
		key := layout.RepoKey(tools, el9.Distribution)
		before := string(w.bucket.Bytes(key))
		one, two := packageKey(t), packageKey(t)
		one.ID, two.ID = "0123456789ABCDEF", "3D645A26AB9FBD22"
		c := w.config()
		s := &fakeSettings{DB: w.db, settings: w.settings()}
		s.settings.PackageKeys = []catalog.PackageKey{one, two}
		c.Catalog = s
		if err := newPublisher(t, c).Settings(t.Context(), tools); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(before, "# packages need no signature of their own: the signed metadata pins the sha256 of every one\ngpgcheck=0\n", "gpgcheck=1\n")
		want = strings.ReplaceAll(want, "gpgkey=https://packages.example.org/acme/tools/gpgkey\n", `gpgkey=https://packages.example.org/acme/tools/gpgkey
       https://packages.example.org/acme/tools/gpgkeys/acme-tools-0123456789ABCDEF.pub.gpg
       https://packages.example.org/acme/tools/gpgkeys/acme-tools-3D645A26AB9FBD22.pub.gpg
`)
		if diff := cmp.Diff(want, string(w.bucket.Bytes(key))); diff != "" || strings.Count(want, "gpgcheck=1") != 2+2 {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	})
}
