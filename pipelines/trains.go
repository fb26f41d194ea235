package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// maxTrainChecks is how many files of a release train are looked for at the same time.
const maxTrainChecks = 32

// PublishTrain makes a release train that is due active, after it has found all files of it in the bucket, and returns the
// repositories that changed. The files of a train under embargo are copied to their public keys just before that. If something is missing, nothing changes, and the train's row says what. Several processes may do so at
// once, and repeat it: one of them commits. The error is a fault of a resource.
func (r *Resources) PublishTrain(ctx context.Context, n catalog.TrainName) (changed []catalog.Repository, err error) {
	for range maxGrown {
		t, members, err := r.Catalog.Train(ctx, n)
		if err != nil {
			return nil, err
		}
		if t.TakingBack {
			return nil, r.takeBack(ctx, n, members)
		}
		dirs, faults, err := r.findTrainFiles(ctx, members)
		if err != nil {
			return nil, err
		}
		if len(faults) > 0 {
			faults = append(catalogdb.TrainFaults(t, members), faults...)
			refused, err := r.Catalog.RefuseTrain(ctx, n, faults)
			if refused { // or else another process was faster
				r.Log.Error("release train not published", "train", n.String(), "why", strings.Join(catalog.FewFaults(faults), "; "))
			}
			return nil, err
		}
		committed := false
		if !t.Embargo {
			committed, err = r.Catalog.PublishTrain(ctx, n, dirs)
		} else {
			committed, err = r.publishEmbargo(ctx, n, members, dirs)
		}
		refused, isRefused := errors.AsType[*catalogdb.TrainRefusal](err)
		switch {
		case errors.Is(err, catalogdb.ErrTrainMoved), errors.Is(err, catalogdb.ErrDirectoryAdded):
			continue
		case isRefused:
			r.Log.Error("release train not published", "train", n.String(), "why", refused.Error())
			if t.Embargo {
				return nil, r.takeBack(ctx, n, members)
			}
			return nil, nil
		case err != nil || !committed:
			return nil, err
		}
		r.Log.Info("release train committed", "train", n.String(), "packages", t.Held)
		return repositoriesOf(members), nil
	}
	return nil, fmt.Errorf("release train %s changed each time that it was about to be published", n)
}

// repositoriesOf returns the repositories of held packages.
func repositoriesOf(members []catalog.TrainMember) (all []catalog.Repository) {
	for _, m := range members {
		if k := m.Package; k != nil && m.State == catalog.Held && !slices.Contains(all, k.Repository) {
			all = append(all, k.Repository)
		}
	}
	return all
}

// heldOf returns the uploads of a train whose packages wait for it.
func heldOf(members []catalog.TrainMember) (held []catalog.TrainMember) {
	for _, m := range members {
		if m.State == catalog.Held && m.Package != nil && m.Package.State == catalog.Reserved {
			held = append(held, m)
		}
	}
	return held
}

// findTrainFiles looks for the files of all held packages, and copies those of RPM into directories that were added since they were
// stored. It returns the directories that have the file of each upload, and what is missing or has another size.
func (r *Resources) findTrainFiles(ctx context.Context, members []catalog.TrainMember) (dirs map[catalog.Upload][]string, faults []string, err error) {
	dirs = map[catalog.Upload][]string{}
	settings := map[catalog.Repository]catalog.Settings{}
	for _, of := range repositoriesOf(members) {
		if settings[of], err = r.Catalog.Settings(ctx, of); err != nil {
			return nil, nil, err
		}
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxTrainChecks)
	for _, m := range heldOf(members) {
		g.Go(func() error {
			find := r.findFiles
			if m.Package.Embargo != "" {
				find = r.findEmbargoed
			}
			in, fault, err := find(ctx, *m.Package, settings[m.Package.Repository])
			mu.Lock()
			defer mu.Unlock()
			if dirs[m.Upload] = in; fault != "" {
				faults = append(faults, fault)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	slices.Sort(faults)
	return dirs, slices.Compact(faults), nil
}

// findFiles returns the RPM directories of a package, and what is wrong with its files; empty if they are there.
func (r *Resources) findFiles(ctx context.Context, k catalog.Package, s catalog.Settings) (dirs []string, fault string, err error) {
	if fault, err = r.findFile(ctx, k, k.Key); err != nil || fault != "" || k.Format == catalog.DEB {
		return nil, fault, err
	}
	ds, _ := s.Find(k.Distribution)
	dirs = layout.RPMDirs(k, ds.Architectures)
	for _, dir := range dirs {
		fault, err := r.findFile(ctx, k, layout.RPMKey(k, dir))
		if err != nil {
			return nil, "", err
		}
		if fault != "" { // the copy of a directory that was added since
			dirs, err = r.Ingester.CopyToArchDirs(ctx, k)
			if rej, is := errors.AsType[*catalog.Rejection](err); is {
				return nil, rej.Detail, nil
			}
			return dirs, "", err
		}
	}
	return dirs, "", nil
}

func (r *Resources) findFile(ctx context.Context, k catalog.Package, key string) (fault string, err error) {
	meta, err := r.Bucket.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("the file of %s %s %s in %s is missing from the published bucket (%s): drop the package from the train, and push it again", k.Name, k.Version, k.Arch, k.Place(), key), nil
	case err == nil && meta.Size != k.File.Size:
		return fmt.Sprintf("the file of %s %s %s in %s has %d bytes in the published bucket, and not %d (%s): drop the package from the train, and push it again",
			k.Name, k.Version, k.Arch, k.Place(), meta.Size, k.File.Size, key), nil
	}
	return "", err
}
