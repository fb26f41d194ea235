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
  0  no problem; with notices, if a key expires within 90 or 180 days, or clients will soon refuse its kind
  1  a key expires within 30 days, cannot sign, or has not signed all releases yet; releases wait for a key; a worker can no
     longer read its keys; or there is no standby key
  2  usage
  4  the catalog or the bucket cannot be reached

Example:
  repomill key status || mail -s 'signing keys' ops@example.org </dev/null`
}

// Run prints problems and notices. The exit code is 1 if there are problems.
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
		fmt.Fprintf(io.out, "notice: %s: start one to check that the private keys can be read\n", worker.Absence())
	}
	for _, n := range notices(s.all, s.used, time.Now()) {
		fmt.Fprintln(io.out, n)
	}
	if len(problems) > 0 {
		return command.Exit(command.Failed)
	}
	fmt.Fprintf(io.out, "all releases are signed by %d of %d keys\n", len(s.all.Signing), len(s.all.Set.Out()))
	return nil
}

// problems describes what is wrong, the worst first.
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
				found = append(found, fmt.Sprintf("worker %s cannot use %s since %s: %s; the keys that it has read before sign until it ends: replace the file before that",
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

// pace describes the progress of signing again.
func (s *keySite) pace() string {
	switch {
	case s.all.None != nil || s.all.Waits != nil:
		return "they wait for a key that can sign"
	case len(s.all.Workers) == 0:
		return "no worker runs: start one"
	}
	return "workers sign up to 10 releases a second"
}

// waits describes the releases that wait for keys that no running worker has.
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

// keyProblems describes the problems of the keys themselves.
func (s *keySite) keyProblems(now time.Time) (found []string) {
	for _, k := range s.all.Set.Out() {
		if p := s.all.Problem(k); p != "" && s.all.Waits != nil && slices.Contains(s.all.Waits.Keys, k.Fingerprint) {
			continue // waits describes it
		} else if p != "" {
			found = append(found, fmt.Sprintf("key %s (%s) cannot sign: %s", k.Fingerprint, k.Role, p))
			continue
		}
		if s.all.Condition(k, now) == pipelines.Expiring {
			end := expiryOf(k)
			found = append(found, fmt.Sprintf("key %s (%s) expires on %s, within %d days: extend it (repomill key extend), or replace it (repomill key plan)",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), daysLeft(end, now)))
		}
		if k.Role == keys.Standby && s.all.Waits == nil && s.all.Signs(k) {
			found = append(found, fmt.Sprintf("key %s is on standby, and signs because no other key can: repomill key plan prints the next step", k.Fingerprint))
		}
	}
	if len(s.all.Set.With(keys.Standby)) == 0 {
		found = append(found, "there is no standby key: add one (repomill key add); without it, the next key change asks every dnf host and fails on zypper hosts")
	}
	return found
}

// noticed are the numbers of days before an expiry that are reported: 30 or fewer as a problem, more as a notice.
var noticed = []int{7, 30, 90, 180}

// notices describes keys that expire within half a year, and those that clients will soon refuse.
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
			found = append(found, fmt.Sprintf("notice: key %s (%s) expires on %s, within %d days: extend it (repomill key extend), or replace it (repomill key plan)",
				k.Fingerprint, k.Role, end.Format(time.DateOnly), days))
		}
	}
	return found
}

// daysLeft returns the smallest number of noticed within which end lies; 0 if it is later than all.
func daysLeft(end, now time.Time) int {
	for _, days := range noticed {
		if end.Sub(now) < time.Duration(days)*24*time.Hour {
			return days
		}
	}
	return 0
}
