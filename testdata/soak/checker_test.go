package soak_test

import (
	"context"
	"encoding/json"
	"time"

	"repomill/publish/check"
	"repomill/schemas/catalog"
)

// A checker has repomill check, and the package beneath it, read everything in a loop.
type checker struct{ *soaking }

// run reads one release after the other until ctx ends.
func (c *checker) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		c.release(context.WithoutCancel(ctx), allReleases[n%len(allReleases)], n%7 == 6)
		pause(ctx, 400*time.Millisecond)
		if n%3 == 2 && ctx.Err() == nil {
			if err := c.command(c.site.trees[n/3%len(c.site.trees)], n%9 != 8); err != nil {
				return err
			}
		}
		pause(ctx, 400*time.Millisecond)
	}
	return nil
}

// checkOf reads a release with package check, and returns what is wrong.
func (k *soaking) checkOf(ctx context.Context, release catalog.Release, content bool) (problems []check.Problem, err error) {
	opt := check.Options{Content: content, Now: time.Now(), Settle: 500 * time.Millisecond}
	if release.Arch == "" {
		_, problems, err = check.Apt(ctx, k.site.tree, baseOf(release), release.Distribution.Version, k.site.trusted, opt)
	} else {
		_, problems, err = check.RPM(ctx, k.site.tree, baseOf(release), k.site.trusted, opt)
	}
	k.checks.Add(1)
	return problems, err
}

func (c *checker) release(ctx context.Context, release catalog.Release, content bool) {
	problems, err := c.checkOf(ctx, release, content)
	if err != nil {
		c.judge.violated("check", "%s: %v", release, err)
		return
	}
	c.judgeProblems(release.String(), problems)
}

// judgeProblems judges what a check found: files beside a pointer have their time to follow it, nothing else has.
func (k *soaking) judgeProblems(what string, problems []check.Problem) {
	var pairs []string
	for _, p := range problems {
		if isPair(p.Path) {
			pairs = append(pairs, p.String())
		} else {
			k.judge.violated("check", "%s: %s", what, p)
		}
	}
	k.judge.pairs(byCheck, what, pairs, k.site.calm())
}

// command has repomill check read a tree. Daemons that are down are no excuse: it needs none of them, and the folder
// and the web server that it reads are there all the time, with a pointer in each release.
func (c *checker) command(tree string, quick bool) error {
	args := []string{"check", tree, "--keyring", c.site.keyring, "--json"}
	if quick {
		args = append(args, "--quick")
	}
	a, err := c.site.ask(0, args...)
	if err != nil {
		return err
	}
	c.commands.Add(1)
	var report struct{ Problems []check.Problem }
	if err := json.Unmarshal([]byte(a.Stdout), &report); err != nil || a.Code > 1 {
		c.judge.violated("command", "%v: %v", a, err)
		return nil
	}
	c.judgeProblems(tree, report.Problems)
	return nil
}
