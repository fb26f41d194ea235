package keys_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/keys"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// three are keys as sign describes them.
var three = sync.OnceValue(func() (all []sign.Key) {
	for i := range 3 {
		s, err := sign.Generate(fmt.Sprintf("key %d", i), 2048, now)
		if err != nil {
			panic(err)
		}
		described, err := s.Keys()
		if err != nil {
			panic(err)
		}
		all = append(all, described...)
	}
	return all
})

func TestRolesOfAKey(t *testing.T) {
	all := three()
	a, b, c := all[0].Fingerprint, all[1].Fingerprint, all[2].Fingerprint
	s := keys.Set{}
	s.Add(now, keys.Signing, all[0])
	s.Add(now, keys.Standby, all...)
	check := func(what string, signing, out []string) {
		t.Helper()
		if diff := cmp.Diff(signing, keys.Fingerprints(s.With(keys.Signing))); diff != "" {
			t.Errorf("%s: signing (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(out, keys.Fingerprints(s.Out())); diff != "" {
			t.Errorf("%s: given to clients (-want +got):\n%s", what, diff)
		}
	}
	check("at first", []string{a}, []string{a, b, c})
	if err := s.Retire(a, false, now); !errors.Is(err, keys.ErrLast) {
		t.Errorf("retire the only key that signs: got %v", err)
	}
	for range 2 {
		if err := s.Promote(strings.ToLower(c[24:]), now); err != nil { // as people copy it
			t.Fatal(err)
		}
		check("promoted", []string{a, c}, []string{a, c, b})
	}
	for range 2 {
		if err := s.Retire(a, true, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		check("retired", []string{c}, []string{c, b})
	}
	if k, err := s.Find(a); err != nil || k.Role != keys.Retired || !k.Distrusted || !k.Retired.Equal(now.Add(time.Hour)) {
		t.Errorf("the retired key: %+v, %v", k, err)
	}
	if err := s.Promote(a, now); err == nil || !strings.Contains(err.Error(), "retired") {
		t.Errorf("promote a retired key: got %v", err)
	}
	if s.Add(now, keys.Standby, all...) {
		t.Error("keys that are there were added")
	}
	for name, fingerprint := range map[string]string{"no such key": strings.Repeat("0", 40), "too short": c[33:], "nothing": ""} {
		if _, err := s.Find(fingerprint); err == nil || !strings.Contains(err.Error(), b) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The list is that of all who change it at the same time.
func TestChangesAtTheSameTime(t *testing.T) {
	b := publishtest.NewBucket(t)
	if s, err := keys.Read(t.Context(), b); err != nil || s.Revision != 0 {
		t.Errorf("no list: got %+v, %v", s, err)
	}
	var wg sync.WaitGroup
	for _, k := range three() {
		wg.Go(func() {
			_, err := keys.Change(t.Context(), b, func(s *keys.Set) error { s.Add(now, keys.Signing, k); return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := keys.Read(t.Context(), b)
	if err != nil || len(s.Keys) != 3 || s.Revision != 3 {
		t.Errorf("got %d keys at revision %d, %v", len(s.Keys), s.Revision, err)
	}
	b.Writes()
	again, err := keys.Change(t.Context(), b, func(s *keys.Set) error { s.Add(now, keys.Signing, three()...); return nil })
	if diff := cmp.Diff(s, again); diff != "" || err != nil {
		t.Errorf("a change that is none, %v (-want +got):\n%s", err, diff)
	}
	refusal := errors.New("no")
	if _, err := keys.Change(t.Context(), b, func(s *keys.Set) error { s.Keys = nil; return refusal }); !errors.Is(err, refusal) {
		t.Errorf("a refused change: got %v", err)
	}
	if w := b.Writes(); len(w) > 0 {
		t.Errorf("written was %q", w)
	}
	b.Put(layout.KeysKey, []byte("{"))
	if _, err := keys.Change(t.Context(), b, func(*keys.Set) error { return nil }); err == nil {
		t.Error("a damaged list was taken for an empty one")
	}
}

func TestPublic(t *testing.T) {
	s := keys.Set{}
	s.Add(now, keys.Standby, three()...)
	public, err := keys.Public(s.Keys)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sign.ReadPublic(public)
	if diff := cmp.Diff(three(), got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
