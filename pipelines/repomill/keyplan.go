package main

import (
	"context"
	"fmt"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/publish/keys"
	"repomill/publish/sign"
)

type keyStatusCmd struct{ keyFlags }

// Help lists the exit codes.
func (keyStatusCmd) Help() string {
	return `Exit codes:
  0  all is well; with notices, if a key expires within 90 or 180 days, or clients are about to refuse its kind
  1  a key expires within 30 days, cannot sign, or has not signed everything yet; or there is no standby key
  2  usage
  4  the catalog or the bucket cannot be reached

Example:
  repomill key status || mail -s 'signing keys' ops@example.org </dev/null`
}

// soon is from when on an expiry is a fault.
const soon = 30 * 24 * time.Hour

// Run prints what is wrong, or that nothing is.
func (c *keyStatusCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	problems := problems(s.all, time.Now())
	if s.all.None != nil {
		problems = append(problems, fmt.Sprintf("nothing is published: %s", s.all.None))
	}
	releases, repositories, err := s.db.CountUnsigned(ctx, s.all.Want, false)
	if err != nil {
		return command.Fault(err)
	}
	if releases+repositories > 0 {
		problems = append(problems, fmt.Sprintf("%d releases are to be signed again, and the keys of %d repositories to be published; workers are at it, 10 releases a second at most", releases, repositories))
	}
	problems = append(problems, s.locked()...)
	for _, p := range append(problems, notices(s.all, s.used, time.Now())...) {
		fmt.Fprintln(io.out, p)
	}
	if len(problems) > 0 {
		return command.Exit(command.Failed)
	}
	fmt.Fprintf(io.out, "all is well: everything is signed by %d of %d keys\n", len(s.all.Signing), len(s.all.Set.Out()))
	return nil
}

// Within how many days of an expiry it is spoken of: from 30 on, it is a fault.
var noticed = []int{7, 30, 90, 180}

// notices says what is no fault yet: keys that expire within half a year, and those that clients are about to refuse.
func notices(all pipelines.Signers, used pipelines.Distributions, now time.Time) (found []string) {
	for _, k := range all.Set.Out() {
		public, err := sign.ReadPublic([]byte(k.Public))
		if err != nil {
			continue // which is a problem
		}
		for _, n := range keyNotices(k, used) {
			found = append(found, fmt.Sprintf("notice: key %s (%s): %s", k.Fingerprint, k.Role, n))
		}
		end := public[0].Expires
		if end.IsZero() || end.Sub(now) < soon {
			continue
		}
		if days := daysLeft(end, now); days > 0 {
			found = append(found, fmt.Sprintf("notice: key %s (%s) expires on %s, within %d days: extend its life (repomill key extend), or replace it (repomill key plan)",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), days))
		}
	}
	return found
}

// daysLeft returns the smallest of the noticed numbers of days in which a time comes, or 0.
func daysLeft(end, now time.Time) int {
	for _, days := range noticed {
		if end.Sub(now) < time.Duration(days)*24*time.Hour {
			return days
		}
	}
	return 0
}

// problems says what is wrong with the keys themselves.
func problems(all pipelines.Signers, now time.Time) (found []string) {
	for _, k := range all.Set.Out() {
		if p := all.Problem(k); p != "" {
			found = append(found, fmt.Sprintf("key %s (%s) cannot sign: %s", k.Fingerprint, k.Role, p))
			continue
		}
		public, err := sign.ReadPublic([]byte(k.Public))
		if err != nil {
			continue // which is a problem already
		}
		if end := public[0].Expires; !end.IsZero() && end.Sub(now) < soon {
			found = append(found, fmt.Sprintf("key %s (%s) expires on %s, within %d days: extend its life (repomill key extend), or replace it (repomill key plan)",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), daysLeft(end, now)))
		}
	}
	if len(all.Set.With(keys.Standby)) == 0 {
		found = append(found, "there is no standby key: make one (repomill key add), or the next change of keys asks every dnf host and locks zypper's out")
	}
	return found
}

type keyPlanCmd struct {
	keyFlags
	Overlap period `default:"30d" help:"For how long clients are given a key before it signs, or signs alone."`
}

// Help has an example.
func (keyPlanCmd) Help() string {
	return `Example:
  repomill key plan` + keyLookHelp
}

// Run prints the next step, and what each kind of client does.
func (c *keyPlanCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	overlap := time.Duration(c.Overlap)
	signing, standby := s.all.Set.With(keys.Signing), s.all.Set.With(keys.Standby)
	for _, k := range signing {
		fmt.Fprintf(io.out, "%s signs since %s\n", k.Fingerprint, since(k).Format(time.DateOnly))
	}
	for _, k := range standby {
		fmt.Fprintf(io.out, "%s stands by since %s\n", k.Fingerprint, since(k).Format(time.DateOnly))
	}
	for _, n := range append(s.locked(), s.reasons(time.Now())...) {
		fmt.Fprintln(io.out, n)
	}
	fmt.Fprintln(io.out)
	switch {
	case len(signing) > 1:
		old, last := signing[0], signing[len(signing)-1]
		printStep(io, "repomill key retire "+old.Fingerprint, since(last).Add(overlap), retireEffects)
	case len(standby) > 0:
		printStep(io, "repomill key promote "+standby[0].Fingerprint, since(standby[0]).Add(overlap), promoteEffects)
	default:
		printStep(io, "repomill key add", time.Time{}, addEffects)
	}
	return nil
}

// What clients do at each step, as it was measured with apt 2.6 to 3.3, dnf 4.14 and 4.23, dnf5 5.4 and zypper 1.14.
const (
	addEffects = `  apt          nothing: a host learns of the new key when its .sources file, or the keyring package, is fetched again
  dnf, dnf5    nothing: hosts import all keys of gpgkey when they are set up, those of today only the old one
  zypper       hosts import the new key by themselves, from the hint in repomd.xml; those with libzypp 17.25.7 or older do not`
	promoteEffects = `  apt, dnf, dnf5, zypper    nothing: the old key signs beside it, and comes first and last in repomd.xml.asc`
	retireEffects  = `  apt          hosts that have not fetched the .sources file, or the keyring package, since the key was added stop at: Missing key
  dnf, dnf5    hosts that were set up before the key was added ask once; without -y they keep what they have, and exit 0
  zypper       nothing, for hosts that refreshed since the key was added; others, and those with libzypp 17.25.7 or older, exit 4`
)

func printStep(io stdio, line string, from time.Time, effects string) {
	when := "now"
	if time.Now().Before(from) {
		when = "from " + from.Format(time.DateOnly) + " on"
	}
	fmt.Fprintf(io.out, "next, %s:\n  %s\nwhat clients do then:\n%s\n", when, line, effects)
}
