package soak_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// verdicts asks what became of the uploads, as CI does, until ctx ends.
func (k *soaking) verdicts(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := k.askAll(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		pause(ctx, 150*time.Millisecond)
	}
	return nil
}

// askAll asks about the uploads that have no verdict yet. The catalog says which are worth asking about; what
// counts is the verdict beside the upload.
func (k *soaking) askAll(ctx context.Context) error {
	waiting := k.ledger.waiting()
	uploads := make([]catalog.Upload, len(waiting))
	for i, u := range waiting {
		uploads[i] = u.Upload
	}
	var states map[catalog.Upload]catalog.UploadState
	err := k.site.despite(func() (err error) { states, err = k.site.catalog.States(ctx, uploads); return err })
	if err != nil {
		return fmt.Errorf("states: %w", err)
	}
	for i, u := range waiting {
		if !states[uploads[i]].Final() {
			continue
		}
		ended, err := k.verdict(ctx, u)
		if err != nil {
			return err
		}
		if ended == rejected+"poison" && k.poisoned(u) {
			err = k.pushAgain(ctx, u)
		} else if ended != "" {
			k.ledger.settle(u, ended, time.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verdict returns the verdict for the uploader; empty if there is none yet. The verdict of an overwritten upload is only in the
// catalog.
func (k *soaking) verdict(ctx context.Context, u *upload) (string, error) {
	var v catalog.Verdict
	if u.overwritten {
		err := k.site.despite(func() (err error) { v, err = k.site.catalog.Verdict(ctx, u.Upload); return err })
		if errors.Is(err, catalogdb.ErrNotFound) || err == nil && !v.State.Final() {
			return "", nil
		}
		return shortly(v), err
	}
	body, _, err := k.site.staging.Verdict(ctx, u.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		return "", fmt.Errorf("verdict of %s: %w", u.Object, err)
	}
	if v.Generation != u.Generation || !v.State.Final() {
		return "", nil
	}
	return shortly(v), nil
}

func shortly(v catalog.Verdict) string {
	if v.State == catalog.Rejected {
		return rejected + string(v.Reason)
	}
	return string(v.State)
}

// maxAttempts is how often a program may be killed while it handles an upload before that is given up.
const maxAttempts = 5

// poisoned reports whether an upload may be rejected as poison, because the programs were killed often enough during it.
func (k *soaking) poisoned(u *upload) bool {
	return int(k.kills.Load())-u.kills >= maxAttempts
}

// pushAgain does what the verdict asks for: the file is pushed once more.
func (k *soaking) pushAgain(ctx context.Context, u *upload) error {
	k.given.Add(1)
	gone := func() { delete(k.ledger.pending, u); u.ended = rejected + "poison" }
	if u.overwritten { // the file is gone
		k.ledger.change(func() { gone(); u.pkg.busy = false })
		return nil
	}
	again := &upload{kind: u.kind, pkg: u.pkg, body: u.body, want: u.want, group: u.group}
	if g := u.group; g != nil {
		k.ledger.change(func() { g.members[slices.Index(g.members, u)] = again })
	}
	err := k.pusher.put(ctx, again, path.Dir(u.Object)+fmt.Sprintf("/once-more-%d-", k.given.Load())+path.Base(u.Object))
	k.ledger.change(gone)
	return err
}
