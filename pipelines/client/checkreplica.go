package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/publish/replica"
	"repomill/publish/sign"
	"repomill/schemas/layout"
)

// A ReplicaChecker is [CheckReplica], or nil in a program that opens no buckets: the stores would be a quarter of repomill-client.
type ReplicaChecker func(ctx context.Context, replicaURL, primaryURL string, keyring sign.Keyring, full bool, warn func(error)) (replica.Report, error)

// runReplica checks the replica of a bucket.
func (c *Check) runReplica(ctx context.Context, io Stdio, check ReplicaChecker) error {
	if check == nil {
		return command.Usage("this program opens no buckets: run repomill check --replica")
	}
	keyring, err := c.keyring()
	if err != nil {
		return err
	}
	rep, err := check(ctx, c.Replica, c.Bucket, keyring, c.Full, func(err error) { fmt.Fprintf(io.Err, "warning: %v\n", err) })
	if err != nil {
		return checkError(ctx, err)
	}
	if c.JSON {
		PrintJSON(io.Out, rep)
	} else {
		printReplica(io, rep)
	}
	if !rep.Sound() {
		return command.Exit(command.Failed)
	}
	return nil
}

// CheckReplica checks the replica that a URL names, and compares it with the primary, if its URL is not empty and it can be opened.
// If it cannot, warn is called, and the lag is unknown. An error carries an exit code.
func CheckReplica(ctx context.Context, replicaURL, primaryURL string, keyring sign.Keyring, full bool, warn func(error)) (replica.Report, error) {
	there, err := OpenPublished(ctx, "--replica", replicaURL)
	if err != nil {
		return replica.Report{}, err
	}
	defer there.Close() //nolint:errcheck // it was read
	var primary replica.Bucket
	if primaryURL != "" {
		switch b, err := OpenPublished(ctx, "--bucket", primaryURL); {
		case err == nil:
			defer b.Close() //nolint:errcheck // it was read
			primary = b
		case command.CodeOf(err) == command.Misused:
			return replica.Report{}, err
		default:
			warn(fmt.Errorf("the replica is not compared with the primary: %w", err))
		}
	}
	rep, err := replica.Check(ctx, there, primary, replica.Options{Keys: keyring, Full: full, Now: time.Now(), Settle: time.Second})
	if err != nil {
		return rep, command.Fault(err)
	}
	if primary == nil && primaryURL != "" {
		rep.Unknown = "the primary cannot be opened"
	}
	return rep, nil
}

// OpenPublished opens the published bucket that the URL of a flag names, for reading. A folder must exist. An error carries an exit code.
func OpenPublished(ctx context.Context, flag, url string) (objects.Bucket, error) {
	if path, ok := strings.CutPrefix(url, "file://"); ok {
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			return nil, command.Fault(fmt.Errorf("%s file://%s: there is no such folder", flag, path))
		}
	}
	b, err := objects.OpenBucket(ctx, url)
	if err == nil {
		return b, nil
	}
	err = errors.New(strings.ReplaceAll(err.Error(), "--bucket", flag))
	if !strings.HasPrefix(url, "file://") && !strings.HasPrefix(url, "s3://") {
		return nil, command.Usage("%w", err)
	}
	return nil, command.Fault(err)
}

func printReplica(io Stdio, rep replica.Report) {
	for _, r := range rep.Releases {
		fmt.Fprintf(io.Out, "%s: %s, revision %d%s, %s, %s\n", r.Name, r.State, r.Revision.Number, compared(r.Age), layout.Counted(r.Packages, "package"), countedIndexes(r.Indexes))
		for _, p := range r.Problems {
			fmt.Fprintf(io.Out, "%s: %s\n", command.Printable(p.Path), p.Detail)
		}
	}
	for _, r := range rep.Repositories {
		revision := ""
		if r.Name != replica.Shared {
			revision = fmt.Sprintf(", revision %d", r.Revision.Number)
		}
		fmt.Fprintf(io.Out, "settings of %s: %s%s%s\n", r.Name, r.State, revision, compared(r.Age))
		for _, p := range r.Problems {
			fmt.Fprintf(io.Out, "%s: %s\n", command.Printable(p.Path), p.Detail)
		}
	}
	fmt.Fprintln(io.Out, ReplicaVerdict(rep))
}

// ReplicaVerdict returns the result of a check of a replica as one line.
func ReplicaVerdict(rep replica.Report) string {
	packages, indexes := 0, 0
	for _, r := range rep.Releases {
		packages, indexes = packages+r.Packages, indexes+r.Indexes
	}
	return fmt.Sprintf("%s, %s, %s; %s", soundness(rep), layout.Counted(packages, "package"), countedIndexes(indexes), lagOf(rep))
}

func soundness(rep replica.Report) string {
	if rep.Sound() {
		return "whole: " + layout.Counted(len(rep.Releases), "release")
	}
	settings := 0
	for _, r := range rep.Repositories {
		if r.State == replica.Damaged {
			settings++
		}
	}
	return fmt.Sprintf("damaged: %d of %s and the settings of %d of %d", rep.Damaged, layout.Counted(len(rep.Releases), "release"), settings, len(rep.Repositories))
}

func compared(a replica.Age) string {
	switch a {
	case replica.Behind:
		return ", behind the primary"
	case replica.Ahead:
		return ", ahead of the primary"
	case replica.Current:
		return ", as the primary"
	}
	return ""
}

// lagOf returns what is known of the lag, as a clause.
func lagOf(rep replica.Report) string {
	l := rep.Lag
	switch {
	case l == nil:
		return "lag unknown: " + rep.Unknown
	case l.Releases+l.Settings+l.Ahead == 0 && l.Seconds == 0:
		return "up to date with the primary"
	}
	s := fmt.Sprintf("lag %s: %s and %d settings behind", time.Duration(l.Seconds*float64(time.Second)).Round(time.Second),
		layout.Counted(l.Releases, "release"), l.Settings)
	if l.Ahead > 0 {
		s += ", " + layout.Counted(l.Ahead, "release") + " ahead"
	}
	return s
}
