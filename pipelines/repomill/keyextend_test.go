package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// gpgKey returns an armoured private key that gpg makes, and its fingerprint.
func gpgKey(t *testing.T, passphrase string, args ...string) (private []byte, fingerprint string) {
	t.Helper()
	proctest.Need(t, "gpg")
	home, err := os.MkdirTemp("", "gpg") // short: the agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() //nolint:errcheck // best effort
		os.RemoveAll(home)                                                //nolint:errcheck // likewise
	}()
	gpg := func(args ...string) string {
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", passphrase}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v\n%s", args, err, stderr.Bytes())
		}
		return string(out)
	}
	gpg(args...)
	_, rest, _ := strings.Cut(gpg("--list-keys", "--with-colons"), "fpr:::::::::")
	fingerprint, _, _ = strings.Cut(rest, ":")
	return []byte(gpg("--armor", "--export-secret-keys")), fingerprint
}

// expiryIn returns when a key in a file of public keys expires.
func expiryIn(t *testing.T, public []byte, fingerprint string) string {
	t.Helper()
	all, err := sign.ReadPublic(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		if k.Fingerprint == fingerprint {
			return k.Expires.Format(time.DateOnly)
		}
	}
	t.Fatalf("%s is not among the keys", fingerprint)
	return ""
}

// The key of a running site, protected by a passphrase, is about to expire.
func TestExtendingAKey(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	const passphrase = "correct horse, battery staple"
	private, name := gpgKey(t, passphrase, "--quick-gen-key", "acme", "rsa2048", "sign", "20d")
	standby, next := gpgKey(t, "", "--quick-gen-key", "acme, next", "rsa2048", "sign", "never")
	for file, body := range map[string][]byte{"signing-key.asc": append(private, standby...), "passphrase": []byte(passphrase + "\n"), "wrong": []byte("wrong\n")} {
		if err := os.WriteFile(data+"/"+file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := restart(t, data, "--signing-key-passphrase-file", data+"/passphrase")
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}))
	s.publish(t, "acme/tools/el/9", newRPM(t, rpmtest.Spec{}))
	hint := func() []byte {
		found, err := sign.ReadPublic(private)
		if err != nil {
			t.Fatal(err)
		}
		return s.fetch(t, "acme/tools/el/9/x86_64/repodata/"+found[0].RPMName()+".asc")
	}
	soon := time.Now().AddDate(0, 0, 20).UTC().Format(time.DateOnly)
	if a := s.key(t, 1, "status"); !strings.Contains(a.Stdout, name+" (signing) expires on "+soon) || !strings.Contains(a.Stdout, "repomill key extend") {
		t.Errorf("status: %v", a)
	}
	repomd := s.fetch(t, "acme/tools/el/9/x86_64/repodata/repomd.xml")
	before, err := os.ReadFile(data + "/signing-key.asc")
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{2, "--for 2y", nil},
		{2, "--until \"soon\"", []string{"--until", "soon"}},
		{1, "already", []string{"--for", "1d", "--signing-key-passphrase-file", data + "/passphrase"}},
		{1, "none is given: write it into a file, and name that with --signing-key-passphrase-file", []string{"--for", "2y"}},
		{1, "none in the file of --signing-key-passphrase-file opens it", []string{"--for", "2y", "--signing-key-passphrase-file", data + "/wrong"}},
		{1, "never expires", []string{next, "--for", "2y"}},
		{1, "there is no key 0123456789", []string{"0123456789", "--for", "2y"}},
		{1, "its private part is not in", []string{"--for", "2y", "--signing-key", "file://" + writeOther(t, data)}},
	} {
		if a := s.key(t, tt.code, append([]string{"extend"}, tt.args...)...); !strings.Contains(a.Stderr, tt.want) {
			t.Errorf("extend %q: %v, want %q", tt.args, a, tt.want)
		}
	}
	if file, err := os.ReadFile(data + "/signing-key.asc"); !bytes.Equal(before, file) || err != nil {
		t.Error("what was refused has changed the file")
	}

	a := s.key(t, 0, "extend", "--for", "2y", "--signing-key-passphrase-file", data+"/passphrase")
	want := time.Now().Add(2 * 365 * 24 * time.Hour).UTC().Format(time.DateOnly)
	if a.Stdout != name+" expires "+want+"\n" || !strings.Contains(a.Stderr, "until "+soon) || !strings.Contains(a.Stderr, "does not fetch a key in a .sources file again") {
		t.Errorf("extend: %v", a)
	}
	for place, public := range map[string][]byte{
		"gpgkey": s.fetch(t, "acme/tools/gpgkey"), "repomd.xml.key": s.fetch(t, "acme/tools/el/9/x86_64/repodata/repomd.xml.key"), "the hint": hint(),
		"the private key": mustRead(t, data+"/signing-key.asc"),
	} {
		if got := expiryIn(t, public, name); got != want {
			t.Errorf("%s says that it expires %s, want %s", place, got, want)
		}
	}
	if diff := cmp.Diff(string(repomd), string(s.fetch(t, "acme/tools/el/9/x86_64/repodata/repomd.xml"))); diff != "" {
		t.Errorf("repomd.xml has changed (-before +after):\n%s", diff)
	}
	for _, file := range []string{"signing-key.asc", "signing-key.asc.old"} {
		if info, err := os.Stat(data + "/" + file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if !bytes.Equal(before, mustRead(t, data+"/signing-key.asc.old")) {
		t.Error("the copy of the file is not what it was")
	}
	s.key(t, 0, "status")
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "2.0", Arch: "amd64"}))
	if there("apt-get") {
		root := newApt(t, "amd64")
		root.Source(t, "sources", string(s.fetch(t, "acme/tools/ubuntu/jammy.sources")))
		root.Update(t)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// writeOther writes a file with another private key.
func writeOther(t *testing.T, dir string) string {
	t.Helper()
	other, err := signingKey()
	if err == nil {
		err = os.WriteFile(dir+"/other.asc", other, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir + "/other.asc"
}
