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

// Push is the command that uploads packages to staging. It verifies them first, retries faults of staging Retries times with
// pauses that double from a second, and with Wait returns after every upload has a final verdict that a client can see.
type Push struct {
	Target        string        `arg:"" help:"Target: owner/name/os/version[/component], such as acme/tools/ubuntu/jammy or acme/tools/el/9. Separate several with commas."`
	Files         []string      `arg:"" help:"Packages, folders with packages, or quoted patterns such as 'dist/*.deb'."`
	Train         string        `filled:"" placeholder:"NAME" help:"Hold the packages until repomill train publish makes all that were pushed for this release train visible at once, in all repositories of the owner. They are checked and stored."`
	IfAbsent      bool          `help:"Replace nothing: in a mutable repository, too, a version that is published with other bytes is rejected."`
	Embargo       bool          `help:"With --train: nothing public names or serves the packages before the train is published: no index, page, log or URL, and no one who may read the repositories. All pushes for the train need it. The repositories must have their distributions."`
	Wait          bool          `help:"Wait for the verdicts: until clients can install the packages, or they are rejected."`
	Timeout       time.Duration `default:"5m" help:"How long to wait."`
	DryRun        bool          `help:"Check the packages as the server does, print its verdicts, and upload nothing. Checks that need the catalog are left out: the settings of the repository, and whether the names are free."`
	NoVerify      bool          `help:"Do not check the packages before the upload. The server checks them in any case."`
	Retries       int           `default:"2" help:"How often to retry after a fault of staging."`
	JSON          bool          `name:"json" help:"Print one JSON verdict per line."`
	Server        string        `env:"REPOMILL_SERVER" placeholder:"https://NAME" help:"URL of a repomill server to push to, over HTTP, in place of --staging. Files of 16 MiB or more go to the store of its staging, if it has sessions there and the store can be reached."`
	TokenFile     string        `env:"REPOMILL_TOKEN_FILE" type:"path" help:"File with the token for --server, if it is not in REPOMILL_TOKEN, ~/.config/repomill/token or, as the login, ~/.netrc."`
	Token         string        `env:"REPOMILL_TOKEN" hidden:"" help:"The token itself."`
	Staging       string        `default:"file://./data/staging" help:"URL of the staging bucket: gs://BUCKET, or file:///FOLDER."`
	Distributions string        `type:"path" help:"JSON file with more distributions, if the server has one."`
	User          string        `env:"REPOMILL_USER,GITLAB_USER_LOGIN,GITHUB_ACTOR" help:"Who pushes. A later conflict names the user. With --server it is the token."`
	Job           string        `env:"REPOMILL_JOB,CI_JOB_URL,BUILD_URL" help:"URL of the CI job. A later conflict names it."`
}

// Help describes the exit codes.
func (Push) Help() string {
	return `Exit codes:
  0  all packages are published, or duplicates of published ones, or took the place of other bytes in a mutable repository; without
     --wait: all are in staging
  1  at least one was rejected; the standard error has the reasons
  2  usage
  3  timed out or interrupted; the standard error says at which stage
  4  staging or the server cannot be reached or written, which a retry may help; or the server refuses the token
  6  with --train and --wait: all packages are held for the train, or duplicates of published ones; clients see none that is held

Examples:
  ${program} push --wait acme/tools/ubuntu/jammy hello_1.0_amd64.deb
  ${program} push --wait acme/tools/ubuntu/jammy,acme/tools/debian/bookworm dist/
  ${program} push --wait --server https://packages.acme.example acme/tools/ubuntu/jammy dist/
  ${program} push --wait --train 19.5.0 acme/tools/ubuntu/jammy,acme/tools/ubuntu/noble dist/
  ${program} push --wait --if-absent acme/nightly/el/9 'dist/*.rpm'
  ${program} push --wait --train may --embargo acme/tools/ubuntu/jammy,acme/tools/el/9 dist/
  ${program} push --dry-run acme/tools/el/9 'dist/*.rpm'`
}

// A pushed is the upload of one file to one target.
type pushed struct {
	file    string
	target  string
	object  string // staging key
	upload  catalog.Upload
	verdict catalog.Verdict
	settled bool
}

// reject records the rejection of a file that the server would reject.
func (p *pushed) reject(rej *catalog.Rejection) {
	p.settled = true
	p.verdict = catalog.Verdict{Object: p.object, State: catalog.Rejected, Reason: rej.Reason, Detail: rej.Detail}
}

// Run uploads the files and, with --wait, waits for their verdicts.
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

// stageAll verifies files and uploads them to staging. It rejects those that the server would reject, and uploads the others.
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

// exitOf returns an error without text if an upload was rejected or, if none was, one is held.
func exitOf(ups []*pushed) error {
	code := command.OK
	for _, p := range ups {
		switch p.verdict.State {
		case catalog.Rejected:
			return command.Exit(command.Failed)
		case catalog.Held:
			code = command.Held
		}
	}
	if code == command.OK {
		return nil
	}
	return command.Exit(code)
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

// firstPause is the pause of stage before its first retry. It doubles with each one.
const firstPause = time.Second

// stage uploads one file to staging, and retries temporary faults.
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

// stageOnce uploads one file to staging, with a progress bar on a terminal.
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
		body = &reading{file: f, shown: func(at int64) { bar.Set64(at) }} //nolint:errcheck // it is for the eye
	}
	u, err := s.Put(ctx, p.object, body, catalog.Pusher{User: c.User, Job: c.Job})
	if err != nil && ctx.Err() != nil {
		return u, command.Interrupt("interrupted during the upload of %s; nothing of it is in staging", p.file)
	}
	if _, ok := errors.AsType[*catalog.Rejection](err); ok {
		return u, err
	}
	if err != nil {
		return u, command.Fault(shownError{err, p.object})
	}
	return u, nil
}

// A shownError is an error about a staging key that shows the key without the ID of the upload.
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
	fmt.Fprintf(io.Out, "%s: stored in staging as %s; add --wait to wait for its verdict\n", command.Printable(p.file), command.Printable(layout.ShownStaging(p.upload.Object)))
}

// PrintJSON writes a value as one line of JSON. It panics if the value cannot be encoded.
func PrintJSON(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type without JSON is a mistake in the program
	}
	fmt.Fprintf(w, "%s\n", b)
}
