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
)

// build returns hello 1 of a release with bytes of their own, as a mutable repository has it.
func build(r catalog.Release, n int) catalog.Package {
	k := deb(r, "hello", "1")
	if r.Arch != "" {
		k = rpm(r, "hello", "1-1", "x86_64")
	}
	k.File = file(fmt.Sprint("build ", n))
	k.Variant = layout.VariantOf(k.File.SHA256)
	if k.Key = layout.PoolKey(k); r.Arch != "" {
		k.Key = layout.RPMKey(k, "x86_64")
	}
	return k
}

// declareMutable makes the repository mutable that releases are of.
func declareMutable(t *testing.T, db *catalogdb.DB, releases ...catalog.Release) {
	t.Helper()
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools, Mutable: true}, start); err != nil {
		t.Fatal(err)
	}
	for _, r := range releases {
		declare(t, db, r)
	}
}

// storeAt is store of an upload that reached staging some seconds after the start.
func storeAt(t *testing.T, db *catalogdb.DB, k catalog.Package, seconds int, dirs ...string) catalogdb.Stored {
	t.Helper()
	u := uploadOf(k)
	u.Object += "-" + k.Variant
	u.Generation = fmt.Sprint(after(time.Duration(seconds) * time.Second).UnixMicro())
	token := take(t, db, u, after(time.Hour)) // workers were away
	if _, _, err := db.Claim(t.Context(), k, u); err != nil {
		t.Fatal(err)
	}
	return catalogdb.Stored{Upload: u, Token: token, Package: k, Dirs: dirs}
}

// checkRejected fails unless an upload was rejected for a reason.
func checkRejected(t *testing.T, db *catalogdb.DB, s catalogdb.Stored, want catalog.Reason, says string) {
	t.Helper()
	if v := verdictOf(t, db, s.Upload); v.State != catalog.Rejected || v.Reason != want || !strings.Contains(v.Detail, says) {
		t.Errorf("the verdict is %+v, want %s with %q", v, want, says)
	}
}

// checkWasReplaced fails unless a package is withdrawn because its version has other bytes.
func checkWasReplaced(t *testing.T, db *catalogdb.DB, k catalog.Package) {
	t.Helper()
	if got, err := db.Find(t.Context(), k); err != nil || !got.Replaced() {
		t.Errorf("%s is %s, %+v, %v; want replaced", k.File.SHA256, got.State, got.Yank, err)
	}
}

// activeIn returns the digests of what a release shows.
func activeIn(t *testing.T, db *catalogdb.DB, r catalog.Release) (digests []string) {
	t.Helper()
	for k, err := range db.List(t.Context(), r, "") {
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, k.File.SHA256)
	}
	return digests
}

func checkActive(t *testing.T, db *catalogdb.DB, r catalog.Release, want ...catalog.Package) {
	t.Helper()
	var digests []string
	for _, k := range want {
		digests = append(digests, k.File.SHA256)
	}
	if got := activeIn(t, db, r); !slices.Equal(got, digests) {
		t.Errorf("%s shows %q, want %q", r, got, digests)
	}
}

// Other bytes take the place of those before them in one revision; the first ones come back when they are pushed again.
func replaceInOne(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy, el9)
	for _, r := range []catalog.Release{jammy, el9} {
		a, b := build(r, 1), build(r, 2)
		was := withdrawnState{}
		for i, k := range []catalog.Package{a, b, a} {
			s := storeAt(t, db, k, i, "x86_64")
			activate(t, db, s)
			activate(t, db, s) // as after an unknown result
			checkActive(t, db, r, k)
			checkRevision(t, db, r, int64(i+2))
			publish(t, db, r, int64(i+2), start)
			replaced := ""
			if i > 0 {
				replaced = []catalog.Package{b, a}[i%2].File.SHA256
				checkWasReplaced(t, db, []catalog.Package{b, a}[i%2])
			}
			if v := verdictOf(t, db, s.Upload); v.State != catalog.Published || v.Replaced != replaced || v.SHA256 != k.File.SHA256 || i > 0 && v.Outcome() != "replaced" {
				t.Errorf("upload %d: the verdict is %+v, want one in place of %q", i, v, replaced)
			}
			snap := snapshot(t, db, r)
			now := withdrawnAt(t, snap)
			if i > 0 {
				keys, known, err := snap.WithdrawnChanges(t.Context(), was.revision, 10)
				for key := range now.changedSince(was) {
					if !known || err != nil || !slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == key }) {
						t.Errorf("upload %d: the changes of what is withdrawn are %q, %v, %v, and lack %q", i, keys, known, err, key)
					}
				}
			}
			snap.Close()
			if was = now; len(now.records) != min(i, 1) {
				t.Errorf("upload %d: withdrawn are %v", i, now.records)
			}
		}
		same := storeAt(t, db, a, 9, "x86_64")
		activate(t, db, same)
		checkUpload(t, db, same.Upload, catalog.Duplicate)
		checkRevision(t, db, r, 4)
	}
	var lines []string
	for _, line := range logOf(t, db, "acme/tools", time.Time{}) {
		if strings.Contains(line, "|"+string(catalog.ActionReplace)+"|acme/tools/ubuntu/jammy") {
			lines = append(lines, line)
		}
	}
	a, b := build(jammy, 1).File.SHA256, build(jammy, 2).File.SHA256
	want := []string{"|package.replace|acme/tools/ubuntu/jammy/main|hello 1 amd64: sha256 " + a + " in place of " + b + "||", "|package.replace|acme/tools/ubuntu/jammy/main|hello 1 amd64: sha256 " + b + " in place of " + a + "||"}
	slices.Sort(lines)
	slices.Sort(want)
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the log has (-want +got):\n%s", diff)
	}
}

// The order is that in which bytes reached staging, and not that in which workers get to them.
func replaceInOrder(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two, three := build(jammy, 1), build(jammy, 2), build(jammy, 3)
	second, first := storeAt(t, db, two, 2), storeAt(t, db, one, 1)
	activate(t, db, second)
	activate(t, db, first)
	checkActive(t, db, jammy, two)
	checkRejected(t, db, first, catalog.Replaced, "pushed after this file")
	checkRevision(t, db, jammy, 2)
	checkWasReplaced(t, db, one)
	if due, err := db.DueNow(t.Context(), 9); err != nil || len(due) != 0 {
		t.Fatalf("to be removed at once is %v, %v; the file may be published", due, err)
	}
	again := uploadOf(one)
	again.Generation = "9"
	token := take(t, db, again, after(2*time.Hour))
	activate(t, db, catalogdb.Stored{Upload: again, Token: token, Package: one}) // pushed later
	checkActive(t, db, jammy, one)

	third, fourth := storeAt(t, db, three, 7200), storeAt(t, db, two, 7300)
	before := stateOf(t, db, jammy).Revision.Number
	activate(t, db, fourth, third) // together
	checkActive(t, db, jammy, two)
	checkRevision(t, db, jammy, before+1)
	checkRejected(t, db, third, catalog.Replaced, "pushed after this file")
	checkUpload(t, db, fourth.Upload, catalog.Stored)

	// What was active and not published when it was replaced was never seen.
	if err := errors.Join(db.Removing(t.Context(), three), db.Removed(t.Context(), three)); err != nil { // of the third
		t.Fatal(err)
	}
	fifth := storeAt(t, db, three, 7400)
	activate(t, db, fifth)
	checkRejected(t, db, fourth, catalog.Replaced, "before clients saw these")
	checkActive(t, db, jammy, three)
}

// Of uploads with different bytes that race, the last one is active in the end, and each has its verdict.
func replaceConcurrently(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	const n = 6
	var all []catalogdb.Stored
	for i := range n {
		all = append(all, storeAt(t, db, build(jammy, i), i))
	}
	var g sync.WaitGroup
	for _, i := range []int{3, 5, 0, 4, 1, 2} {
		g.Go(func() {
			if err := db.Activate(t.Context(), all[i:i+1], start); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	checkActive(t, db, jammy, build(jammy, n-1))
	state := stateOf(t, db, jammy)
	publish(t, db, jammy, state.Revision.Number, start)
	checkUpload(t, db, all[n-1].Upload, catalog.Published)
	for _, s := range all[:n-1] {
		checkRejected(t, db, s, catalog.Replaced, "sha256")
	}
}

// A version has the same bytes in all components, and --if-absent replaces nothing.
func replaceRefused(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: "extra"}, start); err != nil {
		t.Fatal(err)
	}
	one, two := build(jammy, 1), build(jammy, 2)
	activate(t, db, storeAt(t, db, one, 1))
	extra := two
	extra.Component = "extra"
	extra.Key = layout.PoolKey(extra)
	if holder, claimed, err := db.Claim(t.Context(), extra, catalog.Upload{}); err != nil || claimed || holder.File != one.File {
		t.Errorf("other bytes for another component are claimed: %v, %v", claimed, err)
	}
	absent := uploadOf(two)
	absent.Object = "acme/tools/ubuntu/jammy/" + layout.StagedIfAbsentName(layout.NewID(), "hello.deb")
	if rej, err := db.RefuseOther(t.Context(), absent, two); err != nil || rej == nil || rej.Reason != catalog.Conflict || !strings.Contains(rej.Detail, "--if-absent replaces nothing") {
		t.Errorf("--if-absent: %v, %v", rej, err)
	}
	s := catalogdb.Stored{Upload: absent, Token: take(t, db, absent, start), Package: two}
	claim(t, db, two)
	activate(t, db, s)
	checkRejected(t, db, s, catalog.Conflict, "--if-absent replaces nothing")
	checkActive(t, db, jammy, one)

	// Withdrawn, it keeps other bytes out of no component, and cannot return beside them.
	yankAll(t, db, selectorOf(one))
	k := storeAt(t, db, extra, 3)
	activate(t, db, k)
	checkActive(t, db, jammy, extra)
	w := selectorOf(one)
	w.Component = "main"
	if _, err := db.Unyank(t.Context(), w, start); !errors.Is(err, catalogdb.ErrOtherBytes) {
		t.Errorf("unyank beside other bytes: %v", err)
	}
	checkActive(t, db, jammy, extra)
	again := storeAt(t, db, one, 4) // what a person withdrew stays withdrawn
	activate(t, db, again)
	checkRejected(t, db, again, catalog.YankedIdentity, "withdrawn")
}

// Bytes whose file was removed after they were replaced are stored again when they are pushed again.
func replaceAfterRemoval(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two := build(jammy, 1), build(jammy, 2)
	activate(t, db, storeAt(t, db, one, 1))
	activate(t, db, storeAt(t, db, two, 2))
	publish(t, db, jammy, 3, start)
	gone, err := db.Find(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	due, err := db.DueForRemoval(t.Context(), gone.Yank.At.Add(time.Second), 9)
	if err != nil || len(due) != 1 || due[0].Key != one.Key {
		t.Fatalf("to be removed is %v, %v", due, err)
	}
	third := uploadOf(one)
	third.Generation = "3"
	s := catalogdb.Stored{Upload: third, Token: take(t, db, third, after(2*time.Hour)), Package: one}
	if err := db.Removing(t.Context(), due[0]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := db.Claim(t.Context(), one, third); !errors.Is(err, catalogdb.ErrReturning) {
		t.Errorf("a claim while the file is removed: %v", err)
	}
	if err := db.Activate(t.Context(), []catalogdb.Stored{s}, start); !errors.Is(err, catalogdb.ErrReturning) {
		t.Errorf("while the file is removed: %v", err)
	}
	if err := db.Removed(t.Context(), due[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, claimed, err := db.Claim(t.Context(), one, third); err != nil || !claimed {
			t.Fatalf("claimed again: %v, %v", claimed, err)
		}
	}
	checkWasReplaced(t, db, one)
	if due, err := db.DueForRemoval(t.Context(), after(1000*time.Hour), 9); err != nil || len(due) > 0 {
		t.Errorf("what is being stored again is to be removed: %v, %v", due, err)
	}
	activate(t, db, s)
	checkActive(t, db, jammy, one)
	checkWasReplaced(t, db, two)
	if body := content(t, db, jammy); len(body) != 1 || !strings.Contains(body[0], "hello") {
		t.Errorf("the index has %q", body)
	}
}

// Bytes that are stored again are removed if their upload is refused: because they were banned in the meantime, at once; because others were
// pushed after them, with the retention period of their withdrawal.
func replaceRefusedAgain(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two := build(jammy, 1), build(jammy, 2)
	activate(t, db, storeAt(t, db, one, 1))
	activate(t, db, storeAt(t, db, two, 2))
	publish(t, db, jammy, 3, start)
	again := func(generation string) catalogdb.Stored { // whose file was removed
		t.Helper()
		gone, err := db.Find(t.Context(), one)
		if err == nil {
			err = errors.Join(db.Removing(t.Context(), gone), db.Removed(t.Context(), gone))
		}
		u := uploadOf(one)
		u.Generation = generation
		s := catalogdb.Stored{Upload: u, Token: take(t, db, u, after(2*time.Hour)), Package: one}
		if err != nil {
			t.Fatal(err)
		}
		if _, claimed, err := db.Claim(t.Context(), one, u); err != nil || !claimed {
			t.Fatalf("claimed again: %v, %v", claimed, err)
		}
		return s
	}
	keys := func(due []catalog.Package, err error) (keys []string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range due {
			keys = append(keys, k.Key)
		}
		return keys
	}
	early := again(fmt.Sprint(after(time.Second).UnixMicro()))
	if due := keys(db.DueForRemoval(t.Context(), after(1000*time.Hour), 9)); len(due) > 0 {
		t.Errorf("while it is stored, to be removed is %q", due)
	}
	activate(t, db, early)
	checkRejected(t, db, early, catalog.Replaced, "pushed after this file")
	if due := keys(db.DueForRemoval(t.Context(), after(1000*time.Hour), 9)); !slices.Equal(due, []string{one.Key}) {
		t.Errorf("after a refusal, to be removed is %q, want %q", due, one.Key)
	}

	late := again(fmt.Sprint(after(time.Hour).UnixMicro()))
	_, err := db.YankSelected(t.Context(), catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "hello"}}, States: []catalog.PackageState{catalog.Active, catalog.Yanked}},
		catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "malware"}, Now: true}, after(2*time.Hour), func(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil })
	if err != nil {
		t.Fatal(err)
	}
	publish(t, db, jammy, 4, start)
	activate(t, db, late)
	checkRejected(t, db, late, catalog.YankedIdentity, "was withdrawn while this file was on its way")
	if due := keys(db.DueNow(t.Context(), 9)); !slices.Contains(due, one.Key) {
		t.Errorf("after a ban, to be removed at once is %q, and lacks %q", due, one.Key)
	}
}

// Bytes whose file was removed, and whose upload hung until it was given up, have no file: they come back neither with unyank nor with another
// upload before that has stored it.
func replaceUnstoredAgain(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two := build(jammy, 1), build(jammy, 2)
	activate(t, db, storeAt(t, db, one, 1))
	activate(t, db, storeAt(t, db, two, 2))
	publish(t, db, jammy, 3, start)
	gone, err := db.Find(t.Context(), one)
	if err == nil {
		err = errors.Join(db.Removing(t.Context(), gone), db.Removed(t.Context(), gone))
	}
	if err != nil {
		t.Fatal(err)
	}
	hangs := uploadOf(one)
	hangs.Generation = fmt.Sprint(after(time.Hour).UnixMicro())
	for n := range catalogdb.MaxAttempts {
		now := after(time.Duration(2+n) * time.Hour)
		token := take(t, db, hangs, now)
		if _, claimed, err := db.Claim(t.Context(), one, hangs); err != nil || !claimed {
			t.Fatalf("claimed again: %v, %v", claimed, err)
		}
		if err := db.GiveUp(t.Context(), hangs, token, "hung", now); err != nil {
			t.Fatal(err)
		}
	}
	checkRejected(t, db, catalogdb.Stored{Upload: hangs}, catalog.Poison, "hung")
	if back, err := db.CanUnyank(t.Context(), gone, catalog.Upload{}); err != nil || back {
		t.Errorf("without a file it can come back: %v, %v", back, err)
	}
	next := uploadOf(one)
	next.Generation = fmt.Sprint(after(9 * time.Hour).UnixMicro())
	s := catalogdb.Stored{Upload: next, Token: take(t, db, next, after(10*time.Hour)), Package: one}
	if err := db.Activate(t.Context(), []catalogdb.Stored{s}, start); !errors.Is(err, catalogdb.ErrReturning) {
		t.Errorf("active without a file: %v", err)
	}
	if _, claimed, err := db.Claim(t.Context(), one, next); err != nil || !claimed {
		t.Fatalf("claimed by the next upload: %v, %v", claimed, err)
	}
	activate(t, db, s)
	checkActive(t, db, jammy, one)
	if body := content(t, db, jammy); len(body) != 1 || !strings.Contains(body[0], "hello") {
		t.Errorf("the index has %q", body)
	}
}

// After the loss of the catalog the uploads of before change nothing, in any order.
func replaceRecovered(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two, three := build(jammy, 1), build(jammy, 2), build(jammy, 3)
	mine := storeAt(t, db, three, 5) // of this catalog, and not published
	activate(t, db, mine)
	two.Uploaded = after(time.Minute) // when it was published
	replaced := withdrawn(one)
	replaced.Yank = &catalog.Yank{Reason: catalog.ReplacedReason, At: after(time.Minute)}
	recoverAll(t, db, jammy, two, replaced)
	checkActive(t, db, jammy, two)
	checkWasReplaced(t, db, one)
	checkWasReplaced(t, db, three)
	old, same := storeAt(t, db, one, 1), storeAt(t, db, two, 2)
	activate(t, db, old)
	activate(t, db, same)
	checkRejected(t, db, old, catalog.Replaced, "pushed after this file")
	checkUpload(t, db, same.Upload, catalog.Stored)
	checkActive(t, db, jammy, two)
	checkWasReplaced(t, db, one)
	if got := names(t, db, jammy); len(got) != 1 {
		t.Errorf("it shows %q", got)
	}
	activate(t, db, storeAt(t, db, one, 100)) // pushed since
	checkActive(t, db, jammy, one)
}

// A release train takes the place of what is published when it is, in its one transaction.
func replaceByTrain(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	one, two := build(jammy, 1), build(jammy, 2)
	all := held(t, db, two)
	activate(t, db, storeAt(t, db, one, 1))
	checkActive(t, db, jammy, one)
	ask(t, db, time.Time{})
	before := stateOf(t, db, jammy).Revision.Number
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); err != nil || !committed {
		t.Fatalf("published: %v, %v", committed, err)
	}
	checkActive(t, db, jammy, two)
	checkWasReplaced(t, db, one)
	checkRevision(t, db, jammy, before+1)
	if v := verdictOf(t, db, all[0].Upload); v.Replaced != one.File.SHA256 {
		t.Errorf("the verdict is %+v", v)
	}
}

// A train with two files of one version is refused.
func replaceByTrainTwice(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	all := held(t, db, build(jammy, 1), build(jammy, 2))
	ask(t, db, time.Time{})
	var refused *catalogdb.TrainRefusal
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(all)); committed || !errors.As(err, &refused) || !strings.Contains(err.Error(), "two files of hello 1 amd64") {
		t.Errorf("published: %v, %v", committed, err)
	}
	checkActive(t, db, jammy)
}

// A repository is mutable from its creation on, or never.
func mutableForGood(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	plain := catalog.Repository{Owner: "acme", Name: "plain"}
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: plain}, start); err != nil {
		t.Fatal(err)
	}
	for r, is := range map[catalog.Repository]bool{tools: true, plain: false} {
		if s, err := db.Settings(t.Context(), r); err != nil || s.Mutable != is {
			t.Errorf("%s is mutable: %v, %v", r, s.Mutable, err)
		}
		if _, err := db.ChangeSettings(t.Context(), r, start, func(s *catalog.Settings) error { s.Mutable = !s.Mutable; return nil }); err == nil || !strings.Contains(err.Error(), "mutable from its creation on or never") {
			t.Errorf("%s is changed: %v", r, err)
		}
		if _, err := db.ChangeSettings(t.Context(), r, start, func(s *catalog.Settings) error { s.Description = "more"; return nil }); err != nil {
			t.Error(err)
		}
	}
}
