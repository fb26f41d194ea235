package render

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// saveAfter is after how many changed rows a rendering is saved again. A process that is killed leaves one that is fewer changes behind,
// which the next process follows.
const saveAfter = 4

// notUsed is the message for a rendering that is not as it was saved.
const notUsed = "a saved rendering is not used; its release is rendered again"

// saving is how a cache saves renderings. The cache's mutex guards it; the secret stays as it is.
type saving struct {
	folder *folder // nil: nothing is saved
	secret []byte
	said   []string // messages that were logged
}

// open opens the folder of saved renderings, if that was not done, and another process may have left it since.
func (k *Cache) open(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Dir == "" || k.Secret == nil || k.saving.folder != nil {
		return
	}
	const msg = "renderings are not saved, so that the first publish of each release after a restart takes longer"
	secret, err := k.Secret(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.warn(msg, err)
		}
		return
	}
	f, files, err := openFolder(k.Dir)
	if err != nil {
		k.warn(msg, err)
		return
	}
	k.saving.folder, k.saving.secret = f, secret
	if k.entries == nil {
		k.entries = map[string]*entry{}
	}
	order := k.order
	k.order = nil
	for _, x := range files {
		if e := k.entries[x.name]; e != nil { // this process has a newer one, which cannot be saved
			e.data, e.saved = x.data, x.size
			continue
		}
		k.entries[x.name] = &entry{data: x.data, saved: x.size}
		k.order = append(k.order, x.name)
	}
	k.order = append(k.order, order...)
	k.evict(cmp.Or(k.Limit, DefaultCache))
}

// load returns the saved rendering of a release; nil if there is none that can be used.
func (k *Cache) load(ctx context.Context, release string) *Rendering {
	k.open(ctx)
	k.mu.Lock()
	f, secret, name := k.saving.folder, k.saving.secret, nameOf(release)
	e := k.entries[name]
	if f == nil || e == nil || e.used || e.rd != nil {
		k.mu.Unlock()
		return nil
	}
	e.used = true // others wait for no file, and render
	k.mu.Unlock()
	rd, err := f.load(name, release, secret, k.Version)
	if err == nil {
		return rd
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case errors.Is(err, errOtherVersion):
		k.warn("renderings that another version of the program has saved are made again", nil)
	case exists(err):
		k.warn(notUsed, fmt.Errorf("%s: %w", release, err))
	}
	k.remove(name, e)
	return nil
}

// newScratch returns a scratch file for a new rendering of a release: one that can be saved, unless another rendering of the release is
// used at this moment.
func (k *Cache) newScratch(ctx context.Context, release string) (*scratch, error) {
	k.open(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	name := nameOf(release)
	if e := k.entries[name]; k.saving.folder != nil && (e == nil || !e.used && e.rd == nil) {
		to, err := k.saving.folder.newScratch(name)
		if err == nil {
			return to, nil
		}
		k.warn("a rendering cannot be saved", err)
	}
	return newScratch(k.Dir)
}

// save saves a rendering that the caller has taken, if its file is one of the folder, and returns the size of what is saved; 0 if nothing
// is.
func (k *Cache) save(name string, rd *Rendering) int64 {
	k.mu.Lock()
	f := k.saving.folder
	k.mu.Unlock()
	if f == nil {
		return 0
	}
	size, err := k.saveIn(f, name, rd)
	if err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.warn("a rendering cannot be saved", err)
	}
	return size
}

func (k *Cache) saveIn(f *folder, name string, rd *Rendering) (size int64, err error) {
	if rd.scratch.path == "" || rd.scratch.broken.Load() || rd.scratch.spilled.Load() {
		return 0, nil
	}
	b, err := rd.describe(k.saving.secret, k.Version)
	if err == nil {
		err = f.save(name, b)
	}
	if err != nil {
		return 0, err
	}
	rd.unsaved, rd.scratch.named = 0, true
	return rd.scratch.size.Load() + int64(len(b)), nil
}
