package catalogdb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// userOfAPI makes the database user of the API, with more rights if tables are given, and returns its URL.
func userOfAPI(t *testing.T, s *mysqltest.Server, url, user string, more ...string) string {
	t.Helper()
	_, rest, _ := strings.Cut(url, "root@")
	name := rest[strings.IndexByte(rest, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	s.Exec(t, "CREATE USER "+user+"@localhost", "GRANT SELECT ON "+name+".* TO "+user+"@localhost")
	for _, g := range append([]string{"INSERT, UPDATE, DELETE ON api_tokens", "INSERT ON audit"}, more...) {
		s.Exec(t, "GRANT "+strings.Replace(g, " ON ", " ON "+name+".", 1)+" TO "+user+"@localhost")
	}
	return strings.Replace(url, "root@", user+"@", 1)
}

// publishedIn publishes a release, replaces its packages by another one, and returns the point before that.
func publishedIn(t *testing.T, root *catalogdb.DB, r catalog.Release) catalogdb.Point {
	t.Helper()
	then := deb(r, "then", "1")
	pushAll(t, root, then)
	publishLatest(t, root, seconds(1), r)
	point := catalogdb.Point{Revision: revisionOf(t, root, r)}
	yankAll(t, root, selectorOf(then))
	pushAll(t, root, deb(r, "now", "1"))
	publishLatest(t, root, seconds(2), r)
	return point
}

// What packagecloud's calls need that change repositories, read tokens and keys of packages. It is not enough to withdraw packages,
// which needs more.
func TestMySQLUserThatChangesSettings(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	root := open(t, url)
	declare(t, root, jammy)
	hello := deb(jammy, "hello", "1")
	activate(t, root, store(t, root, hello, "1"))
	settings := []string{"INSERT, UPDATE ON repositories", "INSERT ON settings_pairs"}
	db := open(t, userOfAPI(t, s, url, "door", settings...))
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "next"}}, start); err != nil {
		t.Error(err)
	}
	master := createToken(t, db, apiToken("acme/tools", "master", catalog.ScopeTokens), start)
	changeTokens(t, db, catalog.Token{Name: "host", SHA256: "11", Parent: master.ID})
	gone, err := db.RevokeAPIToken(t.Context(), master.Target, "master", start)
	if err != nil || len(gone.Digests) != 1 {
		t.Errorf("revoked %+v, %v", gone, err)
	}
	if _, err := db.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err == nil || errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("it withdraws packages: %v", err)
	}
	withdraw := append(settings, "UPDATE ON packages", "UPDATE ON releases", "UPDATE ON uploads", "INSERT, UPDATE ON visibility", "INSERT ON publications", "DELETE ON unyanks")
	db = open(t, userOfAPI(t, s, url, "wide", withdraw...))
	if _, err := db.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err != nil {
		t.Error(err)
	}
	changed := publishedIn(t, root, jammy)
	if _, _, err := db.RollBack(t.Context(), catalog.PackageTarget{Repository: tools}, changed, catalog.Yank{Reason: "r"}, start, whole); err == nil {
		t.Error("it brings packages back")
	}
	both := open(t, userOfAPI(t, s, url, "back", append(withdraw[:len(withdraw)-1:len(withdraw)-1], "INSERT, DELETE ON unyanks")...))
	if withdrawn, restored, err := both.RollBack(t.Context(), catalog.PackageTarget{Repository: tools}, changed, catalog.Yank{Reason: "r"}, start, whole); err != nil || len(withdrawn.Packages)+len(restored.Packages) != 2 {
		t.Errorf("rolled back %+v %+v, %v", withdrawn, restored, err)
	}
	pushAll(t, root, deb(jammy, "back", "1"))
	deletes(t, db, open(t, userOfAPI(t, s, url, "deletes", append(withdraw, "INSERT ON unyanks")...)))
	phase := func(db *catalogdb.DB) error {
		w := selection(t, "acme/tools", []string{"app"})
		_, err := db.PhaseSelected(t.Context(), w, catalog.Phasing{Percent: 10, Steps: []int{20}, Every: time.Hour}, start, func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return f.All, nil })
		return err
	}
	pushAll(t, root, deb(jammy, "app", "1"))
	if err := phase(db); err == nil {
		t.Error("it sets phases")
	}
	rights := []string{"UPDATE (stanza, phase) ON packages", "UPDATE ON releases", "INSERT ON publications", "INSERT, DELETE ON phases"}
	if err := phase(open(t, userOfAPI(t, s, url, "phases", rights...))); err != nil {
		t.Error(err)
	}
	all := held(t, root, deb(jammy, "waits", "1"), deb(jammy, "goes", "1"))
	train := open(t, userOfAPI(t, s, url, "trains", append(withdraw, "UPDATE ON trains", "DELETE ON train_uploads")...))
	if err := train.AskTrain(t.Context(), acme1, catalogdb.TrainAsk{At: time.Now().Add(time.Hour)}); err != nil {
		t.Error(err)
	}
	if cancelled, err := train.CancelTrain(t.Context(), acme1); err != nil || !cancelled {
		t.Errorf("cancelled: %v, %v", cancelled, err)
	}
	if dropped, err := train.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); err != nil || len(dropped) != len(all) {
		t.Errorf("dropped %+v, %v", dropped, err)
	}
	if err := db.AskTrain(t.Context(), acme1, catalogdb.TrainAsk{At: time.Now().Add(time.Hour)}); err == nil {
		t.Error("it publishes trains")
	}
	if err := db.AddTrust(t.Context(), trust("acme", "", gitlab, start)); err == nil {
		t.Error("it adds trusts")
	}
}

// deletes deletes a distribution, and brings it back by the second catalog alone: that needs one right more. So does it with packages.
func deletes(t *testing.T, db, wide *catalogdb.DB) {
	t.Helper()
	if _, _, err := db.Delete(t.Context(), jammyTarget, time.Hour, start); err != nil {
		t.Errorf("it does not delete: %v", err)
	}
	if _, _, err := db.Undelete(t.Context(), jammyTarget, start); err == nil {
		t.Error("it brings back what was deleted")
	}
	all := func(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil }
	back := selection(t, "acme/tools", []string{"back"})
	if s, _, err := wide.Undelete(t.Context(), jammyTarget, start); err != nil || s.DeletedPart(jammyTarget) != nil {
		t.Errorf("it does not bring back what was deleted: %v", err)
	}
	if done, err := db.YankSelected(t.Context(), back, catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "r"}}, start, all); err != nil || len(done.Packages) != 1 {
		t.Errorf("it does not withdraw %+v: %v", done, err)
	}
	if done, err := wide.UnyankSelected(t.Context(), back, start, all); err != nil || len(done.Packages) != 1 {
		t.Errorf("it does not restore %+v: %v", done, err)
	}
}

// The database user of the API needs to read, and to write tokens and the log. It cannot change what is published.
func TestMySQLUserOfTheAPI(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	root := open(t, url)
	declare(t, root, jammy)
	db := open(t, userOfAPI(t, s, url, "api"))
	end := after(time.Hour)
	token := apiToken("acme/tools", "ci", catalog.ScopePush)
	token.Expires = &end
	token = createToken(t, db, token, start)
	_, err := db.RevokeAPIToken(t.Context(), token.Target, "ci", start)
	if err := errors.Join(db.Ready(t.Context()), db.UseAPIToken(t.Context(), token.ID, start), err); err != nil {
		t.Error(err)
	}
	if lookUp(t, db, token.SHA256).Revoked == nil {
		t.Error("the token is live")
	}
	if lines := logOf(t, db, "acme/tools", start); len(lines) != 3 {
		t.Errorf("the log is %q", lines)
	}
	if _, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
		s.Visibility = catalog.Private
		return nil
	}); err == nil {
		t.Error("it changes settings")
	}
	queuePages(t, root, 9, start)
	if states, err := db.PageStates(t.Context()); err != nil || len(states) != 1 {
		t.Errorf("how far pages are behind: %+v, %v", states, err)
	}
	if err := db.AskPages(t.Context(), []catalog.Repository{tools}, start); err == nil {
		t.Error("it asks for all pages")
	}
	hello := deb(jammy, "hello", "1")
	activate(t, root, store(t, root, hello, "1"))
	if _, err := db.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err == nil || errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("it withdraws packages: %v", err)
	}
	if _, err := root.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err != nil {
		t.Errorf("who may withdraw them cannot: %v", err)
	}
}
