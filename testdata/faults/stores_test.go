package faults_test

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/faults"
)

// A clock is the clock of a site, its store's included. It is ahead of the machine's.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// A bucket is a bucket whose writes follow a script.
type bucket struct {
	objects.Bucket
	script *script
	clock  *clock
	// inject, if set, has the store itself fail a write until it is healed, and then says how many requests it broke; else
	// the bucket does as if it had.
	inject func(op, key string, f faults.Fault) (heal func() (broke int))
}

func (b *bucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	body, meta, err := b.Bucket.Get(ctx, key)
	meta.Now = meta.Now.Add(time.Duration(b.clock.ahead.Load()))
	return body, meta, err
}

func (b *bucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	meta, err := b.Bucket.Stat(ctx, key)
	meta.Now = meta.Now.Add(time.Duration(b.clock.ahead.Load()))
	return meta, err
}

func (b *bucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	return b.write("create", o.Key, body, func() error { return b.Bucket.Create(ctx, o, body) })
}

func (b *bucket) Copy(ctx context.Context, from string, o layout.Object) error {
	return b.write("copy", o.Key, nil, func() error { return b.Bucket.Copy(ctx, from, o) })
}

func (b *bucket) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (v layout.Version, err error) {
	err = b.write("swap", o.Key, body, func() error { v, err = b.Bucket.Swap(ctx, old, o, body); return err })
	return v, err
}

func (b *bucket) Delete(ctx context.Context, key string, v layout.Version) error {
	return b.write("delete", key, nil, func() error { return b.Bucket.Delete(ctx, key, v) })
}

// write carries a write out as the script has it. One that is lost has read its body, as in a store that fails at the end.
func (b *bucket) write(op, key string, body io.Reader, do func() error) error {
	f := b.script.next(op + " " + shape(key))
	switch {
	case f == faults.None:
		return do()
	case b.inject != nil:
		heal := b.inject(op, key, f)
		err := do()
		if heal() == 0 {
			b.script.miss()
		}
		return err
	case f == faults.Lost:
		var err error
		if body != nil {
			_, err = io.Copy(io.Discard, body)
		}
		return errors.Join(errFault, err)
	}
	if err := do(); err != nil {
		return err
	}
	return errFault
}

// A staging is a staging bucket whose verdicts follow a script.
type staging struct {
	objects.Staging
	script *script
}

func (s *staging) PutVerdict(ctx context.Context, object string, old layout.Version, body []byte) error {
	switch s.script.next("put " + shape(layout.VerdictKey(object))) {
	case faults.Lost:
		return errFault
	case faults.Stored:
		return errors.Join(s.Staging.PutVerdict(ctx, object, old, body), errFault)
	}
	return s.Staging.PutVerdict(ctx, object, old, body)
}

func (s *staging) Delete(ctx context.Context, u catalog.Upload) error {
	switch s.script.next("delete " + shape(u.Object)) {
	case faults.Lost:
		return errFault
	case faults.Stored:
		return errors.Join(s.Staging.Delete(ctx, u), errFault)
	}
	return s.Staging.Delete(ctx, u)
}

func (s *staging) DeleteVerdict(ctx context.Context, object string, old layout.Version) error {
	switch s.script.next("delete " + shape(layout.VerdictKey(object))) {
	case faults.Lost:
		return errFault
	case faults.Stored:
		return errors.Join(s.Staging.DeleteVerdict(ctx, object, old), errFault)
	}
	return s.Staging.DeleteVerdict(ctx, object, old)
}
