package catalogdb_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	noble = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "noble"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
	start = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
)

func after(d time.Duration) time.Time { return start.Add(d) }

// in returns another architecture directory of an RPM release.
func in(r catalog.Release, arch string) catalog.Release {
	r.Arch = arch
	return r
}

// distro returns the entry of the distribution table for a release.
func distro(r catalog.Release) layout.Distro {
	if r.Arch == "" {
		return layout.Distro{Distribution: r.Distribution, Format: catalog.DEB, Architectures: []string{"amd64", "arm64"}}
	}
	return layout.Distro{Distribution: r.Distribution, Format: catalog.RPM, Architectures: []string{"SRPMS", "aarch64", "x86_64"}}
}

// declare makes the distribution of a release exist, with one more architecture for each of more.
func declare(t *testing.T, db *catalogdb.DB, r catalog.Release, more ...string) {
	t.Helper()
	for _, arch := range append(more, "") {
		if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: r.Repository, Distro: distro(r), Arch: arch}, start); err != nil {
			t.Fatal(err)
		}
	}
}

// deb returns a package of a DEB release; its canonical version is its version.
func deb(r catalog.Release, name, version string) catalog.Package {
	k := catalog.Package{
		Repository: r.Repository, Distribution: r.Distribution, Component: "main", Format: catalog.DEB,
		Name: name, Version: version, Canonical: version, Arch: "amd64", SortKey: []byte(name + "\x00" + version),
		File: file(name + version), Uploaded: start, Stanza: []byte("Package: " + name + "\nVersion: " + version + "\n"),
	}
	k.Key = layout.PoolKey(k)
	return k
}

// rpm returns a package for any directory of an RPM release.
func rpm(r catalog.Release, name, version, arch string) catalog.Package {
	k := catalog.Package{
		Repository: r.Repository, Distribution: r.Distribution, Format: catalog.RPM,
		Name: name, Version: version, Canonical: version, Arch: arch, SortKey: []byte(name + "\x00" + version + "\x00" + arch),
		File: file(name + version + arch), Uploaded: start,
		Primary: []byte("<package>" + name + "</package>\n"), Filelists: []byte("<package/>\n"), Other: []byte("<package></package>\n"),
	}
	k.Key = layout.RPMKey(k, layout.RPMDirs(k, []string{"aarch64"})[0])
	return k
}

func file(content string) catalog.File {
	sum := sha256.Sum256([]byte(content))
	return catalog.File{Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

// noise returns bytes that cannot be compressed.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b) //nolint:errcheck // never fails
	return b
}

func uploadOf(k catalog.Package) catalog.Upload {
	return catalog.Upload{Bucket: "staging", Object: k.Repository.String() + "/" + k.Distribution.String() + "/" + k.Name + "_" + k.Version + "_" + k.Arch, Generation: "1", Size: k.File.Size}
}

var lease = catalogdb.Lease{Owner: "worker", For: time.Minute}

// take takes the lease of an upload, which must be free.
func take(t *testing.T, db *catalogdb.DB, u catalog.Upload, now time.Time) (token string) {
	t.Helper()
	token, state, err := db.Take(t.Context(), u, lease, now)
	if err != nil || token == "" || state != catalog.Received {
		t.Fatalf("take %s: got token %q, state %q, %v; want a token", u, token, state, err)
	}
	return token
}

func claim(t *testing.T, db *catalogdb.DB, k catalog.Package) {
	t.Helper()
	if _, _, err := db.Claim(t.Context(), k, catalog.Upload{}); err != nil {
		t.Fatal(err)
	}
}

// store takes an upload of k, claims its identity, and returns what Activate wants.
func store(t *testing.T, db *catalogdb.DB, k catalog.Package, generation string, dirs ...string) catalogdb.Stored {
	t.Helper()
	u := uploadOf(k)
	u.Generation = generation
	claim(t, db, k)
	return catalogdb.Stored{Upload: u, Token: take(t, db, u, start), Package: k, Dirs: dirs}
}

func activate(t *testing.T, db *catalogdb.DB, stored ...catalogdb.Stored) {
	t.Helper()
	if err := db.Activate(t.Context(), stored, start); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, db *catalogdb.DB, r catalog.Release, revision int64, now time.Time) {
	t.Helper()
	if err := db.Publish(t.Context(), r, revision, now); err != nil {
		t.Fatal(err)
	}
}

// push does for k all that a worker does before it publishes. It may be called by any goroutine.
func push(t *testing.T, db *catalogdb.DB, k catalog.Package, dirs ...string) error {
	u := uploadOf(k)
	token, state, err := db.Take(t.Context(), u, lease, start)
	if err != nil || token == "" {
		return fmt.Errorf("take %s: state %q, %w", u, state, err)
	}
	if holder, _, err := db.Claim(t.Context(), k, catalog.Upload{}); err != nil || holder.File != k.File {
		return fmt.Errorf("claim %s: %s holds it, %w", u, holder.File.SHA256, err)
	}
	return db.Activate(t.Context(), []catalogdb.Stored{{Upload: u, Token: token, Package: k, Dirs: dirs}}, start)
}

func releases(t *testing.T, db *catalogdb.DB) []catalogdb.ReleaseState {
	t.Helper()
	all, err := db.Releases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stateOf returns the state of a release.
func stateOf(t *testing.T, db *catalogdb.DB, r catalog.Release) catalogdb.ReleaseState {
	t.Helper()
	for _, s := range releases(t, db) {
		if s.Release == r {
			return s
		}
	}
	t.Fatalf("there is no release %s", r)
	return catalogdb.ReleaseState{}
}

// checkRevision fails unless a release is at this revision.
func checkRevision(t *testing.T, db *catalogdb.DB, r catalog.Release, want int64) {
	t.Helper()
	if got := stateOf(t, db, r).Revision.Number; got != want {
		t.Errorf("%s is at revision %d, want %d", r, got, want)
	}
}

func verdictOf(t *testing.T, db *catalogdb.DB, u catalog.Upload) catalog.Verdict {
	t.Helper()
	v, err := db.Verdict(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkUpload fails unless an upload is in this state.
func checkUpload(t *testing.T, db *catalogdb.DB, u catalog.Upload, want catalog.UploadState) {
	t.Helper()
	v := verdictOf(t, db, u)
	if v.State != want || want.Final() != (v.Finished != nil) {
		t.Errorf("%s is %q, finished %v; want %q", u, v.State, v.Finished, want)
	}
}

// checkPackage fails unless the row of an identity is in this state.
func checkPackage(t *testing.T, db *catalogdb.DB, k catalog.Package, want catalog.PackageState) {
	t.Helper()
	if got, err := db.Find(t.Context(), k); err != nil || got.State != want {
		t.Errorf("%s %s is %q, %v; want %q", k.Name, k.Version, got.State, err, want)
	}
}

// names returns "name version arch" of what a release shows, as a snapshot has it.
func names(t *testing.T, db *catalogdb.DB, r catalog.Release) []string {
	t.Helper()
	s := snapshot(t, db, r)
	defer s.Close()
	var all []string
	for k, err := range s.Packages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.Join([]string{k.Name, k.Version, k.Arch}, " "))
	}
	return all
}

func snapshot(t *testing.T, db *catalogdb.DB, r catalog.Release) *catalogdb.Snapshot {
	t.Helper()
	s, err := db.Snapshot(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkPushed fails unless a release has n packages, for each of which a revision was issued after the first one.
func checkPushed(t *testing.T, db *catalogdb.DB, r catalog.Release, n int) {
	t.Helper()
	if got := len(names(t, db, r)); got != n {
		t.Errorf("%s shows %d packages, want %d", r, got, n)
	}
	checkRevision(t, db, r, int64(n)+1)
}

var noncePattern = regexp.MustCompile(`^[0-9a-f]{16}$`)
