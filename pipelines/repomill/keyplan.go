package main

import (
	"context"
	"fmt"
	"time"

	"repomill/pipelines"
	"repomill/publish/keys"
)

type keyPlanCmd struct {
	keyFlags
	Overlap period `default:"30d" help:"How long clients can get a key before it signs, or signs alone."`
}

// Help has an example.
func (keyPlanCmd) Help() string {
	return `Example:
  repomill key plan` + keyLookHelp
}

// Run prints the keys, the next step, and its effect on each kind of client.
func (c *keyPlanCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	now := time.Now()
	for _, k := range s.all.Set.Out() {
		fmt.Fprintf(io.out, "%s %s\n", k.Fingerprint, s.state(k, now))
	}
	for _, n := range append(s.locked(), s.reasons(now)...) {
		fmt.Fprintln(io.out, n)
	}
	fmt.Fprintln(io.out)
	for i, step := range s.all.Steps(time.Duration(c.Overlap), now) {
		word := "next"
		if i > 0 {
			word = "\nor, to replace the key"
		}
		if err := s.printStep(ctx, io, word, step, now); err != nil {
			return err
		}
	}
	return nil
}

// state describes whether a key signs or is on standby, since when, and its problem.
func (s *keySite) state(k keys.Key, now time.Time) string {
	text := "on standby since "
	if k.Role == keys.Signing {
		text = "signs since "
	}
	text += k.Since().Format(time.DateOnly)
	problem := s.all.Problem(k)
	switch c := s.all.Condition(k, now); {
	case c == pipelines.Missing:
		return text + ", but no running worker has its private part"
	case problem != "":
		return text + ", but cannot sign: " + problem
	case k.Role == keys.Standby && s.all.Waits == nil && s.all.Signs(k):
		return text + ", and signs now, since no other key can"
	case c == pipelines.Expiring:
		return text + ", and expires on " + expiryOf(k).Format(time.DateOnly)
	}
	return text
}

// printStep prints a step, when it is safe, and its effect on clients.
func (s *keySite) printStep(ctx context.Context, io stdio, word string, step pipelines.Step, now time.Time) error {
	line, effects := s.describe(step)
	when := "now"
	if now.Before(step.From) {
		when = "from " + step.From.Format(time.DateOnly) + " on"
	}
	fmt.Fprintf(io.out, "%s, %s:\n  %s\n", word, when, line)
	if step.Do == pipelines.Promote && !s.all.Signs(step.Key) {
		without, err := s.keyringsWithout(ctx, step.Key)
		if err != nil {
			return err
		}
		for _, w := range without {
			fmt.Fprintf(io.out, "not before hosts can upgrade: %s\n", w)
		}
	}
	fmt.Fprintf(io.out, "what clients do then:\n%s\n", effects)
	return nil
}

// printNext prints the next step after a change of keys.
func (s *keySite) printNext(ctx context.Context, io stdio, overlap time.Duration) error {
	all, err := s.signers(ctx)
	if err != nil {
		return err
	}
	after := *s
	after.all = all
	step := all.Steps(overlap, time.Now())[0]
	line, _ := after.describe(step)
	when := "now"
	if time.Now().Before(step.From) {
		when = "from " + step.From.Format(time.DateOnly) + " on"
	}
	fmt.Fprintf(io.out, "next, %s: %s (repomill key plan says what clients do)\n", when, line)
	return nil
}

// describe returns the command line of a step, and its effect on clients.
func (s *keySite) describe(step pipelines.Step) (line, effects string) {
	f := step.Key.Fingerprint
	switch step.Do {
	case pipelines.Extend:
		return "repomill key extend " + f + " --for 2y", keepEffects
	case pipelines.Restore:
		return "restore the private key " + f + " from a backup, to where a worker reads it (--signing-key): it signs at once", noEffects
	case pipelines.Mend:
		return "fix what keeps workers from signing with key " + f + " (" + s.all.Problem(step.Key) + "): it then signs again", noEffects
	case pipelines.Promote:
		return promoteLine(step), s.promoteEffects(step)
	case pipelines.Retire:
		if !s.all.Signs(step.Key) {
			return "repomill key retire " + f, noEffects
		}
		return "repomill key retire " + f, retireEffects
	}
	return "repomill key add", addEffects
}

func promoteLine(step pipelines.Step) string {
	if step.Force {
		return "repomill key promote --force " + step.Key.Fingerprint
	}
	return "repomill key promote " + step.Key.Fingerprint
}

func (s *keySite) promoteEffects(step pipelines.Step) string {
	switch {
	case s.all.Signs(step.Key):
		return noEffects
	case step.Force:
		return retireEffects
	}
	return promoteEffects
}

// The effect of each step on clients, measured with apt 2.6 to 3.3, dnf 4.14 and 4.23, dnf5 5.4 and zypper 1.14.
const (
	noEffects  = `  apt, dnf, dnf5, zypper    nothing`
	addEffects = `  apt          nothing: a host gets the new key when it fetches its .sources file, or the keyring package, again
  dnf, dnf5    nothing: hosts import all keys of gpgkey when they are set up; hosts of today have the old one only
  zypper       hosts import the new key by themselves, from the hint in repomd.xml; those with libzypp 17.25.7 or older do not`
	keepEffects = `  apt          hosts use the copy that they have: fetch the .sources file again, or upgrade the keyring package, before the old expiry
  dnf, dnf5    hosts keep the imported copy: import gpgkey again (rpm --import) where expiries are checked
  zypper       nothing: it accepts signatures of expired keys`
	promoteEffects = `  apt, dnf, dnf5, zypper    nothing: the old key signs beside it, and comes first and last in repomd.xml.asc`
	retireEffects  = `  apt          hosts that have not fetched the .sources file, or the keyring package, since the key was added stop at: Missing key
  dnf, dnf5    hosts that were set up before the key was added ask once; without -y they keep what they have, and exit 0
  zypper       nothing, for hosts that refreshed since the key was added; others, and those with libzypp 17.25.7 or older, exit 4`
)
