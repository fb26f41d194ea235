package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
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

type pushCmd struct {
	Target  string        `arg:"" help:"Where to: owner/name/os/version[/component], such as acme/tools/ubuntu/jammy or acme/tools/el/9."`
	Files   []string      `arg:"" help:"Packages."`
	Wait    bool          `help:"Wait for the verdict: until a client can install the packages, or it is known why not."`
	JSON    bool          `name:"json" help:"Print one JSON verdict a line."`
	Staging string        `default:"file://./data/staging" help:"URL of the staging bucket: gs://BUCKET, or file:///FOLDER."`
	User    string        `env:"REPOMILL_USER,GITLAB_USER_LOGIN,GITHUB_ACTOR" help:"Who pushes, for whoever meets a conflict later. Kept in gs:// staging only."`
	Job     string        `env:"REPOMILL_JOB,CI_JOB_URL,BUILD_URL" help:"URL of the CI job, likewise."`
	Timeout time.Duration `default:"5m" help:"How long to wait."`
}

// Help describes the exit codes.
func (pushCmd) Help() string {
	return `Exit codes:
  0  all published, or duplicates of what is published; without --wait: all are in staging
  1  at least one was rejected; the reasons are on the standard error
  2  usage
  3  timed out or interrupted; the standard error says at which stage
  4  staging cannot be reached or written; a retry may help`
}

// A pushed file is one that is in staging now.
type pushed struct {
	file    string
	upload  catalog.Upload
	verdict catalog.Verdict
	settled bool
}

// Run stages the files and, if asked, waits.
func (c *pushCmd) Run(ctx context.Context, io stdio) error {
	objects, err := c.objects()
	if err != nil {
		return err
	}
	staging, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer staging.Close()
	ups := make([]*pushed, len(c.Files))
	for i, file := range c.Files {
		ups[i] = &pushed{file: file}
		if ups[i].upload, err = c.stage(ctx, io, staging, file, objects[i]); err != nil {
			return err
		}
	}
	if !c.Wait {
		for _, p := range ups {
			c.printStaged(io, p)
		}
		return nil
	}
	return c.wait(ctx, io, staging, ups)
}

// objects returns the staging keys, after the checks that need no server. Each has an ID of its own, so that
// pushes of one name, at the same time or one after the other, are uploads of their own.
func (c *pushCmd) objects() ([]string, error) {
	target := strings.Trim(c.Target, "/")
	if n := strings.Count(target, "/"); n != 3 && n != 4 || layout.Hidden(target) || strings.Contains(target, "//") {
		return nil, command.Usage("target %q: use owner/name/os/version[/component], such as acme/tools/ubuntu/jammy", c.Target)
	}
	keys := make([]string, len(c.Files))
	for i, file := range c.Files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, command.Usage("%w", err)
		}
		name := filepath.Base(file)
		switch {
		case !info.Mode().IsRegular():
			return nil, command.Usage("%s is not a file", file)
		case strings.HasPrefix(name, "."):
			return nil, command.Usage("%s: names that start with a dot are ignored in staging; rename the file", file)
		case len(name) > layout.MaxFileName:
			return nil, command.Usage("%s: the name has %d bytes, and staging takes %d; rename the file", file, len(name), layout.MaxFileName)
		}
		keys[i] = target + "/" + layout.StagedName(layout.NewID(), name)
	}
	return keys, nil
}

func (c *pushCmd) open(ctx context.Context) (objects.Staging, error) {
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

// stage puts one file into staging, with a progress bar on a terminal.
func (c *pushCmd) stage(ctx context.Context, std stdio, s objects.Staging, file, object string) (catalog.Upload, error) {
	f, err := os.Open(file)
	if err != nil {
		return catalog.Upload{}, command.Usage("%w", err)
	}
	defer f.Close()
	var body io.Reader = f
	if info, err := f.Stat(); err == nil && isTerminal(std.err) {
		bar := progressbar.NewOptions64(info.Size(), progressbar.OptionSetWriter(std.err), progressbar.OptionShowBytes(true),
			progressbar.OptionSetDescription(filepath.Base(file)), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
		defer bar.Close()
		body = io.TeeReader(f, bar)
	}
	u, err := s.Put(ctx, object, body, catalog.Pusher{User: c.User, Job: c.Job})
	if err != nil && ctx.Err() != nil {
		return u, command.Interrupt("interrupted while %s was being stored; nothing of it is in staging", file)
	}
	if err != nil {
		return u, command.Fault(err)
	}
	return u, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (c *pushCmd) printStaged(io stdio, p *pushed) {
	if c.JSON {
		printJSON(io, map[string]any{"file": p.file, "object": p.upload.Object, "generation": p.upload.Generation, "state": staged})
		return
	}
	fmt.Fprintf(io.out, "%s: stored in staging as %s; add --wait to learn what becomes of it\n", p.file, p.upload.Object)
}

func printJSON(io stdio, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own data
	}
	fmt.Fprintf(io.out, "%s\n", b)
}
