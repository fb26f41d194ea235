package pipelines_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/kms/apiv1/kmspb"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/publish/tree"
	"repomill/schemas/layout"
	"repomill/testdata/kmstest"
)

func openBucket(t *testing.T, dir string) objects.Bucket {
	t.Helper()
	b, err := objects.OpenBucket(t.Context(), "file://"+dir+"/bucket")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func addKey(t *testing.T, b objects.Bucket, url string) pipelines.AddedKey {
	t.Helper()
	k, err := pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Name: "test signing key", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestThePublicHalfIsMadeOnce(t *testing.T) {
	t.Parallel()
	g := kmstest.StartGoogle(t)
	url := g.URL(g.NewKey(kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256)) // of which no two signatures are alike
	b := openBucket(t, t.TempDir())
	const processes = 8
	added := make([]pipelines.AddedKey, processes)
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() {
			var err error
			if added[i], err = pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Name: "test", Now: time.Now().Add(time.Duration(i) * time.Minute)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	made := 0
	for _, k := range added {
		if k.Made {
			made++
		}
		if k.Fingerprint != added[0].Fingerprint || string(k.Public) != string(added[0].Public) {
			t.Errorf("two public halves: %s and %s", k.Fingerprint, added[0].Fingerprint)
		}
	}
	if made != 1 {
		t.Errorf("the public half was made %d times", made)
	}
	signed := g.Served(kmstest.Sign)
	if again := addKey(t, b, url); again.Made || again.Fingerprint != added[0].Fingerprint || g.Served(kmstest.Sign) != signed {
		t.Errorf("a repeat: %+v, %d signatures", again, g.Served(kmstest.Sign)-signed)
	}
	if other := addKey(t, b, g.URL(g.NewKey(kmspb.CryptoKeyVersion_EC_SIGN_P256_SHA256))); !other.Made || other.Fingerprint == added[0].Fingerprint {
		t.Errorf("another key: %+v", other)
	}
	if declared, err := tree.Repositories(t.Context(), b); err != nil || len(declared) != 0 {
		t.Errorf("the bucket has repositories %v, %v", declared, err)
	}
}

// Clients trust a fingerprint: what they were given counts.
func TestAPublicHalfThatClientsHaveIsKept(t *testing.T) {
	t.Parallel()
	a := kmstest.StartAWS(t)
	url := a.URL(a.NewKey(types.KeySpecEccNistP384))
	old := addKey(t, openBucket(t, t.TempDir()), url)
	published := func(t *testing.T) objects.Bucket {
		b := openBucket(t, t.TempDir())
		key, err := signingKey()
		if err != nil {
			t.Fatal(err)
		}
		file := string(key.Public()) + string(old.Public)
		if err := b.Create(t.Context(), layout.ObjectOf(layout.InstanceKeyKey), strings.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Run("the object was lost", func(t *testing.T) {
		if found := addKey(t, published(t), url); !found.Made || found.Fingerprint != old.Fingerprint {
			t.Errorf("got %s (%v), want %s", found.Fingerprint, found.Made, old.Fingerprint)
		}
	})
	t.Run("it is given", func(t *testing.T) {
		b := openBucket(t, t.TempDir())
		for range 2 {
			found, err := pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Public: old.Public})
			if err != nil || found.Fingerprint != old.Fingerprint {
				t.Errorf("got %+v, %v", found, err)
			}
		}
	})
	t.Run("another one is there already", func(t *testing.T) {
		b := openBucket(t, t.TempDir())
		if _, err := pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Name: "new", Now: time.Now().Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
		_, err := pipelines.AddKey(t.Context(), b, url, pipelines.NewKey{Public: old.Public})
		if _, bad := errors.AsType[*pipelines.BadKey](err); !bad || !strings.Contains(err.Error(), "has a public half already") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is given is of another key", func(t *testing.T) {
		other := addKey(t, openBucket(t, t.TempDir()), a.URL(a.NewKey(types.KeySpecEccNistP384)))
		_, err := pipelines.AddKey(t.Context(), openBucket(t, t.TempDir()), url, pipelines.NewKey{Public: other.Public})
		if _, bad := errors.AsType[*pipelines.BadKey](err); !bad || !strings.Contains(err.Error(), "of another key") {
			t.Errorf("got %v", err)
		}
	})
}
