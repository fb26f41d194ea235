package publish_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/publish/publishtest"
	"repomill/publish/sign"
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

// A directory that is declared after noarch packages has them in its first release, after any fault.
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

// Where there is a keyring package, apt reads the key that this keeps up to date, and no copy of it.
func TestSourcesNameTheKeyringPackage(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(jammy)
		key := layout.SourcesKey(tools, jammy.Distribution)
		before := string(w.bucket.Bytes(key))
		w.change(func(s *catalog.Settings) { s.Keyring = &catalog.KeyringPackage{On: true} })
		if err := w.publisher().Settings(t.Context(), tools); err != nil {
			t.Fatal(err)
		}
		want := `# acme/tools for ubuntu/jammy
# the key file is kept up to date by the package acme-tools-archive-keyring; before it is installed:
# curl -fsSLo /usr/share/keyrings/acme-tools-archive-keyring.asc https://packages.example.org/acme/tools/gpgkey
Types: deb
URIs: https://packages.example.org/acme/tools/ubuntu/
Suites: jammy
Components: main
Signed-By: /usr/share/keyrings/acme-tools-archive-keyring.asc
`
		if diff := cmp.Diff(want, string(w.bucket.Bytes(key))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
		w.change(func(s *catalog.Settings) { s.Keyring = &catalog.KeyringPackage{Version: "20261129.1"} })
		if err := w.publisher().Settings(t.Context(), tools); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, string(w.bucket.Bytes(key))); diff != "" {
			t.Errorf("%s, once it is off again (-want +got):\n%s", key, diff)
		}
	})
}

// Clients of a private repository find its keys outside of it, where they need no token.
func TestPrivateRepoNamesSharedKeys(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		key := packageKey(t)
		w.change(func(s *catalog.Settings) {
			s.Visibility = catalog.Private
			s.PackageKeys = []catalog.PackageKey{key}
		})
		w.publish(el9)
		config := string(w.bucket.Bytes(layout.RepoKey(tools, el9.Distribution)))
		want := "gpgkey=" + publicURL + "/gpg.key\n       " + publicURL + "/gpgkey/" + key.ID + "\n"
		if strings.Count(config, want) != 2 || strings.Count(config, "gpgkey") != 2*2 {
			t.Errorf("want %q for packages and for sources, got\n%s", want, config)
		}
		if got := w.bucket.Bytes("gpg.key"); !bytes.Equal(got, signer().Public()) {
			t.Errorf("gpg.key is %q", got)
		}
		if got := w.bucket.Bytes("gpgkey/" + key.ID); string(got) != key.Armor {
			t.Errorf("the package key is %q", got)
		}
	})
}

// The key beside repomd.xml is there with the first release, and becomes another one when the keys do.
func TestMetadataKeyFollowsTheKeys(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		w.publish(el9)
		aarch64 := in(el9, "aarch64")
		if key := layout.MetadataKeyKey(aarch64); slices.Contains(w.bucket.Keys(), key) {
			t.Errorf("%s is there, its release is not", key)
		}
		w.publish(aarch64)
		both := bothSigners(t, signer(), generate("more"))
		for _, s := range []*sign.Signer{signer(), both} {
			if err := w.publisherWith(s, publicURL).Settings(t.Context(), tools); err != nil {
				t.Fatal(err)
			}
			for _, r := range []catalog.Release{el9, aarch64} {
				if got := w.bucket.Bytes(r.String() + "/repodata/repomd.xml.key"); !bytes.Equal(got, s.Public()) {
					t.Errorf("the key of %s is %q", r, got)
				}
			}
		}
		w.bucket.Writes()
		if err := w.publisherWith(both, publicURL).Settings(t.Context(), tools); err != nil {
			t.Fatal(err)
		}
		w.checkSilent("keys that did not change")
	})
}

// Two repositories have one package key in different states: the later state is served, in either order of publishing.
func TestSharedKeyIsTheLatest(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		first, later := extendedKey(t)
		for range 2 {
			for _, k := range []catalog.PackageKey{first, later} {
				w.change(func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{k} })
				w.publishSettings()
				if got := string(w.bucket.Bytes(layout.PackageKeyKey(tools, k.ID))); got != k.Armor {
					t.Errorf("the repository's own is %q", got)
				}
			}
			w.change(func(s *catalog.Settings) { s.PackageKeys = []catalog.PackageKey{first} })
			w.publishSettings()
			if got := string(w.bucket.Bytes(layout.SharedKeyKey(first.ID))); got != later.Armor {
				t.Errorf("the shared one is %q", got)
			}
		}
	})
}

// bothSigners returns a signer with the keys of two.
func bothSigners(t testing.TB, a, b *sign.Signer) *sign.Signer {
	t.Helper()
	one, err := a.Private()
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Private()
	if err != nil {
		t.Fatal(err)
	}
	both, err := sign.Read(slices.Concat(one, two))
	if err != nil {
		t.Fatal(err)
	}
	return both
}

// extendedKey returns a package key, and the same one after its owner had added a name to it.
func extendedKey(t *testing.T) (first, later catalog.PackageKey) {
	t.Helper()
	at := func(day int) *packet.Config {
		return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }}
	}
	e, err := openpgp.NewEntity("first", "", "", at(1))
	if err != nil {
		t.Fatal(err)
	}
	read := func() catalog.PackageKey {
		var b bytes.Buffer
		if err := e.Serialize(&b); err != nil {
			t.Fatal(err)
		}
		k, err := sign.ReadPackageKey(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first = read()
	if err := e.AddUserId("second", "", "", at(2)); err != nil {
		t.Fatal(err)
	}
	return first, read()
}
