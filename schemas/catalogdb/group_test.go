package catalogdb_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// insert is what the members of these groups do: each makes a repository.
func insert(ctx context.Context, q catalogdb.Querier, name string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO repositories (owner, name, visibility, origin, label, created_at) VALUES ('acme', ?, 'public', '', '', 0)`, name)
	return err
}

// openFile opens an empty catalog in a file.
func openFile(t *testing.T) *catalogdb.DB { return openSQLite(t, t.TempDir()+"/catalog.db") }

func TestTransactionsCommittedTogether(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		odd  func(ctx context.Context, end func(), q catalogdb.Querier) error // does the odd member's work
		want string                                                           // in its error; empty for none
		kept []string
	}{
		{"a failure undoes its own work alone", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			return errors.Join(insert(ctx, q, "odd"), broken)
		}, "broken", []string{"a", "b", "c"}},
		{"a statement that fails undoes no other's", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			return errors.Join(insert(ctx, q, "odd"), insert(ctx, q, "odd"))
		}, "UNIQUE", []string{"a", "b", "c"}},
		{"a panic is a failure", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			panic(insert(ctx, q, "odd"))
		}, "panic", []string{"a", "b", "c"}},
		{"a context that ends in the middle ends no other's work", func(ctx context.Context, end func(), q catalogdb.Querier) error {
			err := insert(ctx, q, "odd")
			end()
			return errors.Join(err, insert(ctx, q, "odder"))
		}, "context canceled", []string{"a", "b", "c"}},
		{"a member that ends the whole transaction has the others repeated", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			_, err := q.ExecContext(ctx, "ROLLBACK")
			return errors.Join(err, broken)
		}, "broken", []string{"a", "b", "c"}},
		{"a member that hides the end of the transaction is found out", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			_, err := q.ExecContext(ctx, "ROLLBACK")
			return err
		}, "no such savepoint", []string{"a", "b", "c"}},
		{"all succeed", func(ctx context.Context, _ func(), q catalogdb.Querier) error {
			return insert(ctx, q, "odd")
		}, "", []string{"a", "b", "c", "odd"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := openFile(t)
			db.Gather(4)
			var members sync.WaitGroup
			for _, name := range []string{"a", "b", "c"} {
				members.Go(func() {
					err := db.Member(t.Context(), func(q catalogdb.Querier) error { return insert(t.Context(), q, name) })
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			members.Go(func() {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				err := db.Member(ctx, func(q catalogdb.Querier) error { return tt.odd(ctx, end, q) })
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("the odd member: got %v, want %q", err, tt.want)
				}
			})
			members.Wait()
			if diff := cmp.Diff(tt.kept, repositoryNames(t, db)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A commit is one for all: here a constraint that is checked at its end makes it fail.
func TestACommitThatFailsFailsAll(t *testing.T) {
	db := openFile(t)
	db.Gather(3)
	var members sync.WaitGroup
	for _, name := range []string{"a", "b", ""} {
		members.Go(func() {
			err := db.Member(t.Context(), func(q catalogdb.Querier) error {
				if name != "" {
					return insert(t.Context(), q, name)
				}
				for _, statement := range []string{"PRAGMA defer_foreign_keys = 1", "INSERT INTO releases (id, distribution_id, arch, revision, nonce, published_revision, fault) VALUES (1, 99, '', 1, '', 0, '')"} {
					if _, err := q.ExecContext(t.Context(), statement); err != nil {
						return err
					}
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
				t.Errorf("%q: got %v, want the failure of the commit", name, err)
			}
		})
	}
	members.Wait()
	if got := repositoryNames(t, db); len(got) > 0 {
		t.Errorf("stored %q", got)
	}
	if err := db.Member(t.Context(), func(q catalogdb.Querier) error { return insert(t.Context(), q, "later") }); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

// A caller whose context ends while others commit does not wait for them, and writes nothing later.
func TestAContextThatEndsWhileOthersCommit(t *testing.T) {
	db := openFile(t)
	running, stopped := make(chan struct{}), make(chan struct{})
	var members sync.WaitGroup
	members.Go(func() {
		err := db.Member(t.Context(), func(q catalogdb.Querier) error {
			close(running)
			<-stopped
			return insert(t.Context(), q, "first")
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := db.Member(ctx, func(q catalogdb.Querier) error { return insert(ctx, q, "second") }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(stopped)
	members.Wait()
	if diff := cmp.Diff([]string{"first"}, repositoryNames(t, db)); diff != "" {
		t.Error(diff)
	}
}

// The rows of an outer loop and those of an inner one are different runs of one compiled statement.
func TestOneStatementRunsTwiceAtOnce(t *testing.T) {
	db := openFile(t)
	var pairs []string
	err := db.Member(t.Context(), func(q catalogdb.Querier) error {
		pairs = nil
		for _, name := range []string{"a", "b"} {
			if err := insert(t.Context(), q, name); err != nil {
				return err
			}
		}
		return each(t, q, func(outer string) error {
			return each(t, q, func(inner string) error {
				pairs = append(pairs, outer+inner)
				return nil
			})
		})
	})
	if diff := cmp.Diff([]string{"aa", "ab", "ba", "bb"}, pairs); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func each(t *testing.T, q catalogdb.Querier, f func(name string) error) error {
	rows, err := q.QueryContext(t.Context(), "SELECT name FROM repositories ORDER BY name")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := errors.Join(rows.Scan(&name), f(name)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func repositoryNames(t *testing.T, db *catalogdb.DB) (names []string) {
	t.Helper()
	all, err := db.Repositories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		names = append(names, s.Repository.Name)
	}
	slices.Sort(names)
	return names
}

func takeTogether(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "stored", "1")
	if err := push(t, db, k); err != nil {
		t.Fatal(err)
	}
	stored := uploadOf(k)
	fresh, other := uploadOf(deb(jammy, "fresh", "1")), uploadOf(deb(jammy, "other", "1"))
	if _, _, err := db.Take(t.Context(), other, catalogdb.Lease{Owner: "another", For: lease.For}, start); err != nil {
		t.Fatal(err)
	}
	uploads := []catalog.Upload{fresh, stored, other}
	taken, err := db.TakeAll(t.Context(), uploads, lease, start)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []catalog.UploadState{catalog.Received, catalog.Stored, catalog.Received} {
		if got := taken[i]; got.State != want || (got.Token != "") != (i == 0) {
			t.Errorf("%s: got %+v, want state %s", uploads[i], got, want)
		}
	}
	unknown := uploadOf(deb(jammy, "unknown", "1"))
	states, err := db.States(t.Context(), append(uploads, unknown))
	want := map[catalog.Upload]catalog.UploadState{fresh: catalog.Received, stored: catalog.Stored, other: catalog.Received}
	if diff := cmp.Diff(want, states); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	verdicts, err := db.Verdicts(t.Context(), append(uploads, unknown))
	if err != nil || len(verdicts) != len(uploads) {
		t.Fatalf("got %d verdicts, %v", len(verdicts), err)
	}
	for _, u := range uploads {
		one, err := db.Verdict(t.Context(), u)
		if diff := cmp.Diff(one, verdicts[u]); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", u, err, diff)
		}
	}
}
