package pgp_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"repomill/ingest/pgp"
	"repomill/schemas/catalog"
)

// A gpgHome is a GnuPG of its own, at a time of its own.
type gpgHome struct {
	t   *testing.T
	dir string
}

func newGPG(t *testing.T) gpgHome {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("no gpg to make keys and signatures with")
	}
	g := gpgHome{t, t.TempDir()}
	t.Cleanup(func() { exec.Command("gpgconf", "--homedir", g.dir, "--kill", "all").Run() }) //nolint:errcheck // it may have ended
	return g
}

func (g gpgHome) run(at time.Time, stdin []byte, args ...string) []byte {
	g.t.Helper()
	args = append([]string{"--homedir", g.dir, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "",
		"--faked-system-time", at.Format("20060102T150405!")}, args...)
	cmd := exec.Command("gpg", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func (g gpgHome) fingerprint() string {
	_, rest, _ := strings.Cut(string(g.run(now, nil, "--list-keys", "--with-colons")), "\nfpr:::::::::")
	f, _, _ := strings.Cut(rest, ":")
	return f
}

// Keys that gpg makes and changes, and what it signs with them.
func TestKeysOfGpg(t *testing.T) {
	for _, tt := range []struct {
		name, algorithm, usage, expires string
		options                         []string // of its making
		change                          func(g gpgHome)
		want                            catalog.Reason
		says                            string
	}{
		{name: "RSA", algorithm: "rsa2048", usage: "sign", expires: "never"},
		{name: "Ed25519", algorithm: "ed25519", usage: "sign", expires: "never"},
		{name: "ECDSA", algorithm: "nistp384", usage: "sign", expires: "never"},
		{name: "a subkey that signs", algorithm: "ed25519", usage: "cert", expires: "never",
			change: func(g gpgHome) {
				g.run(made.Add(day), nil, "--quick-add-key", g.fingerprint(), "rsa2048", "sign", "never")
			}},
		{name: "it was extended after it had signed", algorithm: "rsa2048", usage: "sign", expires: "50d",
			change: func(g gpgHome) { g.run(made.Add(49*day), nil, "--quick-set-expire", g.fingerprint(), "5y") }},
		{name: "the curve is another", algorithm: "brainpoolP256r1", usage: "sign", expires: "never", want: catalog.BadSignature, says: "which not all clients know"},
		{name: "DSA", algorithm: "dsa2048", usage: "sign", expires: "never", want: catalog.BadSignature, says: "DSA"},
		{name: "SHA-1 upon itself", algorithm: "rsa2048", usage: "sign", expires: "never", options: []string{"--cert-digest-algo", "SHA1"},
			want: catalog.BadSignature, says: "--cert-digest-algo SHA512"},
		{name: "SHA-1 upon itself, and signed once more", algorithm: "rsa2048", usage: "sign", expires: "never", options: []string{"--cert-digest-algo", "SHA1"},
			change: func(g gpgHome) {
				g.run(made.Add(day), nil, "--cert-digest-algo", "SHA512", "--quick-set-expire", g.fingerprint(), "5y")
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGPG(t)
			g.run(made, nil, append(tt.options, "--quick-gen-key", "acme", tt.algorithm, tt.usage, tt.expires)...)
			if tt.change != nil {
				tt.change(g)
			}
			for _, export := range []string{"export-clean", "export-minimal"} { // minimal: without the older signatures
				armor := string(g.run(now, nil, "--armor", "--export-options", export, "--export"))
				r, err := pgp.Read(tools, []catalog.PackageKey{{ID: "acme", Armor: armor}})
				if err != nil {
					t.Fatal(err)
				}
				sig := g.run(made.Add(10*day), content, "--digest-algo", "SHA512", "--detach-sign")
				err = verify(r, sig, content)
				if tt.want == "" && err != nil || tt.want != "" && (reason(err) != tt.want || !strings.Contains(err.Error(), tt.says)) {
					t.Errorf("%s: got %v, want %q", export, err, tt.want)
				}
				if problems := r.Unusable(now); (len(problems) > 0) != (tt.want != "") || len(problems) > 0 && !strings.HasPrefix(problems[0], g.fingerprint()+": ") {
					t.Errorf("%s: unusable: %q", export, problems)
				}
			}
		})
	}
}
