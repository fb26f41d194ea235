package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/mysqltest"
)

var acme1 = catalog.TrainName{Owner: "acme", Name: "1"}

// storeFor is store of an upload that is pushed for train 1.
func storeFor(t *testing.T, db *catalogdb.DB, k catalog.Package, dirs ...string) catalogdb.Stored {
	t.Helper()
	u := uploadOf(k)
	u.Object = k.Place().String() + "/" + layout.StagedTrainName(layout.NewID(), acme1.Name, k.Name+"_"+k.Version+"_"+k.Arch)
	claim(t, db, k)
	return catalogdb.Stored{Upload: u, Token: take(t, db, u, start), Package: k, Dirs: dirs, Checked: catalog.CheckedStructure}
}

// held declares the releases of packages and holds them for train 1.
func held(t *testing.T, db *catalogdb.DB, packages ...catalog.Package) (all []catalogdb.Stored) {
	t.Helper()
	for _, r := range []catalog.Release{jammy, noble, el9} {
		declare(t, db, r)
	}
	for _, k := range packages {
		var dirs []string
		if k.Format == catalog.RPM {
			dirs = layout.RPMDirs(k, distro(el9).Architectures)
		}
		s := storeFor(t, db, k, dirs...)
		activate(t, db, s)
		checkUpload(t, db, s.Upload, catalog.Held)
		checkPackage(t, db, k, catalog.Reserved)
		all = append(all, s)
	}
	return all
}

// dirsOf returns what PublishTrain wants of stored packages.
func dirsOf(all []catalogdb.Stored) map[catalog.Upload][]string {
	dirs := map[catalog.Upload][]string{}
	for _, s := range all {
		dirs[s.Upload] = s.Dirs
	}
	return dirs
}

func ask(t *testing.T, db *catalogdb.DB, at time.Time) {
	t.Helper()
	ctx := catalog.WithActor(t.Context(), catalog.Actor{User: "kim", Why: "release day"})
	if err := db.AskTrain(ctx, acme1, catalogdb.TrainAsk{At: at}); err != nil {
		t.Fatal(err)
	}
}

// checkTrain fails unless train 1 is in a state, with this fault if any.
func checkTrain(t *testing.T, db *catalogdb.DB, want catalog.TrainState, fault string) {
	t.Helper()
	got, err := db.TrainState(t.Context(), acme1)
	if err != nil || got.State != want || !strings.Contains(strings.Join(got.Faults, "; "), fault) || fault == "" && len(got.Faults) > 0 {
		t.Errorf("the train is %+v, %v; want %s and %q", got, err, want, fault)
	}
}

func due(t *testing.T, db *catalogdb.DB) bool {
	t.Helper()
	all, err := db.DueTrains(t.Context())
	if err != nil || len(all) > 1 || len(all) == 1 && all[0] != acme1 {
		t.Fatalf("due are %v, %v", all, err)
	}
	return len(all) == 1
}

// What a train holds is in no release, and costs none a revision; then one transaction gives each release all of it, with one.
func trainPublishes(t *testing.T, db *catalogdb.DB) {
	var packages []catalog.Package
	for i := range 5 {
		packages = append(packages, deb(jammy, fmt.Sprintf("p%d", i), "1"), deb(noble, fmt.Sprintf("p%d", i), "1"))
	}
	packages = append(packages, rpm(el9, "hello", "1-1", "x86_64"), rpm(el9, "common", "1-1", "noarch"))
	all := held(t, db, packages...)
	twice := storeFor(t, db, packages[0]) // the same bytes for the same train
	activate(t, db, twice)
	checkUpload(t, db, twice.Upload, catalog.Held)
	all = append(all, twice)
	for _, r := range []catalog.Release{jammy, noble, el9, in(el9, "aarch64")} {
		checkRevision(t, db, r, 1)
		if got := names(t, db, r); len(got) > 0 {
			t.Errorf("%s shows %q", r, got)
		}
	}
	if n, err := db.Backlog(t.Context()); err != nil || n != 0 {
		t.Errorf("a backlog of %d, %v", n, err)
	}
	if due(t, db) {
		t.Error("it is due, though it was not asked for")
	}
	ask(t, db, time.Time{})
	if !due(t, db) {
		t.Fatal("it is not due")
	}
	for n := range 2 { // a repeat changes nothing
		if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || committed != (n == 0) {
			t.Fatalf("publish: %v, %v", committed, err)
		}
	}
	checkTrain(t, db, catalog.TrainGone, "")
	for r, want := range map[catalog.Release]int{jammy: 5, noble: 5, el9: 2, in(el9, "aarch64"): 1} {
		checkRevision(t, db, r, 2)
		if got := names(t, db, r); len(got) != want {
			t.Errorf("%s shows %q, want %d", r, got, want)
		}
	}
	checkRevision(t, db, in(el9, "SRPMS"), 1)
	for _, s := range all {
		checkUpload(t, db, s.Upload, catalog.Stored)
	}
	if s, err := db.TrainSpread(t.Context(), acme1); err != nil || s.Releases != 4 || s.Visible != 0 {
		t.Errorf("the spread is %+v, %v", s, err)
	}
	for i, r := range []catalog.Release{jammy, noble, el9, in(el9, "aarch64")} {
		publish(t, db, r, 2, after(time.Duration(i)*100*time.Millisecond))
	}
	if s, err := db.TrainSpread(t.Context(), acme1); err != nil || !s.Whole() || s.Millis() != 300 {
		t.Errorf("the spread is %+v, %v", s, err)
	}
	for i, s := range all {
		want := catalog.Published
		if i == len(all)-1 {
			want = catalog.Duplicate
		}
		checkUpload(t, db, s.Upload, want)
	}
	lines := logOf(t, db, "acme/tools", time.Time{})
	for _, want := range []string{"train.open", "train.ask", "train.publish"} {
		if n := len(slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return !strings.Contains(s, want) })); n != 1 {
			t.Errorf("%s is %d times in %q", want, n, lines)
		}
	}
}

// A train with something missing changes nothing, and says why.
func trainRefused(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	all := held(t, db, k, deb(noble, "hello", "1"))
	refused := func(want string) {
		t.Helper()
		err := db.AskTrain(t.Context(), acme1, catalogdb.TrainAsk{})
		if r, is := errors.AsType[*catalogdb.TrainRefusal](err); !is || !strings.Contains(r.Error(), want) {
			t.Errorf("asked for, it says %v, want %q", err, want)
		}
		if due(t, db) {
			t.Error("it is due")
		}
		ask(t, db, start) // at a time that has come
		_, err = db.PublishTrain(t.Context(), acme1, dirsOf(all))
		if r, is := errors.AsType[*catalogdb.TrainRefusal](err); !is || !strings.Contains(r.Error(), want) {
			t.Errorf("published, it says %v, want %q", err, want)
		}
		checkTrain(t, db, catalog.TrainOpen, want)
		if due(t, db) {
			t.Error("it is still due")
		}
		checkRevision(t, db, jammy, 1)
		checkPackage(t, db, k, catalog.Reserved)
	}
	other := storeFor(t, db, deb(jammy, "other", "1"))
	refused("other_1_amd64 for acme/tools/ubuntu/jammy/main is being read")
	if err := db.Reject(t.Context(), other.Upload, other.Token, catalog.Rejection{Reason: catalog.Malformed, Detail: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	refused("other_1_amd64 for acme/tools/ubuntu/jammy/main was rejected (malformed: bad): push it again for the train, or leave it out with repomill train drop acme/1 --rejected")
	again := storeFor(t, db, other.Package) // as mended
	activate(t, db, again)
	ask(t, db, time.Time{})
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(append(all, again))); err != nil || !committed {
		t.Errorf("with a file that was pushed again: %v, %v", committed, err)
	}
	checkRevision(t, db, jammy, 2)
}

// A new upload between the check and the commit, or a new directory, has the train checked again.
func trainMoved(t *testing.T, db *catalogdb.DB) {
	all := held(t, db, deb(jammy, "hello", "1"), rpm(el9, "common", "1-1", "noarch"))
	ask(t, db, time.Time{})
	late := held(t, db, deb(noble, "late", "1"))
	if _, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); !errors.Is(err, catalogdb.ErrTrainMoved) {
		t.Errorf("with a new upload: %v", err)
	}
	all = append(all, late...)
	declare(t, db, el9, "ppc64le")
	if _, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); !errors.Is(err, catalogdb.ErrDirectoryAdded) {
		t.Errorf("with a new directory: %v", err)
	}
	if !due(t, db) {
		t.Error("it is not due any more")
	}
	all[1].Dirs = append(all[1].Dirs, "ppc64le")
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Errorf("checked again: %v, %v", committed, err)
	}
}

// A train goes once its time has come by the database's clock, wherever that jumps to, and once.
func trainAt(t *testing.T, db *catalogdb.DB) {
	all := held(t, db, deb(jammy, "hello", "1"))
	at := after(time.Hour)
	for _, tt := range []struct {
		clock time.Duration
		due   bool
	}{{0, false}, {time.Hour - time.Millisecond, false}, {-24 * time.Hour, false}, {time.Hour, true}, {time.Minute, false}, {1000 * time.Hour, true}} {
		db.SetClock(after(tt.clock))
		if tt.clock == 0 {
			ask(t, db, at)
		}
		if got := due(t, db); got != tt.due {
			t.Errorf("at %s it is due: %v", tt.clock, got)
		}
		if tt.due {
			continue
		}
		if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || committed {
			t.Errorf("at %s: %v, %v", tt.clock, committed, err)
		}
		checkRevision(t, db, jammy, 1)
	}
	if cancelled, err := db.CancelTrain(t.Context(), acme1); err != nil || !cancelled || due(t, db) {
		t.Errorf("cancelled: %v, %v", cancelled, err)
	}
	ask(t, db, at)
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Errorf("at its time: %v, %v", committed, err)
	}
	for _, clock := range []time.Duration{0, 1000 * time.Hour} {
		db.SetClock(after(clock))
		if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || committed || due(t, db) {
			t.Errorf("again at %s: %v, %v", clock, committed, err)
		}
	}
	checkRevision(t, db, jammy, 2)
	if err := db.AskTrain(t.Context(), acme1, catalogdb.TrainAsk{}); !errors.Is(err, catalogdb.ErrTrainPublished) {
		t.Errorf("asked for again: %v", err)
	}
}

// What is dropped was never there: its row goes with its file, and then other bytes may have the name.
func trainDrops(t *testing.T, db *catalogdb.DB) {
	hello, kept := deb(jammy, "hello", "1"), deb(jammy, "kept", "1")
	all := held(t, db, hello, kept)
	if _, err := db.HeldVerdictsWritten(t.Context(), all[0].Upload, all[1].Upload); err != nil {
		t.Fatal(err)
	}
	pattern := catalogdb.TrainDrop{Patterns: []catalog.Pattern{{Name: "hel*"}, {Name: "nothing"}}}
	_, err := db.DropTrain(t.Context(), acme1, pattern)
	if none, is := errors.AsType[*catalogdb.UnmatchedError](err); !is || none.Pattern.Name != "nothing" {
		t.Errorf("a pattern that selects nothing: %v", err)
	}
	pattern.Patterns = pattern.Patterns[:1]
	dropped, err := db.DropTrain(t.Context(), acme1, pattern)
	if err != nil || len(dropped) != 1 || dropped[0].Upload != all[0].Upload {
		t.Fatalf("dropped %v, %v", dropped, err)
	}
	checkUpload(t, db, all[0].Upload, catalog.Rejected)
	checkUpload(t, db, all[1].Upload, catalog.Held)
	if todo, err := db.VerdictsToWrite(t.Context(), 9); err != nil || !cmp.Equal(todo, []catalog.Upload{all[0].Upload}) {
		t.Errorf("verdicts to write: %v, %v", todo, err)
	}
	now, err := db.DueNow(t.Context(), 9)
	if err != nil || len(now) != 1 || now[0].Key != hello.Key {
		t.Fatalf("to be removed: %v, %v", now, err)
	}
	rebuilt := hello
	rebuilt.File = file("rebuilt")
	if holder, claimed, err := db.Claim(t.Context(), rebuilt, catalog.Upload{}); err != nil || claimed || holder.State != catalog.Dropped {
		t.Errorf("a claim before the removal: %+v, %v, %v", holder, claimed, err)
	}
	if err := db.Removing(t.Context(), now[0]); err != nil {
		t.Fatal(err)
	}
	if again, err := db.DueNow(t.Context(), 9); err != nil || len(again) > 0 {
		t.Errorf("to be removed while a process removes it: %v, %v", again, err)
	}
	db.SetClock(time.Now().Add(time.Hour))
	if again, err := db.DueNow(t.Context(), 9); err != nil || len(again) != 1 {
		t.Errorf("to be removed when that process is gone: %v, %v", again, err)
	}
	if err := db.Removed(t.Context(), now[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Find(t.Context(), hello); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("its row: %v", err)
	}
	all = append(held(t, db, rebuilt), all[1])
	ask(t, db, time.Time{})
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Errorf("with the rebuilt package: %v, %v", committed, err)
	}
	if _, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); !errors.Is(err, catalogdb.ErrTrainPublished) {
		t.Errorf("a drop after that: %v", err)
	}
	checkRevision(t, db, jammy, 2)
}

// A train that was dropped whole is opened again by the next push.
func trainDroppedWhole(t *testing.T, db *catalogdb.DB) {
	all := held(t, db, deb(jammy, "hello", "1"), deb(noble, "hello", "1"))
	ask(t, db, after(time.Hour).AddDate(100, 0, 0))
	busy := storeFor(t, db, deb(jammy, "busy", "1"))
	if _, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); !errors.Is(err, catalogdb.ErrTrainBusy) {
		t.Errorf("while a file is read: %v", err)
	}
	if err := db.Reject(t.Context(), busy.Upload, busy.Token, catalog.Rejection{Reason: catalog.Malformed}, start); err != nil {
		t.Fatal(err)
	}
	if dropped, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); err != nil || len(dropped) != len(all)+1 {
		t.Errorf("dropped %v, %v", dropped, err)
	}
	checkTrain(t, db, catalog.TrainDropped, "")
	if due(t, db) {
		t.Error("it is due")
	}
	if dropped, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); err != nil || len(dropped) > 0 {
		t.Errorf("dropped once more: %v, %v", dropped, err)
	}
	drops := 0
	for e, err := range db.Log(t.Context(), catalog.Target{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionTrainDrop {
			drops++
		}
	}
	if drops != 1 {
		t.Errorf("the log has %d entries of the drop, want 1", drops)
	}
	all = held(t, db, deb(jammy, "second", "1"))
	checkTrain(t, db, catalog.TrainOpen, "")
	ask(t, db, time.Time{})
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Errorf("the second one: %v, %v", committed, err)
	}
	checkRevision(t, db, noble, 1)
	late := deb(jammy, "late", "1")
	u := uploadOf(late)
	u.Object = late.Place().String() + "/" + layout.StagedTrainName(layout.NewID(), acme1.Name, "late.deb")
	if token, state, err := db.Take(t.Context(), u, lease, start); err != nil || token != "" || state != catalog.Rejected {
		t.Errorf("a late push: %q, %s, %v", token, state, err)
	}
	if v := verdictOf(t, db, u); v.Reason != catalog.TrainPublished {
		t.Errorf("its verdict is %+v", v)
	}
}

// An identity that a train holds is reserved: for other bytes, for equal ones, and for other trains.
func trainReserves(t *testing.T, db *catalogdb.DB) {
	k := deb(jammy, "hello", "1")
	declare(t, db, jammy)
	early := store(t, db, k, "early") // the same bytes, claimed before the train has them
	all := held(t, db, k)
	activate(t, db, early)
	other := storeFor(t, db, k)
	u := uploadOf(k)
	u.Object = k.Place().String() + "/" + layout.StagedTrainName(layout.NewID(), "2", "hello.deb")
	second := catalogdb.Stored{Upload: u, Token: take(t, db, u, start), Package: k}
	activate(t, db, second)
	for _, s := range []catalogdb.Stored{early, second} {
		v := verdictOf(t, db, s.Upload)
		if v.State != catalog.Rejected || v.Reason != catalog.ReservedIdentity || strings.Contains(v.Detail, k.File.SHA256[:8]) {
			t.Errorf("the verdict on %s is %+v", s.Upload, v)
		}
	}
	activate(t, db, other)
	checkUpload(t, db, other.Upload, catalog.Held)
	if n, isHeld, err := db.HeldFor(t.Context(), k); err != nil || !isHeld || n != acme1 {
		t.Errorf("it is held for %v, %v, %v", n, isHeld, err)
	}
	checkUpload(t, db, all[0].Upload, catalog.Held)
	checkRevision(t, db, jammy, 1)
}

// Of workers that publish a train at once one commits, and pushes at that time are in it, or behind it.
func trainConcurrently(t *testing.T, db *catalogdb.DB) {
	all := held(t, db, deb(jammy, "hello", "1"), deb(noble, "hello", "1"), rpm(el9, "hello", "1-1", "x86_64"))
	ask(t, db, time.Time{})
	var g sync.WaitGroup
	var mu sync.Mutex
	commits := 0
	for range 4 {
		g.Go(func() {
			committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if committed {
				commits++
			}
		})
	}
	for i := range 4 {
		g.Go(func() {
			if err := push(t, db, deb(jammy, fmt.Sprintf("ordinary%d", i), "1")); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
	checkRevision(t, db, noble, 2)
	checkPushed(t, db, jammy, 5)
}

// The answer to a commit does not come. Whether it went through or not, a train is held, asked for, dropped and published once.
func TestMySQLTrainsOnceWithoutAnAnswer(t *testing.T) {
	s := mysqltest.NewServer(t)
	for _, f := range []fault{lost, stored} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, s.Socket())
			direct := onMySQL(s.Database(t))
			_, name, _ := strings.Cut(direct.dsn, "/test")
			declare(t, direct.cleared(t), jammy)
			db := open(t, "mysql://root@127.0.0.1:"+p.port+"/test"+name)
			breaks := func() { p.next.Store(int32(f)) }
			hello, bad := deb(jammy, "hello", "1"), deb(jammy, "bad", "1")
			var all []catalogdb.Stored
			for _, k := range []catalog.Package{hello, bad} {
				u := uploadOf(k)
				u.Object = k.Place().String() + "/" + layout.StagedTrainName(layout.NewID(), acme1.Name, k.Name+".deb")
				claim(t, db, k)
				breaks()
				all = append(all, catalogdb.Stored{Upload: u, Token: take(t, db, u, start), Package: k})
				breaks()
				activate(t, db, all[len(all)-1])
				checkUpload(t, db, u, catalog.Held)
			}
			breaks()
			ask(t, db, time.Time{})
			breaks()
			if cancelled, err := db.CancelTrain(t.Context(), acme1); err != nil || !cancelled {
				t.Errorf("cancelled: %v, %v", cancelled, err)
			}
			breaks()
			if dropped, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{Patterns: []catalog.Pattern{{Name: "bad"}}}); err != nil || len(dropped) != 1 {
				t.Errorf("dropped %v, %v", dropped, err)
			}
			ask(t, db, time.Time{})
			breaks()
			if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all[:1])); err != nil || committed != (f == lost) {
				t.Errorf("published: %v, %v", committed, err)
			}
			if n := p.faults.Load(); n != 8 {
				t.Errorf("%d commits met a fault, want 8", n)
			}
			checkTrain(t, db, catalog.TrainGone, "")
			checkRevision(t, db, jammy, 2)
			checkUpload(t, db, all[0].Upload, catalog.Stored)
			checkUpload(t, db, all[1].Upload, catalog.Rejected)
			counts := map[string]int{}
			for _, line := range logOf(t, db, "acme/tools", time.Time{}) {
				for _, action := range []string{"train.open", "train.ask", "train.cancel", "train.drop", "train.publish"} {
					if strings.Contains(line, action) {
						counts[action]++
					}
				}
			}
			if diff := cmp.Diff(map[string]int{"train.open": 1, "train.ask": 2, "train.cancel": 1, "train.drop": 1, "train.publish": 1}, counts); diff != "" {
				t.Errorf("entries of the log (-want +got):\n%s", diff)
			}
		})
	}
}

// What a train holds in one component keeps all others out of the others, the same bytes and other ones alike: their pusher learns nothing
// of the bytes. The train itself may hold them in both.
func trainReservesComponents(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "testing")
	k := deb(jammy, "hello", "1")
	held(t, db, k)
	other := k
	other.File = file("other")
	for _, c := range []catalog.Package{inComponent(k, "testing"), inComponent(other, "testing")} {
		u := uploadOf(c)
		u.Generation += c.File.SHA256
		token := take(t, db, u, start)
		holder, claimed, err := db.Claim(t.Context(), c, u)
		if err != nil || claimed || holder.State != catalog.Reserved || holder.Component != "main" {
			t.Errorf("sha256 %s: got %+v, %v, %v", c.File.SHA256, holder, claimed, err)
		}
		if err := db.Reject(t.Context(), u, token, *catalogdb.ReservedBy(holder), start); err != nil {
			t.Fatal(err)
		}
	}
	both := inComponent(k, "testing")
	u := uploadOf(both)
	u.Object = both.Place().String() + "/" + layout.StagedTrainName(layout.NewID(), acme1.Name, "hello_1_amd64")
	token := take(t, db, u, start)
	if _, claimed, err := db.Claim(t.Context(), both, u); err != nil || !claimed {
		t.Fatalf("the train itself: %v, %v", claimed, err)
	}
	activate(t, db, catalogdb.Stored{Upload: u, Token: token, Package: both})
	checkPackage(t, db, both, catalog.Reserved)
}

// A package that was published already when it was pushed for the train has to be there when that is published.
func trainWatchesDuplicates(t *testing.T, db *catalogdb.DB) {
	there, k := deb(jammy, "there", "1"), deb(jammy, "hello", "1")
	declare(t, db, jammy)
	activate(t, db, store(t, db, there, "1"))
	all := held(t, db, k)
	duplicate := storeFor(t, db, there)
	activate(t, db, duplicate)
	publish(t, db, jammy, revisionOf(t, db, jammy), after(time.Second))
	checkUpload(t, db, duplicate.Upload, catalog.Duplicate)
	if _, err := db.Yank(t.Context(), selectorOf(there), catalog.Yank{Reason: "bad"}, start); err != nil {
		t.Fatal(err)
	}
	err := db.AskTrain(t.Context(), acme1, catalogdb.TrainAsk{})
	if r, is := errors.AsType[*catalogdb.TrainRefusal](err); !is || !strings.HasPrefix(r.Error(), "there 1 amd64 was published in acme/tools/ubuntu/jammy/main when it was pushed for the train, and is not any more: bring it back") {
		t.Errorf("it says %v", err)
	}
	ask(t, db, start)
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); committed || err == nil {
		t.Errorf("without it the train is published: %v", err)
	}
	dropped, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{Rejected: true}) // as it says
	if err != nil || len(dropped) != 1 || dropped[0].State != catalog.Duplicate {
		t.Fatal(dropped, err)
	}
	checkUpload(t, db, duplicate.Upload, catalog.Duplicate)
	ask(t, db, time.Time{})
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Errorf("left out: %v, %v", committed, err)
	}
	checkPackage(t, db, k, catalog.Active)
	checkPackage(t, db, there, catalog.Yanked)
}

// A file that is pushed for a train and one with the same bytes beside it come in one batch: neither makes the other visible before its time.
func trainAndBeside(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	first, second := deb(jammy, "first", "1"), deb(jammy, "second", "1")
	forTrain, beside := storeFor(t, db, first), store(t, db, first, "2")
	activate(t, db, forTrain, beside)
	checkPackage(t, db, first, catalog.Reserved)
	checkUpload(t, db, forTrain.Upload, catalog.Held)
	checkUpload(t, db, beside.Upload, catalog.Rejected)

	beside, forTrain = store(t, db, second, "2"), storeFor(t, db, second)
	activate(t, db, beside, forTrain)
	checkPackage(t, db, second, catalog.Active)
	checkUpload(t, db, beside.Upload, catalog.Stored)
}
