package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"repomill/schemas/layout"
)

// unfit returns why there can be no upload at a place or below it; nil if there can.
func unfit(object string) error {
	switch {
	case !utf8.ValidString(object):
		return errors.New("its name is not UTF-8: rename it")
	case len(object) > layout.MaxStagingKey:
		return fmt.Errorf("its path in staging is longer than %d bytes: shorten it", layout.MaxStagingKey)
	case strings.Count(object, "/") >= maxDepth:
		return fmt.Errorf("it lies deeper than %d folders: use owner/name/os/version/[component/]file", maxDepth)
	}
	return nil
}

// Reasons for which places with valid names are left out.
var (
	errHidden  = errors.New("its name begins with a dot, which hides it: rename it")
	errSpecial = errors.New("it is a link or another special file: put the file itself there")
)

// Fits reports whether there can be an upload at a place or below it; if not, the place counts as left out.
func (s *Staging) Fits(object string) bool {
	why := unfit(object)
	if why != nil {
		s.skipped.add(object, why)
	}
	return why == nil
}

// maxSkipped is the number of left-out places that are remembered. Every user of staging can create them.
const maxSkipped = 10_000

// A skipSet has the places in staging that are left out. Each is reported once, and again only if a listing of the whole
// folder did not find it in between.
type skipSet struct {
	mu       sync.Mutex
	listings int            // that began
	met      map[string]int // place -> the last listing that had begun
	report   func(place string, why error)
}

// OnSkip sets the function that is called once for each place that is left out, because there can be no upload there or
// because it cannot be read. OnSkip must be called before the first listing.
func (s *Staging) OnSkip(f func(place string, why error)) { s.skipped.report = f }

// Skipped returns the number of places that are left out now.
func (s *Staging) Skipped() int {
	s.skipped.mu.Lock()
	defer s.skipped.mu.Unlock()
	return len(s.skipped.met)
}

func (k *skipSet) add(place string, why error) {
	k.mu.Lock()
	_, known := k.met[place]
	if !known && len(k.met) >= maxSkipped {
		k.mu.Unlock()
		return
	}
	if k.met == nil {
		k.met = map[string]int{}
	}
	k.met[place] = k.listings
	k.mu.Unlock()
	if !known && k.report != nil {
		k.report(place, why)
	}
}

// begin begins a listing of the whole folder. end, unless its context has ended, forgets the places that the listing did
// not find.
func (k *skipSet) begin() (end func(context.Context)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listings++
	n := k.listings
	return func(ctx context.Context) {
		k.mu.Lock()
		defer k.mu.Unlock()
		for place, met := range k.met {
			if met < n && ctx.Err() == nil {
				delete(k.met, place)
			}
		}
	}
}

func sortNames(entries []fs.DirEntry) {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}
