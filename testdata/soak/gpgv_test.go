package soak_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ProtonMail/go-crypto/openpgp/armor"

	"repomill/schemas/catalog"
)

// A gpgv asks GnuPG about signatures, now and then.
type gpgv struct {
	*soaking
	path, dir, keyring string // path is empty if it is not installed
	offered            int
}

// perGPGV is how many signatures lie between two that GnuPG judges.
const perGPGV = 40

func newGPGV(k *soaking) (*gpgv, error) {
	g := &gpgv{soaking: k, dir: filepath.Dir(k.site.keyring)}
	g.keyring = filepath.Join(g.dir, "trusted.gpg")
	var err error
	if g.path, err = exec.LookPath("gpgv"); err != nil {
		k.site.t.Log("gpgv is not installed: signatures are judged by our own package alone")
		return g, nil
	}
	armored, err := os.ReadFile(k.site.keyring)
	if err != nil {
		return nil, err
	}
	block, err := armor.Decode(bytes.NewReader(armored))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(block.Body)
	if err != nil {
		return nil, err
	}
	return g, os.WriteFile(g.keyring, raw, 0o644)
}

// clear judges a signed text.
func (g *gpgv) clear(release catalog.Release, signed []byte) { g.judge(release, signed, nil) }

// detached judges a signature of a text.
func (g *gpgv) detached(release catalog.Release, body, sig []byte) { g.judge(release, body, sig) }

func (g *gpgv) judge(release catalog.Release, body, sig []byte) {
	if g.offered++; g.path == "" || g.offered%perGPGV != 1 {
		return
	}
	text, signature := filepath.Join(g.dir, "gpgv-text"), filepath.Join(g.dir, "gpgv-text.asc")
	args := []string{"--keyring", g.keyring, text}
	err := os.WriteFile(text, body, 0o644)
	if err == nil && sig != nil {
		args = []string{"--keyring", g.keyring, signature, text}
		err = os.WriteFile(signature, sig, 0o644)
	}
	if err != nil {
		g.site.t.Error(err)
		return
	}
	g.gpgvs.Add(1)
	if out, err := exec.Command(g.path, args...).CombinedOutput(); err != nil {
		g.soaking.judge.violated("I8", "%s: gpgv: %v\n%s", release, err, out)
	}
}
