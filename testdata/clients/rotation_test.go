package clients_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/testdata/proctest"
)

// A rotation is a change of keys while clients go on.
type rotation struct {
	*rotationSite
	clients []*subscribed
}

// newRotation sets a client of every kind up for some repositories, of a site that starts with some keys.
func newRotation(t *testing.T, repositories []string, private ...[]byte) *rotation {
	t.Helper()
	r := &rotation{rotationSite: newRotationSite(t, repositories, private...)}
	r.clients = r.subscribe(t, "set up")
	return r
}

// subscribe sets a client of every kind up.
func (r *rotation) subscribe(t *testing.T, step string) []*subscribed {
	t.Helper()
	var clients []*subscribed
	for _, kind := range subscribers {
		clients = append(clients, newSubscribed(t, r.rotationSite, kind))
	}
	each(t, step, clients, func(t *testing.T, c *subscribed) {
		c.setUp(t)
		c.sees(t)
	})
	return clients
}

// each does something for each client, for some at a time.
func each(t *testing.T, step string, clients []*subscribed, do func(*testing.T, *subscribed)) {
	t.Helper()
	ok := t.Run(step, func(t *testing.T) {
		for _, c := range clients {
			t.Run(c.suite+" "+c.program, func(t *testing.T) {
				t.Parallel()
				do(t, c)
			})
		}
	})
	if !ok {
		t.FailNow() // what follows would fail by this alone
	}
}

// check has all clients look for what is new. Those of which refuses says so keep what they have.
func (r *rotation) check(t *testing.T, step string, refuses func(subscriber) bool) {
	t.Helper()
	each(t, step, r.clients, func(t *testing.T, c *subscribed) {
		if refuses(c.subscriber) {
			c.keeps(t)
		} else {
			c.sees(t)
		}
	})
}

func none(subscriber) bool { return false }

// unhinted are the clients that trust no other keys than those that signed when they were set up.
func unhinted(s subscriber) bool { return s.program == "zypper" && !s.hints }

var rootsReady sync.Once

// needRoots skips a test that has no roots, and prepares them otherwise. No test changes them from then on.
func needRoots(t *testing.T) {
	t.Helper()
	if *roots == "" {
		t.Skip("skipped: real systems in roots of their own; make test-clients makes them and runs this")
	}
	rootsReady.Do(func() {
		for _, suite := range []string{"bookworm", "trixie", "sid"} {
			newRoot(t, filepath.Join(*roots, suite)).reset(t)
		}
	})
}

// generate makes a private key that does not expire.
func generate(t *testing.T, name string) []byte {
	t.Helper()
	key, err := sign.Generate(name, sign.MinRSABits, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.Private()
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// generateFor has gpg make a private key that expires.
func generateFor(t *testing.T, name string, life time.Duration) []byte {
	t.Helper()
	proctest.Need(t, "gpg")
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	defer proctest.Run(t, nil, "gpgconf", "--homedir", home, "--kill", "all") // its agent
	proctest.Must(t, nil, "gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-generate-key", name, "rsa3072", "sign", fmt.Sprintf("seconds=%d", int(life.Seconds())))
	return []byte(proctest.Must(t, nil, "gpg", "--homedir", home, "--batch", "--armor", "--export-secret-keys"))
}

// A standby key that clients were given at setup replaces the one that signed, and real clients go on by themselves.
func TestRotationByStandbyKey(t *testing.T) {
	t.Parallel()
	needRoots(t)
	r := newRotation(t, allOnes, generate(t, "old key"), generate(t, "next key"))
	r.key(t, "promote", "--force", r.keys[1])
	r.check(t, "promoted", none)
	r.release(t)
	r.check(t, "released with both signatures", none)
	r.key(t, "retire", "--force", r.keys[0])
	r.subscribe(t, "new clients of what only the new key signs")
	r.release(t)
	r.check(t, "released with the new signature", unhinted)
	each(t, "mended", r.clients, func(t *testing.T, c *subscribed) { c.mends(t) })
}

// The key that signs expires while another one signs beside it, or is on standby. Either way everything is signed again by itself.
func TestRotationMeetsAnExpiry(t *testing.T) {
	for name, promoted := range map[string]bool{"after a promotion": true, "before one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needRoots(t)
			meetExpiry(t, promoted)
		})
	}
}

func meetExpiry(t *testing.T, promoted bool) {
	const life = 5 * time.Minute
	start := time.Now()
	r := newRotation(t, publicOnes, generateFor(t, "old key", life), generate(t, "next key"))
	if promoted {
		r.key(t, "promote", "--force", r.keys[1])
		r.check(t, "promoted", none)
	}
	if time.Since(start) > life {
		t.Fatalf("this machine is too slow: the clients were set up after %s, and the key has expired", time.Since(start))
	}
	r.awaitExpired(t, r.keys[0])
	r.subscribe(t, "new clients after the expiry")
	r.release(t)
	r.check(t, "released after the expiry", unhinted)
	each(t, "mended", r.clients, func(t *testing.T, c *subscribed) { c.mends(t) })
	if !promoted {
		r.key(t, "promote", "--force", r.keys[1])
	}
	r.key(t, "retire", "--force", r.keys[0])
	r.release(t)
	r.check(t, "released without the expired key", none)
}

// A key that clients were not given at setup is promoted at once. While the old key signs beside it, clients go on; then
// those remain that took the new key by the hints in a repomd.xml, which is zypper's way. The others keep what they
// have, silently but for a line of output, until an operator does something on them.
func TestRotationByForce(t *testing.T) {
	t.Parallel()
	needRoots(t)
	r := newRotation(t, allOnes, generate(t, "old key"))
	asleep := r.subscribe(t, "set up, and asleep") // they do not look for what is new before the old key is retired
	next := r.key(t, "add")
	r.key(t, "promote", "--force", next)
	r.check(t, "promoted", none)
	r.release(t)
	r.check(t, "released with both signatures", none)
	r.key(t, "retire", "--force", r.keys[0])
	r.release(t)
	r.check(t, "released with the new signature", func(s subscriber) bool { return !s.hints })
	each(t, "released with the new signature, who slept", asleep, func(t *testing.T, c *subscribed) { c.keeps(t) })
	each(t, "mended", append(r.clients, asleep...), func(t *testing.T, c *subscribed) { c.mends(t) })
}
