package ingest_test

import (
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"repomill/schemas/catalog"
	"repomill/testdata/pgptest"
	"repomill/testdata/rpmtest"
)

const day = 24 * time.Hour

// keysMade is when the keys of these tests were made, signedAt when packages were signed with them.
var (
	keysMade = time.Now().Add(-400 * day).Truncate(time.Second)
	signedAt = keysMade.Add(100 * day)
)

// signers are the keys of these tests. They are made once: RSA takes its time.
var signers = sync.OnceValue(func() map[string]*pgptest.Key {
	t := mustMake{}
	keys := map[string]*pgptest.Key{}
	for name, o := range map[string]pgptest.Options{
		"rsa":             {Kind: pgptest.RSA},
		"rsa1024":         {Kind: pgptest.RSA1024},
		"ecdsa":           {Kind: pgptest.ECDSA},
		"eddsa":           {Kind: pgptest.EdDSA},
		"version 6":       {Kind: pgptest.Ed25519},
		"stranger":        {Kind: pgptest.EdDSA},
		"subkey":          {Kind: pgptest.EdDSA, Subkey: true},
		"had expired":     {Kind: pgptest.EdDSA, Lifetime: 50 * day},
		"expired since":   {Kind: pgptest.EdDSA, Lifetime: 200 * day},
		"leaked":          {Kind: pgptest.EdDSA},
		"leaked subkey":   {Kind: pgptest.EdDSA, Subkey: true},
		"was retired":     {Kind: pgptest.EdDSA},
		"retired since":   {Kind: pgptest.EdDSA},
		"cannot sign yet": {Kind: pgptest.EdDSA, Made: signedAt.Add(day)},
	} {
		if o.Made.IsZero() {
			o.Made = keysMade
		}
		keys[name] = pgptest.New(t, o)
	}
	keys["leaked"].RevokeAt(t, signedAt.Add(day), packet.KeyCompromised)
	keys["leaked subkey"].RevokeAt(t, signedAt.Add(day), packet.KeyCompromised)
	keys["was retired"].RevokeAt(t, signedAt.Add(-day), packet.KeyRetired)
	keys["retired since"].RevokeAt(t, signedAt.Add(day), packet.KeyRetired)
	return keys
})

// mustMake panics where a test would fail: the keys belong to no one test.
type mustMake struct{ testing.TB }

func (mustMake) Helper()                           {}
func (mustMake) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// by returns what signs with a key.
func by(t *testing.T, key string, version int, hash crypto.Hash) rpmtest.Signer {
	return func(b []byte) []byte { return signers()[key].Sign(t, version, hash, signedAt, b) }
}

// then returns a signer whose signatures are changed.
func then(s rpmtest.Signer, change func([]byte) []byte) rpmtest.Signer {
	return func(b []byte) []byte { return change(s(b)) }
}

// A judge is an rpm that says whether a package is signed.
type judge struct {
	root   string // "" for this machine
	six    bool   // rpm 6
	policy bool   // it refuses what Sequoia's policy does
}

func (j judge) String() string {
	if j.root == "" {
		return "rpm of this machine"
	}
	return "rpm of " + filepath.Base(j.root)
}

// judges returns the rpm of this machine and those of the roots.
func judges(t *testing.T) (all []judge) {
	t.Helper()
	roots := []string{""}
	if *rpmRoots != "" {
		found, err := filepath.Glob(filepath.Join(*rpmRoots, "*", "usr", "bin", "rpmkeys"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no rpmkeys below %s: %v", *rpmRoots, err)
		}
		for _, f := range found {
			roots = append(roots, strings.TrimSuffix(f, "/usr/bin/rpmkeys"))
		}
	} else if _, err := exec.LookPath("rpmkeys"); err != nil {
		return nil
	}
	weak := rpmtest.Sign(t, rpmtest.Build(t, rpmtest.Spec{}), map[uint32][]rpmtest.Signer{rpmtest.SigRSA: {by(t, "rsa", 4, crypto.SHA1)}})
	for _, root := range roots {
		j := judge{root: root}
		out, err := j.command("--version").CombinedOutput()
		if err != nil {
			t.Logf("%s: %v\n%s", j, err, out)
			continue
		}
		j.six = strings.Contains(string(out), " 6.")
		j.policy, _ = j.refuses(t, weak, "rsa")
		all = append(all, j)
	}
	return all
}

func (j judge) command(args ...string) *exec.Cmd {
	if j.root == "" {
		return exec.Command("rpmkeys", args...)
	}
	return exec.Command("chroot", append([]string{j.root, "rpmkeys"}, args...)...)
}

// refuses reports whether dnf would refuse the package b with the keys: it asks rpmkeys in this way. A judge that does not
// import a key is none.
func (j judge) refuses(t *testing.T, b []byte, keys ...string) (refused, imported bool) {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Join("/", j.root, "tmp"), "rpmkeys")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	inside := strings.TrimPrefix(dir, j.root)
	own := []string{"--dbpath", inside + "/db", "--define", "_keyringpath " + inside + "/keyring"}
	for _, k := range keys {
		write(t, dir+"/key.asc", []byte(signers()[k].Package(t).Armor))
		if out, err := j.command(append(own, "--import", inside+"/key.asc")...).CombinedOutput(); err != nil || strings.Contains(string(out), "import failed") {
			return true, false
		}
	}
	write(t, dir+"/p.rpm", b)
	err = j.command(append(own, "--define", "_pkgverify_level signature", "--define", "_pkgverify_flags 0x0", "--checksig", "--verbose", inside+"/p.rpm")...).Run()
	return err != nil, true
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// require has acme/tools take packages of formats only if they are signed with some keys.
func (s *site) require(formats []catalog.Format, keys ...string) {
	s.t.Helper()
	_, err := s.db.ChangeSettings(s.t.Context(), tools, noon, func(set *catalog.Settings) error {
		set.PackageKeys = nil
		for _, k := range keys {
			set.PackageKeys = append(set.PackageKeys, signers()[k].Package(s.t))
		}
		set.RequireSigned = formats
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
