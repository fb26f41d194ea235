package publish_test

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"repomill/publish/publishtest"
	"repomill/publish/replica"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A copied bucket is a replica of a world's.
type copied struct {
	*publishtest.Bucket
	w *world
}

// copyAll copies objects whose key matches, as they are now.
func (c copied) copyAll(match func(key string) bool) {
	for _, key := range c.w.bucket.Keys() {
		if match(key) {
			c.Put(key, c.w.bucket.Bytes(key))
		}
	}
}

func everything(string) bool { return true }

// one returns the only key of the replica that has a text in it.
func (c copied) one(t *testing.T, part string) string {
	t.Helper()
	var found []string
	for _, key := range c.Keys() {
		if strings.Contains(key, part) && !layout.Hidden(key) {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s is in %q", part, found)
	}
	return found[0]
}

// flip changes one byte of an object.
func (c copied) flip(key string) {
	body := append([]byte(nil), c.Bytes(key)...)
	body[len(body)/2] ^= 1
	c.Put(key, body)
}

func (c copied) check(t *testing.T, primary replica.Bucket, full bool) replica.Report {
	t.Helper()
	rep, err := replica.Check(t.Context(), c, primary, replica.Options{Keys: keyring(t), Full: full, Now: c.w.bucket.Now(), Settle: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func releaseOf(t *testing.T, rep replica.Report, name string) replica.Release {
	t.Helper()
	for _, r := range rep.Releases {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("the report has no %s: %+v", name, rep)
	return replica.Release{}
}

// grown returns a world with a release of each format, a copy of it, and then a second publish of each, ten minutes later.
func grown(t *testing.T, w *world) copied {
	t.Helper()
	c := copied{publishtest.NewBucket(t), w}
	w.push(w.some(jammy, "hello"), w.some(el9, "hello"))
	w.publish(jammy)
	w.publish(el9)
	w.publishSettings()
	c.copyAll(everything)
	time.Sleep(10 * time.Minute)
	w.push(w.some(jammy, "second"), w.some(el9, "second"))
	w.publish(jammy)
	w.publish(el9)
	time.Sleep(5 * time.Minute)
	return c
}

// An arrival is what a replica has of two publishes, and what the check says of it.
type arrival struct {
	fact    string
	arrives func(t *testing.T, c copied) // after the first publish was copied
	full    bool                         // only --full finds it, if there is no primary
	deb     replica.State
	debAge  replica.Age
	rpm     replica.State
	rpmAge  replica.Age
	says    string // among the problems
	minutes int    // lag
}

// What a replica lacks is found by the release that names it, with the primary and without.
func TestReplica(t *testing.T) {
	const deb, rpm = "acme/tools/ubuntu/jammy", "acme/tools/el/9/x86_64"
	inRelease, repomd := layout.PointerKey(jammy), layout.PointerKey(el9)
	for _, tt := range []arrival{
		{fact: "nothing more arrived: an older, whole state", arrives: func(*testing.T, copied) {},
			deb: replica.Whole, debAge: replica.Behind, rpm: replica.Whole, rpmAge: replica.Behind, minutes: 5},
		{fact: "all arrived", arrives: func(_ *testing.T, c copied) { c.copyAll(everything) },
			deb: replica.Whole, debAge: replica.Current, rpm: replica.Whole, rpmAge: replica.Current},
		{fact: "a pointer arrived first", arrives: func(_ *testing.T, c copied) { c.Put(inRelease, c.w.bucket.Bytes(inRelease)) },
			deb: replica.Damaged, debAge: replica.Current, rpm: replica.Whole, rpmAge: replica.Behind, says: "by-hash", minutes: 5},
		{fact: "all but a pointer arrived", arrives: func(_ *testing.T, c copied) {
			c.copyAll(func(key string) bool { return key != repomd })
		}, deb: replica.Whole, debAge: replica.Current, rpm: replica.Damaged, rpmAge: replica.Behind, says: "repomd.xml.asc: bad GPG signature", minutes: 15},
		{fact: "xml without its signature", arrives: func(_ *testing.T, c copied) {
			c.copyAll(func(key string) bool { return key != repomd+".asc" })
		}, deb: replica.Whole, debAge: replica.Current, rpm: replica.Damaged, rpmAge: replica.Current, says: "repomd.xml.asc: bad GPG signature", minutes: 5},
		{fact: "a package did not arrive", arrives: func(t *testing.T, c copied) {
			c.copyAll(everything)
			c.Put(c.one(t, "pool/jammy/main/s/second/"), nil)
		}, deb: replica.Damaged, debAge: replica.Current, rpm: replica.Whole, rpmAge: replica.Current, says: "is missing (listed in ", minutes: 5},
		{fact: "a package is cut off", arrives: func(t *testing.T, c copied) {
			c.copyAll(everything)
			key := c.one(t, "x86_64/second")
			c.Put(key, c.Bytes(key)[:9])
		}, deb: replica.Whole, debAge: replica.Current, rpm: replica.Damaged, rpmAge: replica.Current, says: "has 9 bytes, listed with", minutes: 5},
		{fact: "a byte of a package is wrong", full: true, arrives: func(t *testing.T, c copied) {
			c.copyAll(everything)
			c.flip(c.one(t, "x86_64/second"))
		}, deb: replica.Whole, debAge: replica.Current, rpm: replica.Damaged, rpmAge: replica.Current, says: "hash sum mismatch", minutes: 5},
		{fact: "a byte of an index is wrong", arrives: func(t *testing.T, c copied) {
			c.copyAll(everything)
			c.flip(c.one(t, "main/binary-amd64/Packages.gz"))
		}, deb: replica.Damaged, debAge: replica.Current, rpm: replica.Whole, rpmAge: replica.Current, says: "binary-amd64/Packages.gz: hash sum mismatch", minutes: 5},
		{fact: "a stranger has signed", arrives: func(t *testing.T, c copied) {
			c.copyAll(everything)
			c.Put(inRelease, strangers(t, c.Bytes(path.Dir(inRelease)+"/Release"), c.w))
		}, deb: replica.Damaged, debAge: replica.Behind, rpm: replica.Whole, rpmAge: replica.Current, says: "InRelease: signature", minutes: 15},
		{fact: "a release never arrived", arrives: func(_ *testing.T, c copied) {
			c.copyAll(everything)
			for _, key := range c.Keys() {
				if strings.Contains(key, "ubuntu") {
					c.Put(key, nil)
				}
			}
		}, deb: replica.Absent, debAge: replica.Behind, rpm: replica.Whole, rpmAge: replica.Current, minutes: 15},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			simulate(t, func(t *testing.T, w *world) { tt.check(t, w, deb, rpm) })
		})
	}
}

// check fails unless the check of a replica says what it should.
func (tt arrival) check(t *testing.T, w *world, deb, rpm string) {
	c := grown(t, w)
	tt.arrives(t, c)
	if tt.full {
		if rep := c.check(t, nil, false); rep.Damaged != 0 {
			t.Errorf("found without --full and without the primary: the test can be narrower: %+v", rep)
		}
		if rep := c.check(t, w.bucket, false); rep.Damaged != 1 {
			t.Errorf("not found by comparison with the primary: %+v", rep)
		}
	}
	rep := c.check(t, w.bucket, tt.full)
	d, r := releaseOf(t, rep, deb), releaseOf(t, rep, rpm)
	if d.State != tt.deb || d.Age != tt.debAge || r.State != tt.rpm || r.Age != tt.rpmAge {
		t.Errorf("got deb %s %s, rpm %s %s: %+v", d.State, d.Age, r.State, r.Age, rep)
	}
	if got := time.Duration(rep.Lag.Seconds * float64(time.Second)).Round(time.Minute); got != time.Duration(tt.minutes)*time.Minute {
		t.Errorf("lags %v, want %d minutes", got, tt.minutes)
	}
	said := ""
	for _, p := range append(d.Problems, r.Problems...) {
		said += p.String() + "\n"
	}
	if tt.says == "" && said != "" || !strings.Contains(said, tt.says) {
		t.Errorf("problems %q, want %q", said, tt.says)
	}
	if tt.deb == replica.Absent {
		return
	}
	alone := c.check(t, nil, tt.full)
	d, r = releaseOf(t, alone, deb), releaseOf(t, alone, rpm)
	if alone.Lag != nil || d.State != tt.deb || d.Age != replica.Unknown || r.State != tt.rpm || r.Age != replica.Unknown {
		t.Errorf("without the primary: %+v", alone)
	}
}

// Settings of a replica may be older than the primary's: a token that was revoked since opens there. Files that set clients up may be
// missing.
func TestReplicaOfSettings(t *testing.T) {
	simulate(t, func(t *testing.T, w *world) {
		c := grown(t, w)
		c.copyAll(everything)
		w.change(func(s *catalog.Settings) { s.Visibility = catalog.Private })
		w.publishSettings()
		time.Sleep(7 * time.Minute)
		rep := c.check(t, w.bucket, false)
		if r := rep.Repositories[0]; r.State != replica.Whole || r.Age != replica.Behind || rep.Lag.Settings != 1 || rep.Lag.Releases != 0 || !rep.Sound() {
			t.Errorf("older settings: %+v", rep)
		}
		if got := time.Duration(rep.Lag.Seconds * float64(time.Second)).Round(time.Minute); got != 7*time.Minute {
			t.Errorf("lags %v", got)
		}
		c.copyAll(everything)
		if rep := c.check(t, w.bucket, false); rep.Repositories[0].Age != replica.Current || rep.Lag.Seconds != 0 || !rep.Sound() {
			t.Errorf("all arrived: %+v", rep)
		}
		for _, tt := range []struct{ key, says string }{
			{layout.ScriptKey(tools, catalog.DEB), "is missing"},
			{layout.SourcesKey(tools, jammy.Distribution), "is missing"},
			{layout.GPGKeyKey(tools), "is missing"},
			{layout.MetadataKeyKey(el9), "is missing"},
		} {
			c.copyAll(everything)
			c.Put(tt.key, nil)
			r := c.check(t, nil, false).Repositories[0]
			if len(r.Problems) != 1 || r.State != replica.Damaged || r.Problems[0].Path != tt.key || r.Problems[0].Detail != tt.says {
				t.Errorf("without %s: %+v", tt.key, r)
			}
		}
		for key, body := range map[string]string{layout.FormatKey: `{"format": 99}`, layout.KeysKey: "{", layout.InstanceKeyKey: "no key"} {
			c.copyAll(everything)
			c.Put(key, []byte(body))
			shared := c.check(t, nil, false).Repositories[1]
			if shared.Name != replica.Shared || shared.State != replica.Damaged || len(shared.Problems) != 1 || shared.Problems[0].Path != key {
				t.Errorf("a wrong %s: %+v", key, shared)
			}
			c.Put(key, nil)
		}
		w.bucket.Put(layout.KeysKey, []byte("[]"))
		if rep := c.check(t, w.bucket, false); rep.Repositories[1].Age != replica.Behind || rep.Lag.Settings != 1 {
			t.Errorf("an older list of keys: %+v", rep)
		}
		c.copyAll(everything)
		if rep := c.check(t, unreachable{}, false); rep.Lag != nil || !strings.Contains(rep.Unknown, "region is lost") || !rep.Sound() || len(rep.Releases) != 2 {
			t.Errorf("without the primary's region: %+v", rep)
		}
		c.Put(layout.SettingsKey(tools), []byte("{"))
		if r := c.check(t, nil, false).Repositories[0]; r.State != replica.Damaged || !strings.Contains(r.Problems[0].Detail, "cannot be read") {
			t.Errorf("broken settings: %+v", r)
		}
	})
}

// unreachable is a primary whose region is lost.
type unreachable struct{}

var errLost = errors.New("the region is lost")

func (unreachable) Get(context.Context, string) (io.ReadCloser, layout.Meta, error) {
	return nil, layout.Meta{}, errLost
}

func (unreachable) Stat(context.Context, string) (layout.Meta, error) { return layout.Meta{}, errLost }

func (unreachable) List(context.Context, string, func(string, layout.Meta) error) error {
	return errLost
}

// strangers returns text with the signature of a key that clients do not have.
func strangers(t *testing.T, text []byte, w *world) []byte {
	t.Helper()
	s, err := sign.Generate("another owner", 2048, w.bucket.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Clear(text, w.bucket.Now())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
