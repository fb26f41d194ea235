// Package publishtest has a published bucket in memory. It injects faults, and fails the test of a program that breaks the
// rules of the bucket.
package publishtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/publish"
	"repomill/schemas/layout"
)

// Start is what a bucket's clock shows when the bucket is made.
var Start = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// A Bucket is a [publish.Bucket] and a [publish.CollectorBucket] in memory. The version of an object is the SHA-256 of its bytes, as in
// the worst of real stores: equal bytes after a rollback have an equal version.
//
// It fails the test if a write changes the bytes of an immutable object, or if a demanded fault does
// not come about. Methods may be called concurrently.
type Bucket struct {
	t testing.TB

	mu      sync.Mutex
	objects map[string]object
	faults  []*fault
	often   float64
	hooks   []hook
	writes  []string
	clock   func() time.Time
	delay   func() time.Duration
}

type object struct {
	body     []byte
	modified time.Time
	spoilt   bool // written by Put, which breaks the protocol
}

func (o object) version() layout.Version {
	sum := sha256.Sum256(o.body)
	return layout.Version(hex.EncodeToString(sum[:]))
}

// NewBucket returns an empty bucket whose clock begins at [Start] and goes as time does.
func NewBucket(t testing.TB) *Bucket {
	b := &Bucket{t: t, objects: map[string]object{}, delay: func() time.Duration { return 0 }}
	b.SetClock(Start)
	t.Cleanup(b.checkFaults)
	return b
}

// Get implements [publish.Bucket].
func (b *Bucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	var body []byte
	var meta layout.Meta
	err := b.do(ctx, Op{"Get", key}, func() (err error) {
		body = b.objects[key].body
		meta, err = b.meta(key)
		return err
	})
	if err != nil {
		return nil, meta, err
	}
	return io.NopCloser(bytes.NewReader(body)), meta, nil
}

// Stat implements [publish.Bucket].
func (b *Bucket) Stat(ctx context.Context, key string) (meta layout.Meta, err error) {
	err = b.do(ctx, Op{"Stat", key}, func() (err error) {
		meta, err = b.meta(key)
		return err
	})
	return meta, err
}

func (b *Bucket) meta(key string) (layout.Meta, error) {
	o, ok := b.objects[key]
	if !ok {
		return layout.Meta{Now: b.clock()}, fmt.Errorf("read %s: %w", key, publish.ErrNotExist)
	}
	return layout.Meta{Version: o.version(), Size: int64(len(o.body)), Modified: o.modified, Now: b.clock()}, nil
}

// Create implements [publish.Bucket].
func (b *Bucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	all, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("create %s: %w", o.Key, err)
	}
	return b.do(ctx, Op{"Create", o.Key}, func() error { return b.create(o.Key, all) })
}

// Copy implements [publish.Bucket].
func (b *Bucket) Copy(ctx context.Context, from string, o layout.Object) error {
	return b.do(ctx, Op{"Copy", o.Key}, func() error {
		source, ok := b.objects[from]
		if !ok {
			return fmt.Errorf("copy %s: %w", from, publish.ErrNotExist)
		}
		return b.create(o.Key, source.body)
	})
}

func (b *Bucket) create(key string, body []byte) error {
	if _, ok := b.objects[key]; ok {
		return fmt.Errorf("create %s: %w", key, publish.ErrExists)
	}
	b.objects[key] = object{body: body, modified: b.clock()}
	return nil
}

// Swap implements [publish.Bucket].
func (b *Bucket) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (v layout.Version, err error) {
	all, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("swap %s: %w", o.Key, err)
	}
	err = b.do(ctx, Op{"Swap", o.Key}, func() error {
		was, ok := b.objects[o.Key]
		if !ok && old != "" || ok && was.version() != old {
			return fmt.Errorf("swap %s: %w", o.Key, publish.ErrConflict)
		}
		if ok && immutable(o) && !was.spoilt && !bytes.Equal(was.body, all) {
			b.t.Errorf("%s is immutable, and was given other bytes", o.Key)
		}
		is := object{body: all, modified: b.clock()}
		b.objects[o.Key] = is
		v = is.version()
		return nil
	})
	return v, err
}

// List implements [tree.Lister]. It goes through the objects that there are when it is called.
func (b *Bucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	found := map[string]layout.Meta{}
	err := b.do(ctx, Op{"List", prefix}, func() error {
		for key := range b.objects {
			if strings.HasPrefix(key, prefix) {
				found[key], _ = b.meta(key)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key, meta := range found {
		if err := f(key, meta); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements [publish.CollectorBucket].
func (b *Bucket) Delete(ctx context.Context, key string, v layout.Version) error {
	return b.do(ctx, Op{"Delete", key}, func() error {
		if is, ok := b.objects[key]; ok && is.version() != v {
			return fmt.Errorf("delete %s: %w", key, publish.ErrConflict)
		}
		delete(b.objects, key)
		return nil
	})
}

// immutable reports whether an object must keep its bytes.
func immutable(o layout.Object) bool {
	return strings.Contains(o.CacheControl, "immutable") || strings.HasPrefix(o.Key, ".history/")
}

// do carries an operation out, with what was asked to happen before, after and instead.
func (b *Bucket) do(ctx context.Context, op Op, effect func() error) error {
	b.pause()
	b.call(op, false)
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	if op.writes() {
		b.writes = append(b.writes, op.Key)
	}
	f := b.takeFault(op)
	if f == Lost {
		b.mu.Unlock()
		return fmt.Errorf("%s %s: injected fault", op.Name, op.Key)
	}
	err := effect()
	b.mu.Unlock()
	b.call(op, true)
	b.pause()
	if err == nil && f == Stored {
		err = fmt.Errorf("%s %s: injected fault after the fact", op.Name, op.Key)
	}
	return err
}

// Writes returns the keys of all writes that were tried since the last call, in order.
func (b *Bucket) Writes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	writes := b.writes
	b.writes = nil
	return writes
}

// Keys returns the keys of all objects, in order.
func (b *Bucket) Keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.objects))
}

// Bytes returns the bytes of an object, which must exist.
func (b *Bucket) Bytes(key string) []byte {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	o, ok := b.objects[key]
	if !ok {
		b.t.Fatalf("there is no object %s", key)
	}
	return o.body
}

// Put stores an object without the checks of the protocol, as a fault would. A nil body removes it.
func (b *Bucket) Put(key string, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body == nil {
		delete(b.objects, key)
		return
	}
	b.objects[key] = object{body: body, modified: b.clock(), spoilt: true}
}

// Open makes a bucket a tree of package check.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	body, _, err := b.Get(ctx, key)
	return body, err
}

// matches reports whether the last segments of a key are as a pattern of [path.Match] has them.
func matches(pattern, key string) bool {
	segments := strings.Split(key, "/")
	n := strings.Count(pattern, "/") + 1
	if n > len(segments) {
		return false
	}
	ok, err := path.Match(pattern, strings.Join(segments[len(segments)-n:], "/"))
	if err != nil {
		panic(err) // the pattern is a test's
	}
	return ok
}
