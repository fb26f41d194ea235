package main

import (
	"strings"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/publish/keys"
)

// A key that has expired is not extended while a standby key signs in its place: that would stop, and clients went over to it.
func TestExtendingAnExpiredKey(t *testing.T) {
	t.Parallel()
	now := time.Now()
	set := keys.Set{Keys: []keys.Key{{Fingerprint: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Role: keys.Signing}, {Fingerprint: "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", Role: keys.Standby}, {Fingerprint: "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC", Role: keys.Signing}}}
	for _, tt := range []struct {
		name    string
		signing []string
		end     time.Time
		says    string // "": it may
	}{
		{"it never expires", []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, time.Time{}, ""},
		{"it expires tomorrow", []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, now.Add(24 * time.Hour), ""},
		{"it has expired, and the standby key signs", []string{"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}, now.Add(-time.Hour), "repomill key promote --force BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"},
		{"it has expired, and another one signs that is meant to", []string{"CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"}, now.Add(-time.Hour), ""},
		{"it has expired, and nothing signs", nil, now.Add(-time.Hour), ""},
	} {
		s := &keySite{all: pipelines.Signers{Set: set, Signing: tt.signing}}
		err := s.mayExtend(set.Keys[0], tt.end, now)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
}

// A key is retired when another one has signed beside it for long enough, or was there from the first on.
func TestRetiringTooEarly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * day) }
	signing := func(name string, added, promoted int) keys.Key {
		at := ago(promoted)
		return keys.Key{Fingerprint: name, Role: keys.Signing, Added: ago(added), Promoted: &at}
	}
	old := signing("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 100, 100)
	for _, tt := range []struct {
		name   string
		others []keys.Key
		may    bool
	}{
		{"another one since yesterday", []keys.Key{signing("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 50, 1)}, false},
		{"another one for 31 days", []keys.Key{signing("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 90, 31)}, true},
		{"one of two for 31 days", []keys.Key{signing("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 50, 1), signing("CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC", 90, 31)}, true},
		{"another one from the first on", []keys.Key{signing("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 100, 1)}, true},
	} {
		set := keys.Set{Keys: append([]keys.Key{old}, tt.others...)}
		s := &keySite{all: pipelines.Signers{Set: set, Signing: keys.Fingerprints(set.Keys)}}
		if err := s.all.MayRetire(old, 30*day, now); (err == nil) != tt.may {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	s := &keySite{all: pipelines.Signers{Set: keys.Set{Keys: []keys.Key{old, signing("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 50, 1)}}, Signing: []string{"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"}}}
	if err := s.all.MayRetire(old, 30*day, now); err != nil {
		t.Errorf("a key that signs nothing: got %v", err)
	}
}

// The life of a key is made longer, and never shorter.
func TestExtendingToAnEarlierDate(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name          string
		before, until time.Time
		says          string
	}{
		{"later", now.Add(day), now.Add(9 * day), ""},
		{"without an end", now.Add(day), time.Time{}, ""},
		{"it has expired", now.Add(-day), now.Add(day), ""},
		{"earlier", now.Add(9 * day), now.Add(day), "which is not before"},
		{"a day that is past", now.Add(-9 * day), now.Add(-day), "is past"},
		{"it never expires", time.Time{}, now.Add(day), "never expires"},
	} {
		err := later(keys.Key{Fingerprint: "A"}, tt.before, tt.until, now)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}
