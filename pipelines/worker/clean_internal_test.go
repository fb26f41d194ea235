package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A holding staging deletes no object that is on hold.
type holding struct{ objects.Staging }

func (holding) Name() string { return "staging" }
func (holding) Delete(_ context.Context, u catalog.Upload) error {
	if strings.HasPrefix(u.Object, "hold/") {
		return errors.New("the object is on hold")
	}
	return nil
}
func (holding) Verdict(context.Context, string) ([]byte, layout.Version, error) {
	return nil, "", fs.ErrNotExist
}

// A whole page of uploads that cannot be removed does not end the cleaning of staging: the next pass goes on behind it.
func TestHeldObjectsDoNotEndCleaning(t *testing.T) {
	db, err := catalogdb.Open("sqlite://" + filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-1000 * time.Hour)
	reject := func(object string, at time.Time) catalog.Upload {
		u := catalog.Upload{Bucket: "staging", Object: object, Generation: "1"}
		token, _, err := db.Take(t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, at)
		if err := errors.Join(err, db.Reject(t.Context(), u, token, catalog.Rejection{Reason: catalog.Empty}, at)); err != nil {
			t.Fatal(err)
		}
		return u
	}
	var held []catalog.Upload
	for i := range cleanPage {
		held = append(held, reject(fmt.Sprint("hold/", i), long))
	}
	other := reject("other", long.Add(time.Hour))
	if _, err := db.VerdictsWritten(t.Context(), append(held, other)...); err != nil {
		t.Fatal(err)
	}
	d := &Dispatcher{Resources: &pipelines.Resources{Catalog: db, Staging: holding{}, Log: slog.New(slog.DiscardHandler)}}
	left := func() int {
		all, err := db.Expired(t.Context(), "staging", time.Now(), 0, 2*cleanPage)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for range 2 {
		d.cleanExpired(t.Context())
	}
	if n := left(); n != cleanPage {
		t.Errorf("%d uploads are left, want the %d on hold", n, cleanPage)
	}
	d.Resources.Staging = free{}
	for range 2 {
		d.cleanExpired(t.Context())
	}
	if n := left(); n != 0 {
		t.Errorf("%d uploads are left after the hold has ended", n)
	}
}

// free is a staging in which nothing is on hold.
type free struct{ holding }

func (free) Delete(context.Context, catalog.Upload) error { return nil }
