package pipelines_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/pipelines"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// privateKeys are armoured, of fit keys.
var privateKeys = sync.OnceValue(func() (all [][]byte) {
	for _, name := range []string{"first", "second", "third"} {
		s, err := sign.Generate(name, sign.MinRSABits, time.Now())
		if err != nil {
			panic(err)
		}
		private, err := s.Private()
		if err != nil {
			panic(err)
		}
		all = append(all, private)
	}
	return all
})

// expiredKey is an armoured private key that expired long ago.
func expiredKey(t *testing.T) []byte {
	t.Helper()
	return shortLived(t, time.Hour)
}

// privateKey is an armoured private key of a kind.
func privateKey(t *testing.T, c *packet.Config) []byte {
	t.Helper()
	e, err := openpgp.NewEntity("a test's", "", "", c)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PrivateKeyType, nil, true)
	if err == nil {
		err = errors.Join(e.SerializePrivateWithoutSigning(w, nil), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fingerprintsOf(t *testing.T, private ...[]byte) []string {
	t.Helper()
	s, err := sign.Read(bytes.Join(private, nil))
	if err != nil {
		t.Fatal(err)
	}
	return s.Fingerprints()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A keyRoom is an instance of which only the keys matter.
type keyRoom struct {
	*testing.T
	dir string
}

func newKeyRoom(t *testing.T) *keyRoom {
	t.Helper()
	k := &keyRoom{t, t.TempDir()}
	must(t, os.Mkdir(filepath.Join(k.dir, "bucket"), 0o755))
	db, err := catalogdb.Open("sqlite://" + k.dir + "/catalog.db")
	must(t, err)
	must(t, errors.Join(db.Migrate(t.Context()), db.Close()))
	return k
}

// file has the file of private keys consist of some.
func (k *keyRoom) file(private ...[]byte) {
	k.Helper()
	must(k.T, os.WriteFile(k.dir+"/key.asc", bytes.Join(private, []byte("\n")), 0o600))
}

// open is the start of a worker.
func (k *keyRoom) open() (*pipelines.Resources, error) {
	k.Helper()
	r, err := pipelines.Open(k.Context(), pipelines.Config{
		Bucket: "file://" + k.dir + "/bucket", Catalog: "sqlite://" + k.dir + "/catalog.db", SigningKey: "file://" + k.dir + "/key.asc", PublicURL: "http://x",
	})
	must(k.T, err)
	k.Cleanup(r.Close)
	return r, r.CheckKey(k.Context())
}

// check fails unless these keys sign, and these are standby.
func (k *keyRoom) check(fact string, r *pipelines.Resources, signing, standby []string) {
	k.Helper()
	set, got := r.Keys()
	if diff := cmp.Diff(signing, got, cmpopts.EquateEmpty()); diff != "" {
		k.Errorf("%s: signing (-want +got):\n%s", fact, diff)
	}
	if diff := cmp.Diff(standby, keys.Fingerprints(set.With(keys.Standby)), cmpopts.EquateEmpty()); diff != "" {
		k.Errorf("%s: standing by (-want +got):\n%s", fact, diff)
	}
}

func TestKeysOfANewInstance(t *testing.T) {
	k := newKeyRoom(t)
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k.file(all[0], all[1])
	r, err := k.open()
	must(t, err)
	k.check("the first of the file signs", r, names[:1], names[1:2])

	k.file(all...)
	must(t, r.RefreshKeys(t.Context()))
	k.check("what is new in the file stands by", r, names[:1], names[1:])

	_, err = keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error { return s.Promote(names[2], time.Now()) })
	must(t, err)
	must(t, r.RefreshKeys(t.Context()))
	k.check("promoted by a command", r, []string{names[0], names[2]}, names[1:2])
	if want, known := r.KeyState(); !known || want.DEB != names[0]+"+"+names[2] || strings.Count(want.RPM, "fpr=") != 3 {
		t.Errorf("wanted is %+v, %v", want, known)
	}

	k.file(all[1], all[2]) // the first is gone, as in a fire
	must(t, r.RefreshKeys(t.Context()))
	k.check("what remains signs", r, names[2:], names[1:2])
	k.file(all[1])
	must(t, r.RefreshKeys(t.Context()))
	k.check("a standby key signs, if no other one can", r, names[1:2], names[1:2])
}

// Other workers may have a key that is not here.
func TestKeysOfOtherWorkers(t *testing.T) {
	k := newKeyRoom(t)
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k.file(all[0], all[1])
	r, err := k.open()
	must(t, err)
	_, err = keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error { return s.Promote(names[1], time.Now()) })
	must(t, err)
	k.file(all[0])
	for _, tt := range []struct {
		fact string
		seen time.Duration
		want []string
	}{
		{"nobody has it", 0, names[:1]},
		{"another one had it a minute ago", -time.Minute, names[:2]},
		{"another one had it an hour ago", -time.Hour, names[:1]},
	} {
		if tt.seen != 0 {
			must(t, r.Catalog.SeeWorker(t.Context(), catalogdb.Worker{Name: "other", Keys: names[1:2]}, true, time.Now().Add(tt.seen)))
		}
		must(t, r.RefreshKeys(t.Context()))
		k.check(tt.fact, r, tt.want, nil)
	}
}

// Buckets from before there was a list of keys: what clients were given signs on.
func TestKeysOfABucketWithoutAList(t *testing.T) {
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	public := func(private ...[]byte) []byte {
		s, err := sign.Read(bytes.Join(private, nil))
		must(t, err)
		return s.Public()
	}
	for _, tt := range []struct {
		fact             string
		given, file      [][]byte
		signing, standby []string
		refused          string
	}{
		{"the same key", all[:1], all[:1], names[:1], nil, ""},
		{"both keys of a change that was under way", all[:2], all[:2], names[:2], nil, ""},
		{"a key that is new", all[:1], all[:2], names[:1], names[1:2], ""},
		{"a new key before the old one", all[:1], [][]byte{all[1], all[0]}, names[:1], names[1:2], ""},
		{"a stranger's key", all[:1], all[1:2], nil, nil, "restore the old key"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			k := newKeyRoom(t)
			k.file(tt.file...)
			tools := catalog.Repository{Owner: "acme", Name: "tools"}
			for key, body := range map[string][]byte{layout.SettingsKey(tools): []byte(`{"owner":"acme","name":"tools"}`), layout.GPGKeyKey(tools): public(tt.given...)} {
				path := filepath.Join(k.dir, "bucket", key)
				must(t, os.MkdirAll(filepath.Dir(path), 0o755))
				must(t, os.WriteFile(path, body, 0o644))
			}
			r, err := k.open()
			if tt.refused == "" {
				must(t, err)
				k.check(tt.fact, r, tt.signing, tt.standby)
				return
			}
			var bad *pipelines.BadKey
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKeysThatCannotSign(t *testing.T) {
	k := newKeyRoom(t)
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	k.file(expiredKey(t))
	var bad *pipelines.BadKey
	if _, err := k.open(); !errors.As(err, &bad) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the only key has expired: got %v", err)
	}

	k = newKeyRoom(t)
	k.file(all[0], expiredKey(t))
	r, err := k.open()
	must(t, err)
	set, _ := r.Keys()
	_, err = keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error { return s.Promote(set.With(keys.Standby)[0].Fingerprint, time.Now()) })
	must(t, err)
	must(t, r.RefreshKeys(t.Context()))
	k.check("one of two has expired", r, names[:1], nil)

	// The file has another key all at once, which the clients of a repository were not given.
	tools := catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "tools"}}
	must(t, r.Catalog.CreateRepository(t.Context(), tools, time.Now()))
	must(t, r.Publisher.Settings(t.Context(), tools.Repository))
	k.file(all[2])
	if err := r.RefreshKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "restore the old key") {
		t.Errorf("a stranger's key while a worker runs: got %v", err)
	}
	k.check("a stranger's key while a worker runs", r, names[:1], nil)
}

// A standby key signs alone only if clients that were set up before know it. Otherwise nothing is published: clients keep what
// they have.
func TestAStandbyKeyThatFewClientsKnow(t *testing.T) {
	const day = 24 * time.Hour
	all := privateKeys()
	names := fingerprintsOf(t, all...)
	for _, tt := range []struct {
		name string
		age  time.Duration
		may  bool
	}{{"of yesterday", day, false}, {"of 31 days ago", 31 * day, true}, {"from the first on", 60 * day, true}} {
		k := newKeyRoom(t)
		k.file(all[0], all[1])
		r, err := k.open()
		must(t, err)
		_, err = keys.Change(t.Context(), r.Bucket, func(s *keys.Set) error {
			now := time.Now().UTC()
			s.Keys[0].Added, s.Keys[1].Added = now.Add(-60*day), now.Add(-tt.age)
			return nil
		})
		must(t, err)
		k.file(all[1])
		err = r.RefreshKeys(t.Context())
		switch {
		case tt.may && err != nil, !tt.may && (err == nil || !strings.Contains(err.Error(), "most clients do not know it yet")):
			t.Errorf("%s: got %v", tt.name, err)
		case tt.may:
			k.check(tt.name, r, names[1:2], names[1:2])
		default:
			k.check(tt.name, r, names[:1], names[1:2])
		}
	}
}
