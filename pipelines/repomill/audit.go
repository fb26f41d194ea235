package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

type auditCmd struct {
	Repositories []string      `arg:"" optional:"" name:"repository" help:"Repositories to look at, as owner/name; default: all of --bucket."`
	URL          string        `name:"url" env:"REPOMILL_URL" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	CDN          string        `name:"cdn" placeholder:"https://NAME" help:"URL of the CDN: a redirect to another place is a fault."`
	Keyring      string        `env:"REPOMILL_KEYRING" required:"" type:"path" help:"File with the public keys that clients trust, such as the instance's gpg.key."`
	Sample       int           `env:"REPOMILL_SAMPLE" default:"100" help:"Objects to read in a round, besides all pointers and their signatures."`
	MaxBytes     int64         `env:"REPOMILL_MAX_BYTES" default:"268435456" help:"Bytes that a round reads of them. Of what would exceed it, only the size is compared. 0: no bound."`
	Tokens       string        `env:"REPOMILL_TOKENS" type:"path" placeholder:"FILE" help:"File with tokens of private repositories, a line each: owner/name TOKEN."`
	Bucket       string        `placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket, which lists the repositories and what was published; with --replica also the primary that it is compared with."`
	Replica      string        `env:"REPOMILL_REPLICA" placeholder:"s3://BUCKET?region=R" help:"URL of a replica of the bucket, which is checked in each round, as check --replica does."`
	Every        time.Duration `env:"REPOMILL_EVERY" placeholder:"15m" help:"Go on, with a round in each such period; default: one round."`
	OpsListen    string        `default:"127.0.0.1:9104" help:"With --every: address of /metrics and /healthz; empty for none."`
	Settle       time.Duration `default:"35s" help:"How long caches may keep the files beside a pointer: what is wrong is looked at again after it."`

	Distributions string `type:"path" help:"JSON file with more distributions to look for, in the form of the built-in table."`
	JSON          bool   `name:"json" help:"Print JSON, one object a round."`
	LogLevel      string `default:"info" enum:"debug,info,warn,error" help:"With --every: lowest level that is logged: debug, info, warn or error."`
	LogFormat     string `default:"json" enum:"text,json" help:"With --every: format of the log on the standard error."`
}

// Help says what is looked at.
func (auditCmd) Help() string {
	return `Looks at published repositories from outside, as clients do: through the resolver and the CDN. It verifies the signature of each
pointer with the keys that clients have, draws objects that the pointers name (indexes under both names, packages), reads them, and
compares size and SHA-256. An object is "ok"; "absent"; it "differs"; or it is "unreachable", if there was no answer, a refusal or an
error of a server. A pointer that moved is looked at again before a fault is reported. Of objects that --max-bytes does not leave
room for, only the size is compared, with a request of one byte; the last line says of how many.

Private repositories without a token are skipped. The command writes nothing; of --bucket it reads settings and the names of manifests.

Examples:
  repomill audit --sample 100 --url https://packages.example.org --keyring gpg.key --bucket 's3://acme-packages?region=eu-central-1'
  repomill audit --url https://packages.example.org --keyring gpg.key --tokens tokens acme/tools acme/secret
  repomill audit --every 15m --ops-listen :9104 --url https://packages.example.org --keyring gpg.key --bucket s3://acme-packages --replica s3://acme-replica

Exit codes:
  0  all are ok, or ended by a signal with --every
  1  an object is absent or differs, or the replica is damaged
  2  usage
  3  interrupted
  4  something cannot be reached; nothing is known of it`
}

// An auditReport is what one round has found.
type auditReport struct {
	client.Audit
	Replica *replicaReport `json:"replica,omitempty"`
}

// Run looks once, or again and again.
func (c *auditCmd) Run(ctx context.Context, out stdio) error {
	a, err := c.auditor()
	if err != nil {
		return err
	}
	defer func() { c.close(a) }()
	if c.Every > 0 {
		return c.keepOn(ctx, out, a)
	}
	rep, err := c.round(ctx, a, func(err error) { fmt.Fprintf(out.err, "warning: %v\n", err) })
	if err != nil {
		return c.failed(ctx, err)
	}
	c.print(out, rep)
	return rep.exit()
}

// open opens the bucket, unless it is open.
func (c *auditCmd) open(ctx context.Context, a *client.Auditor) error {
	if c.Bucket == "" || a.Bucket != nil {
		return nil
	}
	bucket, err := client.OpenPublished(ctx, "--bucket", c.Bucket)
	if err == nil {
		a.Bucket, a.Settings = bucket, bucket
	}
	return err
}

func (c *auditCmd) close(a *client.Auditor) {
	if b, ok := a.Bucket.(io.Closer); ok {
		b.Close() //nolint:errcheck // it was read
	}
}

func (c *auditCmd) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return command.Interrupt("interrupted before everything was read")
	}
	if command.CodeOf(err) != command.Failed {
		return err // it has a code
	}
	return command.Fault(err)
}

// auditor returns the auditor that the flags describe, without its bucket.
func (c *auditCmd) auditor() (*client.Auditor, error) {
	if err := command.CheckURL("--url", c.URL); err != nil {
		return nil, err
	}
	if c.CDN != "" {
		if err := command.CheckURL("--cdn", c.CDN); err != nil {
			return nil, err
		}
	}
	switch {
	case c.Sample < 0:
		return nil, command.Usage("--sample %d: use a number of objects", c.Sample)
	case c.MaxBytes < 0:
		return nil, command.Usage("--max-bytes %d: use a number of bytes, or 0 for no bound", c.MaxBytes)
	case c.Every < 0 || c.Settle < 0:
		return nil, command.Usage("--every and --settle: use a duration such as 15m")
	case len(c.Repositories) == 0 && c.Bucket == "":
		return nil, command.Usage("name repositories, or the bucket that lists them with --bucket")
	}
	if c.Every > 0 && c.OpsListen != "" {
		if err := checkAddress("--ops-listen", c.OpsListen); err != nil {
			return nil, err
		}
	}
	keyring, err := client.ReadKeyring(c.Keyring)
	if err != nil {
		return nil, err
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return nil, command.Usage("--distributions: %w", err)
	}
	tokens, err := readTokens(c.Tokens)
	if err != nil {
		return nil, command.Usage("--tokens: %w", err)
	}
	a := &client.Auditor{
		Site: strings.TrimRight(c.URL, "/"), CDN: strings.TrimRight(c.CDN, "/"), Keys: keyring, Sample: c.Sample, MaxBytes: c.MaxBytes,
		Tokens: tokens, Table: table, Settle: c.Settle,
	}
	for _, name := range c.Repositories {
		r, err := client.ParseRepository(name)
		if err != nil {
			return nil, err
		}
		a.Repositories = append(a.Repositories, r)
	}
	return a, nil
}

// readTokens reads a file of tokens: owner/name TOKEN in each line. Lines that begin with # are comments. Its errors have no token.
func readTokens(path string) (map[catalog.Repository]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tokens, n := map[catalog.Repository]string{}, 0
	for line := range strings.Lines(string(text)) {
		n++
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		owner, name, ok := strings.Cut(f[0], "/")
		if r := (catalog.Repository{Owner: owner, Name: name}); ok && len(f) == 2 && layout.CheckRepository(r) == nil {
			tokens[r] = f[1]
			continue
		}
		return nil, fmt.Errorf("line %d of %s is not owner/name TOKEN", n, path)
	}
	return tokens, nil
}

// round looks once at the repositories, and at the replica if there is one: also if the bucket cannot be read, because its region may be
// lost.
func (c *auditCmd) round(ctx context.Context, a *client.Auditor, warn func(error)) (rep auditReport, err error) {
	if err = c.open(ctx, a); err == nil {
		rep.Audit, err = a.Round(ctx, time.Now())
	}
	if c.Replica == "" || ctx.Err() != nil {
		return rep, err
	}
	var replicaErr error
	if rep.Replica, replicaErr = c.checkReplica(ctx, a.Keys, warn); err == nil {
		err = replicaErr
	} else if replicaErr != nil {
		warn(replicaErr)
	}
	return rep, err
}

func (c *auditCmd) checkReplica(ctx context.Context, keys sign.Keyring, warn func(error)) (*replicaReport, error) {
	rep, err := client.CheckReplica(ctx, c.Replica, c.Bucket, keys, false, warn)
	if err != nil {
		return nil, fmt.Errorf("the replica cannot be checked: %w", err)
	}
	return &rep, nil
}

// print prints each fault, and a verdict as the last line.
func (c *auditCmd) print(out stdio, rep auditReport) {
	if c.JSON {
		printJSON(out, rep)
		return
	}
	for _, f := range rep.Faults {
		fmt.Fprintf(out.out, "%s  %s: %s\n", f.Outcome, command.Printable(f.URL), f.Detail)
	}
	for _, name := range rep.Skipped {
		fmt.Fprintf(out.out, "skipped  %s: it is private, and --tokens has no token of it\n", name)
	}
	if rep.Replica != nil {
		fmt.Fprintf(out.out, "replica: %s\n", client.ReplicaVerdict(*rep.Replica))
	}
	fmt.Fprintln(out.out, rep.verdict())
}

func (r auditReport) verdict() string {
	n := 0
	for _, some := range r.Counts {
		n += some
	}
	verdict := fmt.Sprintf("%s of %s: %d ok, %d absent, %d differ, %d unreachable", layout.Counted(n, "object"), layout.Counted(r.Releases, "release"),
		r.Counts[check.Good], r.Counts[check.Absent], r.Counts[check.Differs], r.Counts[check.Unreachable])
	if r.Sized > 0 {
		verdict += fmt.Sprintf("; only the size of %d (--max-bytes)", r.Sized)
	}
	return verdict
}

func (r auditReport) exit() error {
	switch {
	case r.Wrong() || r.Replica != nil && !r.Replica.Sound():
		return command.Exit(command.Failed)
	case r.Counts[check.Unreachable] > 0:
		return command.Exit(command.Unreachable)
	case !r.Good():
		return command.Fault(errors.New("nothing was looked at: no release has been published, or each repository is private and without a token"))
	}
	return nil
}
