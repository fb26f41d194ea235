package sign_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
)

// judge returns the path of a program, or skips the test.
func judge(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on this machine", name)
	}
	return path
}

// gpgHome returns an empty GnuPG home; its agent is stopped when the test ends.
func gpgHome(t *testing.T) string {
	t.Helper()
	judge(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // short: the agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	write(t, home, "gpg-agent.conf", []byte("s2k-count 65536\n")) // or it measures for seconds
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	return home
}

// gpg runs gpg in home and returns its standard output.
func gpg(t *testing.T, home string, stdin []byte, args ...string) []byte {
	t.Helper()
	args = append([]string{"--homedir", home, "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""}, args...)
	cmd := exec.Command("gpg", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// gpgvKeyring turns public keys into the binary keyring that gpgv reads.
func gpgvKeyring(t *testing.T, public []byte) string {
	t.Helper()
	home := gpgHome(t)
	return write(t, t.TempDir(), "keyring.gpg", gpg(t, home, public, "--dearmor"))
}

func TestGpgvVerifiesSignatures(t *testing.T) {
	gpgv := judge(t, "gpgv")
	signers := map[string]*sign.Signer{"old": oldSigner(), "new": newSigner(), "both": both(t)}
	rings := map[string]string{}
	for name, s := range signers {
		rings[name] = gpgvKeyring(t, s.Public())
	}
	dir := t.TempDir()
	file := write(t, dir, "body", []byte(body))
	tampered := write(t, dir, "tampered", []byte(strings.Replace(body, "jammy", "noble", 1)))
	for _, tt := range []struct {
		name, signer, ring string
		want               verdict
	}{
		{"the right key", "old", "old", good},
		{"the wrong key", "old", "new", unknown},
		{"two signatures, both known", "both", "both", good},
		{"two signatures, the first known", "both", "old", goodAndUnknown},
		{"two signatures, the second known", "both", "new", goodAndUnknown},
		{"one signature, a keyring of two", "new", "both", good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := signers[tt.signer]
			signed := must(s.Clear([]byte(body), time.Now()))
			clear := write(t, t.TempDir(), "InRelease", signed)
			out := filepath.Join(t.TempDir(), "out")
			if got := gpgvSays(gpgv, "--keyring", rings[tt.ring], "--output", out, clear); got != tt.want {
				t.Errorf("cleartext: gpgv says %+v, want %+v", got, tt.want)
			}
			if text, err := os.ReadFile(out); tt.want == good && string(text) != body {
				t.Errorf("gpgv reads %q (%v), want %q", text, err, body)
			}
			bad := write(t, t.TempDir(), "InRelease", bytes.Replace(signed, []byte("jammy"), []byte("noble"), 1))
			if got := gpgvSays(gpgv, "--keyring", rings[tt.ring], bad); got.exit == 0 || got.good {
				t.Errorf("cleartext: gpgv says %+v of a tampered body", got)
			}
			sig := write(t, t.TempDir(), "Release.gpg", must(s.Detach([]byte(body), time.Now())))
			if got := gpgvSays(gpgv, "--keyring", rings[tt.ring], sig, file); got != tt.want {
				t.Errorf("detached: gpgv says %+v, want %+v", got, tt.want)
			}
			if got := gpgvSays(gpgv, "--keyring", rings[tt.ring], sig, tampered); got.exit == 0 || got.good {
				t.Errorf("detached: gpgv says %+v of a tampered body", got)
			}
		})
	}
}

// A verdict is what gpgv says: its exit status, and the lines that apt decides by. With an unknown key
// beside a known one gpgv exits 2, but apt goes by GOODSIG and the absence of BADSIG.
type verdict struct {
	exit      int
	good, bad bool
}

var (
	good           = verdict{exit: 0, good: true}
	goodAndUnknown = verdict{exit: 2, good: true}
	unknown        = verdict{exit: 2}
)

func gpgvSays(gpgv string, args ...string) verdict {
	cmd := exec.Command(gpgv, append([]string{"--status-fd", "1"}, args...)...)
	out, _ := cmd.Output()
	return verdict{
		exit: cmd.ProcessState.ExitCode(),
		good: bytes.Contains(out, []byte("[GNUPG:] GOODSIG")),
		bad:  bytes.Contains(out, []byte("[GNUPG:] BADSIG")),
	}
}

func run(name string, args ...string) bool { return exec.Command(name, args...).Run() == nil }

func TestSqvVerifiesSignatures(t *testing.T) {
	sqv := judge(t, "sqv")
	dir := t.TempDir()
	file := write(t, dir, "body", []byte(body))
	for name, s := range map[string]*sign.Signer{"one": oldSigner(), "two": both(t)} {
		ring := write(t, dir, "key.asc", oldSigner().Public())
		sig := write(t, dir, name+".asc", must(s.Detach([]byte(body), time.Now())))
		if !run(sqv, "--keyring", ring, sig, file) {
			t.Errorf("%s: sqv refuses", name)
		}
	}
}

func TestGpgImportsPublicKeys(t *testing.T) {
	home := gpgHome(t)
	s := both(t)
	listing := string(gpg(t, home, s.Public(), "--show-keys", "--with-colons"))
	for _, f := range s.Fingerprints() {
		if !strings.Contains(listing, "fpr:::::::::"+f+":") {
			t.Errorf("gpg --show-keys does not list %s:\n%s", f, listing)
		}
	}
	gpg(t, home, s.Public(), "--import")
	if got := strings.Count(string(gpg(t, home, nil, "--list-keys", "--with-colons")), "\npub:"); got != 2 {
		t.Errorf("gpg imported %d keys, want 2", got)
	}
}

func TestReadAcceptsKeysOfGpg(t *testing.T) {
	for _, tt := range []struct {
		name, algo, usage string
		subkey            string
	}{
		{"RSA", "rsa2048", "sign", ""},
		{"Ed25519", "ed25519", "sign", ""},
		{"a certifying key with a signing subkey", "rsa2048", "cert", "rsa2048"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := gpgHome(t)
			gpg(t, home, nil, "--quick-gen-key", "acme <a@example.org>", tt.algo, tt.usage, "never")
			if tt.subkey != "" {
				gpg(t, home, nil, "--quick-add-key", fingerprint(t, home), tt.subkey, "sign", "never")
			}
			s, err := sign.Read(gpg(t, home, nil, "--armor", "--export-secret-keys"))
			if err != nil {
				t.Fatal(err)
			}
			signed := must(s.Clear([]byte(body), time.Now().Add(time.Second)))
			if _, err := keyring(t, s.Public()).VerifyClear(signed); err != nil {
				t.Errorf("our own keyring: %v", err)
			}
			if _, err := keyring(t, gpg(t, home, nil, "--export")).VerifyClear(signed); err != nil {
				t.Errorf("gpg's binary export as keyring: %v", err)
			}
			if !run(judge(t, "gpgv"), "--keyring", gpgvKeyring(t, s.Public()), write(t, t.TempDir(), "InRelease", signed)) {
				t.Error("gpgv refuses")
			}
			detached := gpg(t, home, []byte(body), "--armor", "--digest-algo", "SHA512", "--detach-sign")
			if err := keyring(t, s.Public()).VerifyDetached([]byte(body), detached); err != nil {
				t.Errorf("a signature by gpg: %v", err)
			}
			clear := gpg(t, home, []byte(body), "--digest-algo", "SHA512", "--clear-sign")
			if got, err := keyring(t, s.Public()).VerifyClear(clear); err != nil || string(got) != body {
				t.Errorf("a cleartext signature by gpg: got %q, %v", got, err)
			}
		})
	}
}

func fingerprint(t *testing.T, home string) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(gpg(t, home, nil, "--list-keys", "--with-colons")), "fpr:::::::::")
	fpr, _, _ := strings.Cut(rest, ":")
	return fpr
}

func TestReadRefusesWeakKeys(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		make       func(t *testing.T, home string)
	}{
		{"RSA with 1024 bits", "1024 bits", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "rsa1024", "sign", "never")
		}},
		{"DSA", "algorithm", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "dsa1024", "sign", "never")
		}},
		{"a SHA-1 self-signature", "SHA-1", func(t *testing.T, home string) {
			gpg(t, home, nil, "--cert-digest-algo", "SHA1", "--quick-gen-key", "acme", "rsa2048", "sign", "never")
		}},
		{"a key that may not sign", "may sign", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "rsa2048", "cert", "never")
		}},
		{"a revoked key", "revoked", func(t *testing.T, home string) {
			gpg(t, home, nil, "--quick-gen-key", "acme", "rsa2048", "sign", "never")
			rev, err := os.ReadFile(filepath.Join(home, "openpgp-revocs.d", fingerprint(t, home)+".rev"))
			if err != nil {
				t.Fatal(err)
			}
			gpg(t, home, bytes.Replace(rev, []byte("\n:---"), []byte("\n---"), 1), "--import")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := gpgHome(t)
			tt.make(t, home)
			_, err := sign.Read(gpg(t, home, nil, "--armor", "--export-secret-keys"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
			// It may have signed packages, long ago.
			k, err := sign.ReadPackageKey(gpg(t, home, nil, "--export"))
			if err != nil || !strings.HasSuffix(fingerprint(t, home), k.ID) {
				t.Errorf("as a package key: got %s, %v", k.ID, err)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	home := gpgHome(t)
	gpg(t, home, nil, "--passphrase", "secret", "--quick-gen-key", "acme", "rsa2048", "sign", "never")
	locked := gpg(t, home, nil, "--passphrase", "secret", "--armor", "--export-secret-keys")
	one := private(t, oldSigner())
	for _, tt := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "no armoured key", nil},
		{"a public key", "public key", oldSigner().Public()},
		{"a passphrase", "passphrase", locked},
		{"a key given twice", "twice", append(one[:len(one):len(one)], one...)},
		{"a truncated key", "", one[:len(one)/2]},
		{"a signature", "not a key", must(oldSigner().Detach([]byte(body), now))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := sign.Read(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %q", err, tt.want)
			}
		})
	}
}

func TestExpiredKeys(t *testing.T) {
	home := gpgHome(t)
	gpg(t, home, nil, "--faked-system-time", "20260101T000000", "--quick-gen-key", "acme", "rsa2048", "sign", "10d")
	s, err := sign.Read(gpg(t, home, nil, "--armor", "--export-secret-keys"))
	if err != nil {
		t.Fatal(err)
	}
	made := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	if end := described(t, s).Expires; end.Before(made) || end.After(made.AddDate(0, 0, 30)) {
		t.Errorf("expires at %v", end)
	}
	sig, err := s.Detach([]byte(body), made)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Detach([]byte(body), made.AddDate(1, 0, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("sign a year later: got %v", err)
	}
	k := keyring(t, s.Public())
	if err := k.At(made.Add(time.Hour)).VerifyDetached([]byte(body), sig); err != nil {
		t.Errorf("verify while the key is valid: %v", err)
	}
	if err := k.At(made.AddDate(1, 0, 0)).VerifyDetached([]byte(body), sig); err == nil {
		t.Error("verify a year later: got no error")
	}
}
