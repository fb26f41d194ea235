package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Push is the command that stages packages.
type Push struct {
	Target        string        `arg:"" help:"Where to: owner/name/os/version[/component], such as acme/tools/ubuntu/jammy or acme/tools/el/9; several with commas between them."`
	Files         []string      `arg:"" help:"Packages; folders, of which all packages are taken; or quoted patterns such as 'dist/*.deb'."`
	Wait          bool          `help:"Wait for the verdict: until a client can install the packages, or it is known why not."`
	Timeout       time.Duration `default:"5m" help:"How long to wait."`
	DryRun        bool          `help:"Read the packages as the server does, say what it would answer, and stage nothing. What needs the catalog (whether the repository takes them, and the names are free) is not checked."`
	NoVerify      bool          `help:"Do not read the packages as the server does before they are staged: leave it to the server to find faults."`
	Retries       int           `default:"2" help:"How often to try again if staging meets a fault."`
	JSON          bool          `name:"json" help:"Print one JSON verdict a line."`
	Server        string        `env:"REPOMILL_SERVER" placeholder:"https://NAME" help:"URL of a repomill server to push to, over HTTP, in place of --staging."`
	TokenFile     string        `env:"REPOMILL_TOKEN_FILE" type:"path" help:"File with the token for --server, if it is not in REPOMILL_TOKEN, ~/.config/repomill/token or, as the login, ~/.netrc."`
	Token         string        `env:"REPOMILL_TOKEN" hidden:"" help:"The token itself."`
	Staging       string        `default:"file://./data/staging" help:"URL of the staging bucket: gs://BUCKET, or file:///FOLDER."`
	Distributions string        `type:"path" help:"JSON file with more distributions, if the server has one."`
	User          string        `env:"REPOMILL_USER,GITLAB_USER_LOGIN,GITHUB_ACTOR" help:"Who pushes, which a later conflict names. Kept in gs:// staging only."`
	Job           string        `env:"REPOMILL_JOB,CI_JOB_URL,BUILD_URL" help:"URL of the CI job, likewise."`
}

// Help describes the exit codes.
func (Push) Help() string {
	return `Exit codes:
  0  all published, or duplicates of what is published; without --wait: all are in staging
  1  at least one was rejected; the reasons are on the standard error
  2  usage
  3  timed out or interrupted; the standard error says at which stage
  4  staging cannot be reached or written; a retry may help

Examples:
  repomill push --wait acme/tools/ubuntu/jammy hello_1.0_amd64.deb
  repomill push --wait acme/tools/ubuntu/jammy,acme/tools/debian/bookworm dist/
  repomill push --wait --server https://packages.acme.example acme/tools/ubuntu/jammy dist/
  repomill push --dry-run acme/tools/el/9 'dist/*.rpm'`
}

// A pushed file is one on its way to a target.
type pushed struct {
	file    string
	target  string
	object  string // staging key
	upload  catalog.Upload
	verdict catalog.Verdict
	settled bool
}

// reject settles a file that the server would reject.
func (p *pushed) reject(rej *catalog.Rejection) {
	p.settled = true
	p.verdict = catalog.Verdict{Object: p.object, State: catalog.Rejected, Reason: rej.Reason, Detail: rej.Detail}
}

// Run stages the files and, if asked, waits.
func (c *Push) Run(ctx context.Context, io Stdio) error {
	plan, err := c.plan(io)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.dryRun(ctx, io, plan)
	}
	staging, err := c.open(ctx, io)
	if err != nil {
		return err
	}
	defer staging.Close()
	if err := c.stageAll(ctx, io, staging, plan); err != nil {
		return err
	}
	if c.Wait {
		return c.wait(ctx, io, staging, plan.ups)
	}
	for _, p := range plan.ups {
		if !p.settled {
			c.printStaged(io, p)
		}
	}
	c.summarize(io, plan.ups)
	return exitOf(plan.ups)
}

// stageAll verifies files and puts them into staging. What the server would reject is rejected here, and keeps nothing
// else back.
func (c *Push) stageAll(ctx context.Context, io Stdio, staging stager, plan plan) error {
	v := newVerifier(plan.table)
	for _, p := range plan.ups {
		if !c.NoVerify {
			rej, err := v.verify(ctx, p)
			if err != nil {
				return err
			}
			if rej != nil {
				p.reject(rej)
				c.print(io, p)
				continue
			}
		}
		var err error
		p.upload, err = c.stage(ctx, io, staging, p)
		if rej, ok := errors.AsType[*catalog.Rejection](err); ok {
			p.reject(rej)
			c.print(io, p)
			continue
		}
		if err != nil {
			return err
		}
	}
	if !c.Wait {
		v.warnOfUnknown(io)
	}
	v.warnOfUnsigned(io)
	return nil
}

// exitOf says whether all went well; the reasons are printed.
func exitOf(ups []*pushed) error {
	for _, p := range ups {
		if p.verdict.State == catalog.Rejected {
			return command.Exit(command.Failed)
		}
	}
	return nil
}

// defaultStaging is the staging of repomill up in this folder.
const defaultStaging = "file://./data/staging"

func (c *Push) open(ctx context.Context, std Stdio) (stager, error) {
	if c.Server != "" {
		return c.openServer(std)
	}
	scheme, path, _ := strings.Cut(c.Staging, "://")
	switch scheme {
	case "file":
		if _, err := os.Stat(path); err != nil {
			return nil, command.Fault(fmt.Errorf("staging: %w: start repomill up, or name its folder with --staging file://DATA/staging", err))
		}
	case "gs":
	default:
		return nil, command.Usage("--staging %q: use gs://BUCKET or file:///path/to/staging", c.Staging)
	}
	s, err := objects.OpenStaging(ctx, c.Staging)
	if err != nil {
		return nil, command.Fault(err)
	}
	return s, nil
}

// firstPause is how long stage waits before it tries again; each time twice as long.
const firstPause = time.Second

// stage puts one file into staging, and tries again after faults that may go away.
func (c *Push) stage(ctx context.Context, std Stdio, s stager, p *pushed) (catalog.Upload, error) {
	pause := firstPause
	for left := c.Retries; ; left-- {
		u, err := c.stageOnce(ctx, std, s, p)
		if command.CodeOf(err) != command.Unreachable || errors.Is(err, fs.ErrPermission) || left <= 0 {
			return u, err
		}
		fmt.Fprintf(std.Err, "%s: %s; trying again in %s\n", p.file, command.Printable(err.Error()), pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return u, command.Interrupt("interrupted; %s is not in staging: %w", p.file, err)
		}
		pause *= 2
	}
}

// stageOnce puts one file into staging, with a progress bar on a terminal.
func (c *Push) stageOnce(ctx context.Context, std Stdio, s stager, p *pushed) (catalog.Upload, error) {
	f, err := os.Open(p.file)
	if err != nil {
		return catalog.Upload{}, command.Usage("%w", err)
	}
	defer f.Close()
	var body io.Reader = f
	if info, err := f.Stat(); err == nil && command.CanRedraw(std.Err) {
		bar := progressbar.NewOptions64(info.Size(), progressbar.OptionSetWriter(std.Err), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(command.Printable(filepath.Base(p.file))), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		defer bar.Close()
		body = reading{io.TeeReader(f, bar), f}
	}
	u, err := s.Put(ctx, p.object, body, catalog.Pusher{User: c.User, Job: c.Job})
	if err != nil && ctx.Err() != nil {
		return u, command.Interrupt("interrupted while %s was being stored; nothing of it is in staging", p.file)
	}
	if _, ok := errors.AsType[*catalog.Rejection](err); ok {
		return u, err
	}
	if err != nil {
		return u, command.Fault(shownError{err, p.object})
	}
	return u, nil
}

// A shownError is an error about a staging key, with the key as people know it.
type shownError struct {
	error
	object string
}

// Error implements error.
func (e shownError) Error() string { return layout.ShownIn(e.error.Error(), e.object) }

// Unwrap returns the error as it was.
func (e shownError) Unwrap() error { return e.error }

func (c *Push) printStaged(io Stdio, p *pushed) {
	if c.JSON {
		PrintJSON(io.Out, map[string]any{"file": p.file, "object": p.upload.Object, "generation": p.upload.Generation, "state": staged})
		return
	}
	fmt.Fprintf(io.Out, "%s: stored in staging as %s; add --wait to learn what becomes of it\n", command.Printable(p.file), command.Printable(layout.ShownStaging(p.upload.Object)))
}

// PrintJSON prints a value as one line of JSON.
func PrintJSON(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own data
	}
	fmt.Fprintf(w, "%s\n", b)
}
