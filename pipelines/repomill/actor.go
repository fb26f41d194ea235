package main

import (
	"cmp"
	"context"
	"os"

	"github.com/alecthomas/kong"

	"repomill/schemas/catalog"
)

// actorFlags say who makes a change, for the audit log.
type actorFlags struct {
	By  string `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who does it, for the record."`
	Why string `help:"Why, for the record."`
	Job string `env:"REPOMILL_JOB,CI_JOB_URL,BUILD_URL" help:"URL of the CI job that does it, for the record."`
}

func (f *actorFlags) actor() catalog.Actor { return catalog.Actor{User: f.By, Job: f.Job, Why: f.Why} }

func (c *yankCmd) actor() catalog.Actor { return catalog.Actor{User: c.By, Why: c.Reason} }

func (c *reindexRunCmd) actor() catalog.Actor { return catalog.Actor{User: c.By} }

// withActor returns the context of a command whose changes are recorded as those of its actor. The job is that of the
// environment, unless a flag names it.
func withActor(ctx context.Context, c *kong.Context) context.Context {
	node := c.Selected()
	if node == nil || !node.Target.CanAddr() {
		return ctx
	}
	cmd, ok := node.Target.Addr().Interface().(interface{ actor() catalog.Actor })
	if !ok {
		return ctx
	}
	a := cmd.actor()
	a.Job = cmp.Or(a.Job, os.Getenv("REPOMILL_JOB"), os.Getenv("CI_JOB_URL"), os.Getenv("BUILD_URL"), githubJob())
	return catalog.WithActor(ctx, a)
}

// githubJob returns the URL of the run that GitHub Actions describes in the environment, or nothing.
func githubJob() string {
	server, repository, run := os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID")
	if server == "" || repository == "" || run == "" {
		return ""
	}
	return server + "/" + repository + "/actions/runs/" + run
}
