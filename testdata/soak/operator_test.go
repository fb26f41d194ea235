package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// An operator withdraws packages, brings them back and has indexes regenerated, at random, with commands some
// of which are killed too.
type operator struct {
	*soaking
	rand *rand.Rand
}

// run works until ctx ends, and then finishes what it has begun.
func (o *operator) run(ctx context.Context) error {
	for ctx.Err() == nil {
		pause(ctx, time.Duration(300+o.rand.IntN(1500))*time.Millisecond)
		var err error
		switch n := o.rand.IntN(100); {
		case ctx.Err() != nil || o.quiet.Load():
		case n < 40:
			err = o.yank()
		case n < 75:
			err = o.unyank()
		default:
			err = o.reindex()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// yank withdraws a package.
func (o *operator) yank() error {
	p := o.ledger.pick(o.rand.IntN, func(p *pkg) bool { return !p.withdrawn() })
	if p == nil {
		return nil
	}
	o.ledger.change(func() { p.withdrawals = append(p.withdrawals, withdrawal{from: time.Now()}) })
	err := o.insist(append([]string{"yank", "--reason", "soak"}, o.which(p)...))
	o.ledger.change(func() { p.withdrawals[len(p.withdrawals)-1].sure = time.Now(); p.busy = false })
	o.yanks.Add(1)
	return err
}

// unyank brings a package back.
func (o *operator) unyank() error {
	p := o.ledger.pick(o.rand.IntN, (*pkg).withdrawn)
	if p == nil {
		return nil
	}
	o.ledger.change(func() { p.withdrawals[len(p.withdrawals)-1].back = time.Now() })
	err := o.insist(append([]string{"unyank"}, o.which(p)...))
	o.ledger.change(func() { p.withdrawals[len(p.withdrawals)-1].to = time.Now(); p.busy = false })
	o.unyanks.Add(1)
	return err
}

// which returns the arguments that name a package.
func (o *operator) which(p *pkg) []string {
	return append([]string{"acme/tools/" + p.dist, p.name + "=" + p.version, "--arch", p.arch, "--timeout", "20s"}, o.site.catalogs...)
}

// maxTries is how often a command is tried that is killed, or late, again and again.
const maxTries = 20

// insist runs a command until it ends well, which it may be killed before.
func (o *operator) insist(args []string) error {
	for try := 0; ; try++ {
		a, err := o.site.ask(o.fate(), args...)
		if err != nil || a.Code == 0 {
			return err
		}
		switch {
		case a.Code == -1:
			o.commandKills.Add(1)
		case a.excused():
			o.excuses.Add(1)
			try-- // the next one may meet none
		case a.Code == 3 && o.site.calm() < busy: // not in time, since programs were killed
			try--
		case a.Code != 3: // not in time
			o.judge.violated("command", "%v", a)
		}
		if try == maxTries {
			return fmt.Errorf("%d tries: %v", try+1, a)
		}
	}
}

// fate returns after which time a command is killed; 0 if it is not.
func (o *operator) fate() time.Duration {
	if o.rand.IntN(5) > 0 {
		return 0
	}
	return time.Duration(20+o.rand.IntN(300)) * time.Millisecond
}

// reindex regenerates the indexes of everything, or of a part, or looks whether it would change something.
func (o *operator) reindex() error {
	what := pick(o.rand, "--all", "--all --dry-run", "acme/tools/el/9", "acme/tools/ubuntu/jammy", "acme/tools/el/9/x86_64")
	args := append([]string{"reindex", "run"}, strings.Fields(what)...)
	a, err := o.site.ask(o.fate(), append(args, o.site.everything...)...)
	if err != nil {
		return err
	}
	switch {
	case a.Code == 0, a.Code == 5 && strings.HasSuffix(what, "--dry-run"):
		o.reindexes.Add(1)
	case a.Code == -1:
		o.commandKills.Add(1)
	case a.excused():
		o.excuses.Add(1)
	default:
		o.judge.violated("command", "%v", a)
	}
	return nil
}
