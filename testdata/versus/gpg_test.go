package versus_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// keyName finds the key with which the peers sign.
const keyName = "bench@example.org"

func gnupgHome() string { return filepath.Join(work, "gnupg") }

// makeKey makes the peers' key, once.
var makeKey = sync.OnceValue(func() error {
	if err := os.MkdirAll(gnupgHome(), 0o700); err != nil {
		return err
	}
	_, _, err := expenseOf(command(work, "gpg", "--batch", "--passphrase", "", "--quick-gen-key", keyName, "rsa4096", "sign", "never"))
	return err
})

// endGPG ends the agent that gpg started.
func endGPG() {
	if _, err := os.Stat(gnupgHome()); err == nil {
		command(work, "gpgconf", "--kill", "all").Run() //nolint:errcheck // it may have ended itself
	}
}

// key returns the fingerprint of the peers' key.
func key(b *testing.B) string {
	b.Helper()
	if err := makeKey(); err != nil {
		b.Fatalf("make the peers' key: %v", err)
	}
	out, err := command(work, "gpg", "--batch", "--with-colons", "--list-keys", keyName).Output()
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(out), "\nfpr:::::::::")
	fingerprint, _, _ := strings.Cut(after, ":")
	return fingerprint
}

// installed reports whether all of these commands are there.
func installed(names ...string) bool {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return false
		}
	}
	return true
}
