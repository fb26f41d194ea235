package sign_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/sign"
)

var now = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// Two signers for the whole test binary: making a key takes long.
var (
	oldSigner = sync.OnceValue(func() *sign.Signer { return generate("acme repomill signing key") })
	newSigner = sync.OnceValue(func() *sign.Signer { return generate("acme repomill signing key 2") })
)

func generate(name string) *sign.Signer {
	s, err := sign.Generate(name, 2048, now)
	if err != nil {
		panic(err)
	}
	return s
}

// both returns a signer with both keys, read as a file of two armoured blocks.
func both(t *testing.T) *sign.Signer {
	t.Helper()
	s, err := sign.Read(append(private(t, oldSigner()), private(t, newSigner())...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func private(t *testing.T, s *sign.Signer) []byte {
	t.Helper()
	b, err := s.Private()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keyring(t *testing.T, public []byte) sign.Keyring {
	t.Helper()
	k, err := sign.ReadKeyring(public)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// described returns the only key of a signer.
func described(t *testing.T, s *sign.Signer) sign.Key {
	t.Helper()
	all, err := s.Keys()
	if err != nil || len(all) != 1 {
		t.Fatalf("%d keys, %v", len(all), err)
	}
	return all[0]
}

const body = "Origin: acme/tools\nSuite: jammy\n- a dash\n-----BEGIN PGP SIGNATURE-----\n\nFrom here: yes\nSHA256:\n 0123  4 main/binary-amd64/Packages\n"

func TestGenerateRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, user string
		bits       int
	}{
		{"a key under 2048 bits", "acme", 2047},
		{"an empty user id", "", 2048},
		{"a user id with a newline", "acme\nroot", 2048},
		{"a user id that is not UTF-8", "acme\xff", 2048},
		{"a user id that is too long", strings.Repeat("a", 256), 2048},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := sign.Generate(tt.user, tt.bits, now); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestPrivateKeySurvivesStorage(t *testing.T) {
	s := oldSigner()
	again, err := sign.Read(private(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(s.Public()), string(again.Public())); diff != "" {
		t.Errorf("public key differs after storage (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(s.Fingerprints(), again.Fingerprints()); diff != "" {
		t.Errorf("fingerprints differ (-want +got):\n%s", diff)
	}
	if !bytes.Equal(private(t, s), private(t, again)) {
		t.Error("private key differs after storage")
	}
	if k := described(t, again); !k.Expires.IsZero() || k.Algorithm != "RSA 2048" || k.Subkey {
		t.Errorf("generated key: %+v", k)
	}
}

func TestEqualInputGivesEqualSignature(t *testing.T) {
	s := both(t)
	for range 2 {
		if !bytes.Equal(must(s.Clear([]byte(body), now)), must(s.Clear([]byte(body), now))) {
			t.Error("cleartext signatures differ")
		}
		if !bytes.Equal(must(s.Detach([]byte(body), now)), must(s.Detach([]byte(body), now))) {
			t.Error("detached signatures differ")
		}
	}
}

func must[T any](b T, err error) T {
	if err != nil {
		panic(err)
	}
	return b
}

func TestClearRefusesTextThatItCannotCover(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"empty", ""},
		{"no newline at the end", "Suite: jammy"},
		{"blank at the end of a line", "Suite: jammy \nDate: x\n"},
		{"tab at the end of a line", "Suite: jammy\t\n"},
		{"CRLF", "Suite: jammy\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := oldSigner().Clear([]byte(tt.body), now); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestSignRefusesTimesBeforeTheKey(t *testing.T) {
	early := now.Add(-2 * time.Hour)
	if _, err := oldSigner().Clear([]byte(body), early); err == nil {
		t.Error("Clear: got no error")
	}
	if _, err := oldSigner().Detach([]byte(body), early); err == nil {
		t.Error("Detach: got no error")
	}
	if _, err := oldSigner().Detach([]byte(body), now.Add(-time.Minute)); err != nil {
		t.Errorf("a clock that lags by a minute: %v", err)
	}
}

func TestVerifyReturnsTheReleasedBody(t *testing.T) {
	for _, want := range []string{body, "\n", "a\n", "a\n\n\n", "\n\na\n", "-\n", "- x\n", "-----BEGIN PGP SIGNED MESSAGE-----\n"} {
		for name, s := range map[string]*sign.Signer{"one key": oldSigner(), "two keys": both(t)} {
			got, err := keyring(t, s.Public()).VerifyClear(must(s.Clear([]byte(want), now)))
			if err != nil {
				t.Errorf("%s, body %q: %v", name, want, err)
			}
			if string(got) != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
			if err := keyring(t, s.Public()).VerifyDetached([]byte(want), must(s.Detach([]byte(want), now))); err != nil {
				t.Errorf("%s, detached, body %q: %v", name, want, err)
			}
		}
	}
}

func TestVerifyAcceptsOneKnownSigner(t *testing.T) {
	signed, detached := must(both(t).Clear([]byte(body), now)), must(both(t).Detach([]byte(body), now))
	for name, s := range map[string]*sign.Signer{"old": oldSigner(), "new": newSigner()} {
		k := keyring(t, s.Public())
		if _, err := k.VerifyClear(signed); err != nil {
			t.Errorf("%s key only: %v", name, err)
		}
		if err := k.VerifyDetached([]byte(body), detached); err != nil {
			t.Errorf("%s key only, detached: %v", name, err)
		}
	}
}

func TestKeyringOfSeveralBlocks(t *testing.T) {
	k := keyring(t, append(oldSigner().Public(), newSigner().Public()...))
	for _, s := range []*sign.Signer{oldSigner(), newSigner()} {
		if _, err := k.VerifyClear(must(s.Clear([]byte(body), now))); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(string(both(t).Public()), string(both(t).Public())); diff != "" {
		t.Errorf("public keys are not always the same (-first +second):\n%s", diff)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := both(t)
	k := keyring(t, s.Public())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := k.VerifyClear(must(s.Clear([]byte(body), now))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestVerifyClearRefuses(t *testing.T) {
	good := string(must(oldSigner().Clear([]byte(body), now)))
	other := string(must(oldSigner().Clear([]byte("Suite: noble\n"), now)))
	sig := func(s string) string { return s[strings.LastIndex(s, "-----BEGIN PGP SIGNATURE"):] }
	text := func(s string) string { return strings.TrimSuffix(s, sig(s)) }
	stranger := string(must(newSigner().Clear([]byte(body), now)))
	k := keyring(t, oldSigner().Public())
	if _, err := k.VerifyClear([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, signed string }{
		{"nothing", ""},
		{"the text without a signature", body},
		{"a line before the message", "Suite: evil\n" + good},
		{"a line after the message", good + "Suite: evil\n"},
		{"a blank line after the message", good + "\n"},
		{"two messages", good + good},
		{"another body", strings.Replace(good, "jammy", "noble", 1)},
		{"another header", strings.Replace(good, "Hash: SHA512", "Suite: evil", 1)},
		{"white space at a line's end", strings.Replace(good, "jammy\n", "jammy \n", 1)},
		{"a dash that is not escaped", strings.Replace(good, "- - a dash", "- a dash", 1)},
		{"CRLF line ends", strings.ReplaceAll(good, "\n", "\r\n")},
		{"the signature of another body", text(good) + sig(other)},
		{"an unknown signer", stranger},
		{"a bad signature beside a good one", text(good) + sig(string(must(both(t).Clear([]byte("x\n"), now))))},
		{"no CRC24 line", dropLine(good, "=")},
		{"text between the CRC24 line and the end", strings.Replace(good, "-----END PGP", "Suite: evil\n-----END PGP", 1)},
		{"a truncated file", good[:len(good)-100]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := k.VerifyClear([]byte(tt.signed)); err == nil {
				t.Errorf("got body %q, want an error", got)
			}
		})
	}
}

// dropLine removes the last line of s that begins with prefix.
func dropLine(s, prefix string) string {
	lines := strings.SplitAfter(s, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], prefix) {
			return strings.Join(append(lines[:i:i], lines[i+1:]...), "")
		}
	}
	return s
}

func TestVerifyDetachedRefuses(t *testing.T) {
	k := keyring(t, oldSigner().Public())
	good := string(must(oldSigner().Detach([]byte(body), now)))
	for _, tt := range []struct{ name, body, sig string }{
		{"another body", body + "x", good},
		{"an unknown signer", body, string(must(newSigner().Detach([]byte(body), now)))},
		{"no signature", body, ""},
		{"text after the signature", body, good + "x\n"},
		{"a key in place of a signature", body, string(oldSigner().Public())},
		{"no CRC24 line", body, dropLine(good, "=")},
		{"a cleartext signature", "x\n", sigOf(string(must(oldSigner().Clear([]byte("x\n"), now))))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := k.VerifyDetached([]byte(tt.body), []byte(tt.sig)); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func sigOf(signed string) string {
	return signed[strings.LastIndex(signed, "-----BEGIN PGP SIGNATURE"):]
}

func TestSignatureFromTheFuture(t *testing.T) {
	k := keyring(t, oldSigner().Public())
	sig := must(oldSigner().Detach([]byte(body), now))
	if err := k.At(now.Add(-5*time.Second)).VerifyDetached([]byte(body), sig); err != nil {
		t.Errorf("5 s ahead: %v", err)
	}
	if err := k.At(now.Add(-time.Minute)).VerifyDetached([]byte(body), sig); err == nil {
		t.Error("a minute ahead: got no error")
	}
}

func FuzzVerifyClear(f *testing.F) {
	k, err := sign.ReadKeyring(oldSigner().Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(must(oldSigner().Clear([]byte(body), now)))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\na\n-----BEGIN PGP SIGNATURE-----\n\n=twTO\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, signed []byte) {
		got, err := k.VerifyClear(signed)
		if err == nil && string(got) != body {
			t.Errorf("a forged body was accepted: %q", got)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add(must(oldSigner().Private()))
	f.Add(oldSigner().Public())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = sign.Read(b)
		_, _ = sign.ReadKeyring(b)
	})
}

func TestKeyringsShareAKey(t *testing.T) {
	one, two, all := keyring(t, oldSigner().Public()), keyring(t, newSigner().Public()), keyring(t, both(t).Public())
	for _, tt := range []struct {
		name string
		a, b sign.Keyring
		want bool
	}{
		{"the same", one, one, true}, {"one of two", one, all, true}, {"two of one", all, two, true},
		{"others", one, two, false}, {"none", one, sign.Keyring{}, false},
	} {
		if got := tt.a.Shares(tt.b); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestReadPackageKey(t *testing.T) {
	s := oldSigner()
	for name, b := range map[string][]byte{"public": s.Public(), "private": private(t, s)} {
		k, err := sign.ReadPackageKey(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id := s.Fingerprints()[0][24:]; k.ID != id || k.Armor != string(s.Public()) {
			t.Errorf("%s: got %s, want %s and the public key:\n%s", name, k.ID, id, k.Armor)
		}
	}
	for name, b := range map[string][]byte{
		"nothing":     nil,
		"text":        []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n"),
		"a signature": must(s.Detach([]byte("x"), now)),
		"two keys":    both(t).Public(),
		"too much":    bytes.Repeat([]byte("x"), 2<<20),
	} {
		if k, err := sign.ReadPackageKey(b); err == nil {
			t.Errorf("%s: got %+v", name, k)
		}
	}
}
