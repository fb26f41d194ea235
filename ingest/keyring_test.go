package ingest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/pgptest"
	"repomill/testdata/rpmtest"
)

// While repomill makes the keyring package of a repository, no other package takes its name.
func TestTheNameOfTheKeyringPackageIsReserved(t *testing.T) {
	s := newSite(t)
	build := func(version string) []byte {
		return debtest.Build(t, debtest.Spec{Name: "acme-tools-archive-keyring", Version: version})
	}
	set := func(k catalog.KeyringPackage) {
		t.Helper()
		_, err := s.db.ChangeSettings(t.Context(), tools, noon, func(s *catalog.Settings) error {
			s.Keyring = &k
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	ours := build("20261129.1")
	sum := sha256.Sum256(ours)
	on := catalog.KeyringPackage{On: true, Version: "20261129.1", Files: []catalog.KeyringFile{{For: "deb", SHA256: hex.EncodeToString(sum[:])}}}
	const object = "acme/tools/ubuntu/jammy/"

	s.accept(s.put(object+"before.deb", build("0.1"))) // nothing is made yet
	set(on)
	s.accept(s.put(object+"ours.deb", ours)) // at once, although the settings were read a moment ago
	for file, version := range map[string]string{"newer.deb": "99999999.1", "other.deb": "0.2"} {
		_, err := s.Store(t.Context(), s.put(object+file, build(version)))
		wantRejection(t, err, catalog.ReservedName, "acme-tools-archive-keyring is the package with the keys of acme/tools", "--keyring-package off")
	}
	same := debtest.Build(t, debtest.Spec{Name: "acme-tools-archive-keyring", Version: "20261129.1", Size: 100})
	_, err := s.Store(t.Context(), s.put(object+"same.deb", same))
	wantRejection(t, err, catalog.ReservedName)
	s.store(s.put(object+"again.deb", ours)) // a duplicate
	s.store(s.put(object+"elsewhere.deb", debtest.Build(t, debtest.Spec{Name: "acme-other-archive-keyring"})))
	s.store(s.put("acme/tools/el/9/other.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "acme-tools-archive-keyring"}))) // the name for DEB

	on.On = false
	set(on)
	s.store(s.put(object+"off.deb", build("0.3")))
}

// What repomill made is taken where packages have to be signed by a vendor's key: it is signed by the repository's.
func TestTheKeyringPackageNeedsNoPackageKey(t *testing.T) {
	s := newSite(t)
	ours := rpmtest.Build(t, rpmtest.Spec{Name: "acme-tools-release", Version: "20261129.1", Arch: "noarch"})
	sum := sha256.Sum256(ours)
	vendor := pgptest.New(t, pgptest.Options{Kind: pgptest.RSA, Made: noon.Add(-time.Hour)})
	_, err := s.db.ChangeSettings(t.Context(), tools, noon, func(s *catalog.Settings) error {
		s.PackageKeys, s.RequireSigned = []catalog.PackageKey{vendor.Package(t)}, []catalog.Format{catalog.RPM}
		s.Keyring = &catalog.KeyringPackage{On: true, Version: "20261129.1", Files: []catalog.KeyringFile{{For: "el/9", SHA256: hex.EncodeToString(sum[:])}}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.store(s.put("acme/tools/el/9/ours.rpm", ours))
	_, err = s.Store(t.Context(), s.put("acme/tools/el/9/theirs.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "acme-tools-release", Version: "20261129.2", Arch: "noarch"})))
	wantRejection(t, err, catalog.ReservedName)
	_, err = s.Store(t.Context(), s.put("acme/tools/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{})))
	wantRejection(t, err, catalog.Unsigned)
}
