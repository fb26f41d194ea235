package pipelines

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"repomill/publish/keys"
	"repomill/publish/sign"
)

// publicKey makes a key that was made 100 days ago and lives for a while, and may be revoked.
func publicKey(t *testing.T, life time.Duration, revoked bool) sign.Key {
	t.Helper()
	made := time.Now().Add(-100 * 24 * time.Hour)
	c := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: uint32(life / time.Second), Time: func() time.Time { return made }}
	e, err := openpgp.NewEntity("a test's", "", "", c)
	if err == nil && revoked {
		err = e.Revoke(packet.KeyCompromised, "leaked", c)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, openpgp.PublicKeyType, nil, true)
	if err == nil {
		err = errors.Join(e.Serialize(w), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := sign.ReadPublic(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// What plan, promote, retire and status say is one reading of one state.
func TestStepsOfEachState(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	ends := map[string]sign.Key{
		"fine": publicKey(t, 0, false), "expired": publicKey(t, 99*day, false), "expiring": publicKey(t, 106*day, false),
		"revoked": publicKey(t, 0, true), "missing": publicKey(t, 0, false), "failing": publicKey(t, 0, false),
	}
	standby := publicKey(t, 0, false)
	for _, tt := range []struct {
		key, standby string
		steps        string // + with --force, @ later
		signs        string // which key
		may          bool   // the standby key may be promoted
	}{
		{"fine", "known", "promote", "old", true},
		{"fine", "young", "promote@", "old", false},
		{"fine", "none", "add", "old", false},
		{"expiring", "known", "extend promote", "old", true},
		{"expiring", "young", "extend promote@", "old", false},
		{"expiring", "none", "extend add", "old", false},
		{"expired", "known", "promote", "standby", true},
		{"expired", "young", "extend promote+", "none", false},
		{"expired", "none", "extend add", "none", false},
		{"missing", "known", "restore promote", "standby", true},
		{"missing", "young", "restore promote+", "none", false},
		{"missing", "none", "restore add", "none", false},
		{"revoked", "known", "promote", "standby", true},
		{"revoked", "young", "promote+", "none", false},
		{"revoked", "none", "add", "none", false},
		{"failing", "known", "mend promote", "standby", true},
		{"failing", "young", "mend promote+", "none", false},
		{"failing", "none", "mend add", "none", false},
		// Clients knew the first keys of all from the first on: the standby key signs at once, if it has to.
		{"expired", "first", "promote", "standby", true},
		{"missing", "first", "restore promote", "standby", true},
		{"failing", "first", "mend promote", "standby", true},
		{"revoked", "first", "promote", "standby", true},
	} {
		t.Run(fmt.Sprintf("%s, standby %s", tt.key, tt.standby), func(t *testing.T) {
			old := ends[tt.key]
			s := Signers{}
			added := map[string]time.Duration{"known": 31 * day, "young": day, "first": 90 * day}
			s.Set.Add(now.Add(-90*day), keys.Signing, old)
			if tt.standby == "first" {
				s.Set.Keys[0].Added = now.Add(-time.Hour)
				added["first"] = time.Hour
			}
			if tt.standby != "none" {
				s.Set.Add(now.Add(-added[tt.standby]), keys.Standby, standby)
			}
			s.known = known{held: map[string]bool{old.Fingerprint: true, standby.Fingerprint: true}, fails: map[string]error{}}
			if tt.key == "missing" || tt.key == "failing" {
				delete(s.known.held, old.Fingerprint)
			}
			if tt.key == "failing" {
				s.known.fails[old.Fingerprint] = errors.New("it fails: the KMS refuses")
			}
			s.Signing, _, s.None = effective(s.Set, s.known, now)
			signs := "none"
			for _, f := range s.Signing {
				signs = map[string]string{old.Fingerprint: "old", standby.Fingerprint: "standby"}[f]
			}
			text := ""
			for _, step := range s.Steps(keys.Overlap, now) {
				text += " " + string(step.Do)
				if step.Force {
					text += "+"
				}
				if now.Before(step.From) {
					text += "@"
				}
				checkStep(t, s, step, now)
			}
			may := tt.standby != "none" && s.MayPromote(s.Set.With(keys.Standby)[0], keys.Overlap, now) == nil
			if diff := cmp.Diff([]any{tt.steps, tt.signs, tt.may}, []any{text[1:], signs, may}); diff != "" {
				t.Errorf("steps, what signs, whether it may be promoted (-want +got):\n%s", diff)
			}
		})
	}
}

// checkStep fails if a command refuses what the plan says that can be done now.
func checkStep(t *testing.T, s Signers, step Step, now time.Time) {
	t.Helper()
	if now.Before(step.From) {
		return
	}
	switch step.Do {
	case Promote:
		if err := s.MayPromote(step.Key, keys.Overlap, now); (err == nil) == step.Force {
			t.Errorf("%+v: promote says %v", step.Do, err)
		}
	case Retire:
		if err := s.MayRetire(step.Key, keys.Overlap, now); err != nil {
			t.Errorf("%+v: retire says %v", step.Do, err)
		}
	}
}

// Several keys sign: the first is retired once clients know another one, and at once what cannot sign.
func TestStepsBetweenTwoKeys(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Now()
	old, next, dead := publicKey(t, 0, false), publicKey(t, 0, false), publicKey(t, 99*day, false)
	for _, tt := range []struct {
		name     string
		first    sign.Key
		promoted time.Duration
		added    time.Duration
		from     time.Duration
		do       Deed
	}{
		{"promoted ten days ago", old, 10 * day, 50 * day, 20 * day, Retire},
		{"promoted 31 days ago", old, 31 * day, 70 * day, -day, Retire},
		{"there from the first on", old, day, 90 * day, 0, Retire},
		{"the first has expired", dead, day, 50 * day, 0, Extend},
	} {
		s := Signers{}
		s.Set.Add(now.Add(-90*day), keys.Signing, tt.first)
		s.Set.Add(now.Add(-tt.added), keys.Signing, next)
		at := now.Add(-tt.promoted)
		s.Set.Keys[1].Promoted = &at
		s.known = known{held: map[string]bool{old.Fingerprint: true, next.Fingerprint: true, dead.Fingerprint: true}}
		s.Signing, _, s.None = effective(s.Set, s.known, now)
		steps := s.Steps(keys.Overlap, now)
		from := time.Duration(0)
		if !steps[0].From.IsZero() {
			from = steps[0].From.Sub(now)
		}
		if steps[0].Do != tt.do || from != tt.from || steps[0].Key.Fingerprint != tt.first.Fingerprint {
			t.Errorf("%s: %s in %s, want %s in %s", tt.name, steps[0].Do, from, tt.do, tt.from)
		}
		if err := s.MayRetire(s.Set.Keys[0], keys.Overlap, now); (err == nil) != (tt.from <= 0) {
			t.Errorf("%s: retire says %v", tt.name, err)
		}
		for _, step := range steps {
			checkStep(t, s, step, now)
		}
	}
}
