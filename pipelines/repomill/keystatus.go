package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/publish/keys"
)

type keyStatusCmd struct{ keyFlags }

// Help lists the exit codes.
func (keyStatusCmd) Help() string {
	return `Exit codes:
  0  all is well; with notices, if a key expires within 90 or 180 days, or clients are about to refuse its kind
  1  a key expires within 30 days, cannot sign, or has not signed everything yet; releases wait for a key; a worker cannot read
     its keys any more; or there is no standby key
  2  usage
  4  the catalog or the bucket cannot be reached

Example:
  repomill key status || mail -s 'signing keys' ops@example.org </dev/null`
}

// Run prints what is wrong, or that nothing is.
func (c *keyStatusCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	problems, err := s.problems(ctx, time.Now())
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(io.out, p)
	}
	worker, err := client.WorkerOf(ctx, s.db)
	if err != nil {
		return command.Fault(err)
	}
	if !worker.Runs {
		fmt.Fprintf(io.out, "notice: %s: whether the private keys are there shows when one is started\n", worker.Absence())
	}
	for _, n := range notices(s.all, s.used, time.Now()) {
		fmt.Fprintln(io.out, n)
	}
	if len(problems) > 0 {
		return command.Exit(command.Failed)
	}
	fmt.Fprintf(io.out, "all is well: everything is signed by %d of %d keys\n", len(s.all.Signing), len(s.all.Set.Out()))
	return nil
}

// problems says what is wrong: what is worst first.
func (s *keySite) problems(ctx context.Context, now time.Time) (found []string, err error) {
	wait, err := s.waits(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	found = append(found, wait...)
	if s.all.None != nil {
		found = append(found, fmt.Sprintf("nothing is published: %s", s.all.None))
	}
	for _, w := range s.all.Workers {
		for _, f := range w.Faults {
			if f.Place != "" {
				found = append(found, fmt.Sprintf("worker %s cannot use %s since %s: %s; keys that it read before sign until it ends: put a good file there before",
					w.Name, command.Printable(f.Place), f.Since.UTC().Format(time.DateTime+" MST"), command.Printable(f.Why)))
			}
		}
	}
	found = append(found, s.keyProblems(now)...)
	releases, repositories, err := s.db.CountToSign(ctx, s.all.Want, false)
	if err != nil {
		return nil, command.Fault(err)
	}
	if releases+repositories > 0 {
		found = append(found, fmt.Sprintf("%d releases are to be signed again, and the keys of %d repositories to be published; %s", releases, repositories, s.pace()))
	}
	return append(found, s.locked()...), nil
}

// pace says who signs again, and how fast.
func (s *keySite) pace() string {
	switch {
	case s.all.None != nil || s.all.Waits != nil:
		return "they wait for a key that can sign"
	case len(s.all.Workers) == 0:
		return "a worker does it once one runs"
	}
	return "workers are at it, 10 releases a second at most"
}

// waits says which releases wait for keys that no running worker has, if so.
func (s *keySite) waits(ctx context.Context) ([]string, error) {
	if s.all.Waits == nil {
		return nil, nil
	}
	behind, err := s.db.Unpublished(ctx)
	if err != nil {
		return nil, err
	}
	const shown = 5
	var names []string
	for _, r := range behind[:min(len(behind), shown)] {
		names = append(names, r.String())
	}
	if len(behind) > shown {
		names = append(names, "…")
	}
	text := "nothing is published, and nothing waits yet: "
	if len(behind) > 0 {
		text = fmt.Sprintf("nothing is published, and %s (%s): ", pipelines.Counted(len(behind), "release")+map[bool]string{true: " waits", false: " wait"}[len(behind) == 1], strings.Join(names, ", "))
	}
	found := []string{text + s.all.Waits.String()}
	if none := s.all.Waits.None; none != nil {
		found = append(found, fmt.Sprintf("then %s", none))
	}
	return found, nil
}

// keyProblems says what is wrong with the keys themselves.
func (s *keySite) keyProblems(now time.Time) (found []string) {
	for _, k := range s.all.Set.Out() {
		if p := s.all.Problem(k); p != "" && s.all.Waits != nil && slices.Contains(s.all.Waits.Keys, k.Fingerprint) {
			continue // which is said already
		} else if p != "" {
			found = append(found, fmt.Sprintf("key %s (%s) cannot sign: %s", k.Fingerprint, k.Role, p))
			continue
		}
		if s.all.Condition(k, now) == pipelines.Expiring {
			end := expiryOf(k)
			found = append(found, fmt.Sprintf("key %s (%s) expires on %s, within %d days: extend its life (repomill key extend), or replace it (repomill key plan)",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), daysLeft(end, now)))
		}
		if k.Role == keys.Standby && s.all.Waits == nil && s.all.Signs(k) {
			found = append(found, fmt.Sprintf("key %s is on standby, and signs since no other key can: repomill key plan says what to do", k.Fingerprint))
		}
	}
	if len(s.all.Set.With(keys.Standby)) == 0 {
		found = append(found, "there is no standby key: make one (repomill key add), or the next change of keys asks every dnf host and locks zypper's out")
	}
	return found
}

// Within how many days of an expiry it is spoken of: from 30 on, it is a fault.
var noticed = []int{7, 30, 90, 180}

// notices says what is no fault yet: keys that expire within half a year, and those that clients are about to refuse.
func notices(all pipelines.Signers, used pipelines.Distributions, now time.Time) (found []string) {
	for _, k := range all.Set.Out() {
		for _, n := range keyNotices(k, used) {
			found = append(found, fmt.Sprintf("notice: key %s (%s): %s", k.Fingerprint, k.Role, n))
		}
		end := expiryOf(k)
		if end.IsZero() || end.Sub(now) < pipelines.Soon {
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
