package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// findEmbargoed is findFiles for a package under embargo: its file has to lie under its hidden key, unless an earlier attempt has
// copied it, and no other file under a public one.
func (r *Resources) findEmbargoed(ctx context.Context, k catalog.Package, s catalog.Settings) (dirs []string, fault string, err error) {
	ds, _ := s.Find(k.Distribution)
	if fault, err = r.findFile(ctx, k, layout.EmbargoKey(k.Embargo)); err != nil || fault != "" {
		return nil, fault, err
	}
	if k.Format == catalog.RPM {
		dirs = layout.RPMDirs(k, ds.Architectures)
	}
	for _, key := range publicKeys(k, dirs) {
		switch err := r.Ingester.Verify(ctx, key, k.File); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			rej, is := errors.AsType[*catalog.Rejection](err)
			if !is {
				return nil, "", err
			}
			return nil, rej.Detail, nil
		}
	}
	return dirs, "", nil
}

// publicKeys returns the keys of the files of a package that clients see.
func publicKeys(k catalog.Package, dirs []string) (keys []string) {
	keys = []string{k.Key}
	for _, dir := range dirs {
		if key := layout.RPMKey(k, dir); key != k.Key {
			keys = append(keys, key)
		}
	}
	return keys
}

// publishEmbargo copies the files of a train under embargo to their public keys, makes its packages active, and removes the files
// under embargo. From the beginning of the copies the train can be dropped, and else goes on, in any process, until it is committed or
// refused: so no process removes what another one has published. A crash behind the commit leaves files under embargo that no row names.
func (r *Resources) publishEmbargo(ctx context.Context, n catalog.TrainName, members []catalog.TrainMember, dirs map[catalog.Upload][]string) (committed bool, err error) {
	held := heldOf(members)
	begun, err := r.Catalog.BeginTrainCopies(ctx, n, dirs)
	if err != nil || !begun {
		return false, err
	}
	if dirs, err = r.copyEmbargoed(ctx, held); err != nil {
		return false, err
	}
	t, err := r.Catalog.TrainState(ctx, n)
	if err != nil {
		return false, err
	}
	if t.State == catalog.TrainOpen && (!t.Copying || t.TakingBack) { // it was refused in another process, which may have looked for copies before
		return false, r.removeCopies(ctx, held)
	}
	if committed, err = r.Catalog.PublishTrain(ctx, n, dirs); err != nil || !committed {
		return false, err
	}
	for _, m := range held {
		if err := r.remove(ctx, layout.EmbargoKey(m.Package.Embargo)); err != nil {
			r.Log.Warn("file under embargo not removed; it is collected later", "key", layout.EmbargoKey(m.Package.Embargo), "error", err)
		}
	}
	return true, nil
}

// takeBack removes the public copies of a train under embargo that was refused, and opens it again. It does nothing for another one. Until
// it has ended, no process begins to copy, or makes packages active.
func (r *Resources) takeBack(ctx context.Context, n catalog.TrainName, members []catalog.TrainMember) error {
	t, err := r.Catalog.TrainState(ctx, n)
	if err != nil || !t.TakingBack {
		return err
	}
	if err := r.removeCopies(ctx, heldOf(members)); err != nil {
		return err
	}
	return r.Catalog.EndTakingBack(ctx, n)
}

// removeCopies removes the copies of files under embargo from their public keys. Other bytes that lie there stay.
func (r *Resources) removeCopies(ctx context.Context, held []catalog.TrainMember) error {
	for _, m := range held {
		k := *m.Package
		if k.Embargo == "" {
			continue
		}
		s, err := r.Catalog.Settings(ctx, k.Repository)
		if err != nil {
			return err
		}
		var dirs []string
		if ds, ok := s.Find(k.Distribution); ok && k.Format == catalog.RPM {
			dirs = layout.RPMDirs(k, ds.Architectures)
		}
		for _, key := range publicKeys(k, dirs) {
			err := r.Ingester.Verify(ctx, key, k.File)
			if _, other := errors.AsType[*catalog.Rejection](err); other || errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = r.remove(ctx, key)
			}
			if err != nil {
				return fmt.Errorf("take back the copy of %s %s %s: %w", k.Name, k.Version, k.Arch, err)
			}
		}
	}
	return nil
}

// copyEmbargoed copies the files of packages, several at a time, and returns the directories that have that of each upload.
func (r *Resources) copyEmbargoed(ctx context.Context, held []catalog.TrainMember) (dirs map[catalog.Upload][]string, err error) {
	dirs = map[catalog.Upload][]string{}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxTrainChecks)
	for _, m := range held {
		g.Go(func() error {
			in, err := r.copyPublic(ctx, *m.Package)
			mu.Lock()
			defer mu.Unlock()
			dirs[m.Upload] = in
			return err
		})
	}
	return dirs, g.Wait()
}

// copyPublic copies the file of a package under embargo to its public keys, and returns its directories. What is there is a copy of an
// earlier attempt, or of another process: other files were looked for before.
func (r *Resources) copyPublic(ctx context.Context, k catalog.Package) (dirs []string, err error) {
	err = r.Bucket.Copy(ctx, layout.EmbargoKey(k.Embargo), layout.ObjectOf(k.Key))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("copy the file under embargo of %s %s %s: %w", k.Name, k.Version, k.Arch, err)
	}
	dirs, err = r.Ingester.CopyToArchDirs(ctx, k)
	if err == nil {
		err = r.stillHeld(ctx, k, dirs)
	}
	return dirs, err
}

// stillHeld removes the copies of a package that was dropped from its train while they were made: the drop may have looked for them
// before. While a dropped package has its row, no other one has its keys. Behind that the copies are left to the collector.
func (r *Resources) stillHeld(ctx context.Context, k catalog.Package, dirs []string) error {
	now, err := r.Catalog.Find(ctx, k)
	if err == nil && now.State != catalog.Dropped {
		return nil
	}
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
		return err
	}
	for _, key := range publicKeys(k, dirs) {
		if now.State != catalog.Dropped {
			r.Log.Log(ctx, slog.LevelError, "the copy of a package that was dropped from its release train is left in the bucket: remove it, or a sweep does after two retention periods", "key", key)
			continue
		}
		if err := r.remove(ctx, key); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s %s %s was dropped from the train while its file was copied", k.Name, k.Version, k.Arch)
}

// remove removes an object of the bucket, if it is there.
func (r *Resources) remove(ctx context.Context, key string) error {
	v, err := tree.VersionOf(ctx, r.Bucket, key)
	if err != nil || v == "" {
		return err
	}
	return r.Bucket.Delete(ctx, key, v)
}
