package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Check is the command that verifies published repositories as a client would. Its exit code is 1 if it found problems.
type Check struct {
	Tree          string `arg:"" optional:"" help:"Folder with published repositories (such as DATA/bucket or a mirror); or the URL of a repository, http://HOST/owner/name[/os[/version]], or of one release: .../dists/CODENAME, or the baseurl of an RPM repository."`
	Keyring       string `required:"" type:"path" help:"File with the public keys that clients trust, such as the repository's gpgkey."`
	Quick         bool   `help:"Check only existence and size of the package files, not their contents."`
	Distributions string `type:"path" help:"JSON file with more distributions to look for below the URL of a repository, in the form of the built-in table."`
	Replica       string `placeholder:"s3://BUCKET?region=R" help:"URL of a replica of the published bucket: check all releases and settings in it, and how far it is behind --bucket."`
	Bucket        string `placeholder:"s3://BUCKET?region=R" help:"With --replica: URL of the primary bucket. Without it, or if its region is lost, the lag is unknown."`
	Full          bool   `help:"With --replica: read the contents of all package files. Otherwise they are listed: sizes are compared, and ETags with the MD5 in the index or with the primary; what differs is read."`
	JSON          bool   `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (Check) Help() string {
	return `The last line is the verdict. In a folder, the command searches for releases, but not in snapshots. A server has no list of them: below the URL of a
repository the command tries each distribution, for RPM in its usual architectures. For other architectures, name the baseurl.
For a private repository, put a token into the URL: https://TOKEN@HOST/owner/name.

Replication between buckets keeps no order. --replica proves of each release that all that its pointer names has arrived, and of each
repository its settings, keys and install scripts. The lag is the age of the oldest publish that has not arrived whole; it does not
change the exit code. The command reads buckets, and writes nothing.

Examples:
  ${program} check ./data/bucket --keyring gpgkey
  ${program} check https://packages.example.org/acme/tools --keyring gpgkey
  ${program} check https://packages.example.org/acme/tools/ubuntu/dists/jammy --keyring gpgkey
  ${program} check --replica 's3://acme-replica?region=eu-west-1' --bucket 's3://acme-packages?region=eu-central-1' --keyring gpgkey

Exit codes:
  0  no problems
  1  problems were found
  2  usage
  3  interrupted
  4  the repositories, or the replica, cannot be read`
}

// A checkReport is the JSON output of check.
type checkReport struct {
	Releases []check.Release `json:"releases"`
	Problems []check.Problem `json:"problems"`
}

// Run verifies each release and prints its problems.
func (c *Check) Run(ctx context.Context, io Stdio, replicas ReplicaChecker) error {
	switch {
	case c.Replica != "" && c.Tree != "":
		return command.Usage("name a place to check, or --replica")
	case c.Replica != "":
		return c.runReplica(ctx, io, replicas)
	case c.Full:
		return command.Usage("--full is for --replica: other places are read in full unless --quick is set")
	}
	keyring, err := c.keyring()
	if err != nil {
		return err
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return command.Usage("--distributions: %w", err)
	}
	p, err := findPlace(ctx, c.Tree, table)
	if err != nil {
		return checkError(ctx, err)
	}
	report := checkReport{Releases: []check.Release{}, Problems: []check.Problem{}}
	opt := check.Options{Content: !c.Quick, Now: time.Now(), ByHash: p.snapshot}
	for _, f := range p.found {
		read := check.RPM
		if f.Format == catalog.DEB {
			read = func(ctx context.Context, t check.Tree, base string, k sign.Keyring, o check.Options) (check.Release, []check.Problem, error) {
				return check.Apt(ctx, t, base, f.Codename, k, o)
			}
		}
		rel, problems, err := read(ctx, p.tree, f.Base, keyring, opt)
		if err != nil {
			return checkError(ctx, command.Fault(err))
		}
		report.Releases = append(report.Releases, rel)
		report.Problems = append(report.Problems, problems...)
		if !c.JSON {
			printRelease(io, p.nameOf(f, rel), rel, problems)
		}
	}
	if c.JSON {
		PrintJSON(io.Out, report)
	} else {
		fmt.Fprintln(io.Out, report.verdict())
	}
	if len(report.Problems) > 0 {
		return command.Exit(command.Failed)
	}
	return nil
}

func checkError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return command.Interrupt("interrupted before everything was read")
	}
	return err
}

func (c *Check) keyring() (sign.Keyring, error) { return ReadKeyring(c.Keyring) }

// ReadKeyring reads the file of --keyring. An error carries an exit code.
func ReadKeyring(path string) (sign.Keyring, error) {
	const fetch = "fetch one with curl -fsSLo FILE https://HOST/owner/name/gpgkey"
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sign.Keyring{}, command.Usage("--keyring: file %s does not exist: %s", path, fetch)
	}
	if err != nil {
		return sign.Keyring{}, command.Usage("--keyring: %w: %s", err, fetch)
	}
	keyring, err := sign.ReadKeyring(text)
	if err != nil {
		return keyring, command.Usage("--keyring %s: %w: %s", path, err, fetch)
	}
	return keyring, nil
}

func printRelease(io Stdio, name string, r check.Release, problems []check.Problem) {
	fmt.Fprintf(io.Out, "%s: revision %d of %s, %s, %s\n", name, r.Revision.Number, r.Date.Format(time.RFC3339),
		layout.Counted(r.Packages, "package"), countedIndexes(r.Indexes))
	for _, p := range problems {
		fmt.Fprintf(io.Out, "%s: %s\n", command.Printable(p.Path), p.Detail)
	}
}

// verdict returns the last line of the output.
func (r checkReport) verdict() string {
	packages, indexes := 0, 0
	for _, rel := range r.Releases {
		packages, indexes = packages+rel.Packages, indexes+rel.Indexes
	}
	releases := ""
	if n := len(r.Releases); n > 1 {
		releases = layout.Counted(n, "release") + ", "
	}
	if n := len(r.Problems); n > 0 {
		return layout.Counted(n, "fault") + " in " + releases + layout.Counted(packages, "package") + ", " + countedIndexes(indexes)
	}
	return "sound: " + releases + layout.Counted(packages, "package") + ", " + countedIndexes(indexes)
}

func countedIndexes(n int) string {
	if n == 1 {
		return "1 index"
	}
	return fmt.Sprintf("%d indexes", n)
}
