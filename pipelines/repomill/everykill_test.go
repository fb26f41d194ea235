package main_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A killed is an operation that is accepted, and whose program is killed before or while it carries it out.
type killed struct {
	name    string
	before  func(s *site)
	args    []string
	life    string // packages of acme/life afterwards, as name=version
	vault   string // and of acme/vault
	entries []string
	done    func(s *site) bool // besides packages; nil for nothing
}

// Each operation is accepted with --no-wait, and the program is killed at once, or some milliseconds later. The next one completes the operation,
// without a command: clients see its result and nothing else, and the audit log has it once.
func TestL1EveryOperationOutlivesAKill(t *testing.T) {
	t.Parallel()
	const jammy = "acme/life/ubuntu/jammy"
	data := proctest.OpenDir(t)
	s := restart(t, data)
	for _, of := range []string{"acme/life", "acme/vault"} {
		visibility := map[string]string{"acme/life": "public", "acme/vault": "private"}[of]
		s.does(t, 0, "", "repo", "create", of, "--visibility", visibility, "--distribution", "ubuntu/jammy,el/9")
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "a", Version: "1.0"}), newDEB(t, debtest.Spec{Name: "a", Version: "2.0"}), newDEB(t, debtest.Spec{Name: "b"}))
	s.publish(t, "acme/life/el/9", newRPM(t, rpmtest.Spec{Name: "c", Arch: "noarch"}))
	const all = "a=1.0 a=2.0 b=1.0 c=1.0-1"
	held := func(train, name string) func(s *site) {
		return func(s *site) {
			s.hold(t, train, jammy, newDEB(t, debtest.Spec{Name: name}))
			s.hold(t, train, "acme/vault/ubuntu/jammy", newDEB(t, debtest.Spec{Name: name}))
		}
	}
	for i, x := range []killed{
		{name: "a snapshot", args: []string{"snapshot", "create", "acme/life", "--name", "first"}, life: all, entries: []string{"snapshot.create acme/life"}, done: func(s *site) bool { return s.keeps(t, "first") }},
		{name: "a promotion", args: []string{"promote", "acme/life", "acme/vault", "a=1.0", "c=1.0-1"}, life: all, vault: "a=1.0 c=1.0-1",
			entries: []string{"package.promote acme/life/el/9", "package.promote " + jammy + "/main", "package.promote acme/vault/el/9", "package.promote acme/vault/ubuntu/jammy/main"}},
		{name: "a move", args: []string{"promote", "acme/life", "acme/vault", "b=1.0", "--move"}, life: "a=1.0 a=2.0 c=1.0-1", vault: "a=1.0 b=1.0 c=1.0-1",
			entries: []string{"package.promote " + jammy + "/main", "package.promote acme/vault/ubuntu/jammy/main", "package.yank " + jammy + "/main"}},
		{name: "a yank with patterns", args: []string{"yank", "acme/life", "[ac]", "--all", "--reason", "bad"}, vault: "a=1.0 b=1.0 c=1.0-1",
			entries: []string{"package.yank acme/life/el/9", "package.yank " + jammy + "/main", "package.yank " + jammy + "/main"}},
		{name: "an unyank with patterns", args: []string{"unyank", "acme/life", "a"}, life: "a=1.0 a=2.0", vault: "a=1.0 b=1.0 c=1.0-1",
			entries: []string{"package.unyank " + jammy + "/main", "package.unyank " + jammy + "/main"}},
		{name: "a rollback", args: []string{"rollback", "acme/life", "--to", "first"}, life: all, vault: "a=1.0 b=1.0 c=1.0-1",
			entries: []string{"package.rollback acme/life", "package.unyank acme/life/el/9", "package.unyank " + jammy + "/main"}},
		{name: "a phase", args: []string{"phase", jammy, "a=2.0", "10%"}, life: all, vault: "a=1.0 b=1.0 c=1.0-1", entries: []string{"package.phase " + jammy + "/main"},
			done: func(s *site) bool {
				return strings.Contains(s.indexOf(t, "acme/life"), "Phased-Update-Percentage: 10\n")
			}},
		{name: "a run of retention", before: func(s *site) {
			s.does(t, 0, "", "phase", jammy, "a=2.0", "100%") // below, it pushes nothing out
			s.does(t, 0, "", "retain", "set", "acme/life", "--newest", "1")
			s.age(t, "acme/life", 60*24*time.Hour)
			s.forgetUnyanks(t)
		}, args: []string{"retain", "run", "acme/life"}, life: "a=2.0 b=1.0 c=1.0-1", vault: "a=1.0 b=1.0 c=1.0-1", entries: []string{"package.retain acme/life", "package.yank " + jammy + "/main"}},
		{name: "a release train", before: held("1", "t"), args: []string{"train", "publish", "acme/1"}, life: "a=2.0 b=1.0 c=1.0-1 t=1.0", vault: "a=1.0 b=1.0 c=1.0-1 t=1.0",
			entries: []string{"train.ask acme/life", "train.ask acme/vault", "train.publish acme/life", "train.publish acme/vault"}},
		{name: "the drop of a release train", before: held("2", "u"), args: []string{"train", "drop", "acme/2"}, life: "a=2.0 b=1.0 c=1.0-1 t=1.0", vault: "a=1.0 b=1.0 c=1.0-1 t=1.0",
			entries: []string{"train.drop acme/life", "train.drop acme/vault"}, done: func(s *site) bool { return !s.has("acme/life/ubuntu/pool/jammy/main/u/u/u_1.0_all.deb") }},
		{name: "the deletion of a repository", args: []string{"repo", "delete", "acme/life", "--yes"}, vault: "a=1.0 b=1.0 c=1.0-1 t=1.0", entries: []string{"repo.delete acme/life"}},
		{name: "its return", args: []string{"repo", "undelete", "acme/life"}, life: "a=2.0 b=1.0 c=1.0-1 t=1.0", vault: "a=1.0 b=1.0 c=1.0-1 t=1.0", entries: []string{"repo.undelete acme/life"}},
		{name: "the deletion of a snapshot", args: []string{"snapshot", "delete", "acme/life", "first"}, life: "a=2.0 b=1.0 c=1.0-1 t=1.0", vault: "a=1.0 b=1.0 c=1.0-1 t=1.0",
			entries: []string{"snapshot.delete acme/life"}, done: func(s *site) bool { return !s.keeps(t, "first") }},
	} {
		if x.before != nil {
			x.before(s)
		}
		who := fmt.Sprint("who-", i)
		args := append(slices.Clone(x.args), "--by", who)
		s.does(t, 0, "", append(args, "--no-wait")...)
		time.Sleep(time.Duration(i%4) * 15 * time.Millisecond)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		s = restart(t, data)
		s.completes(t, x)
		if diff := cmp.Diff(x.entries, s.entriesBy(t, who, false)); diff != "" {
			t.Errorf("%s in the audit log (-want +got):\n%s", x.name, diff)
		}
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// completes waits until clients see the result of an operation.
func (s *site) completes(t *testing.T, x killed) {
	t.Helper()
	said := ""
	proctest.Eventually(t, x.name+" is done", func() bool {
		said = ""
		for _, r := range s.status(t, "acme").Releases {
			if r.Published != r.Revision {
				said += r.Release + " is behind; "
			}
		}
		for of, want := range map[string]string{"acme/life": x.life, "acme/vault": x.vault} {
			if got := s.named(t, of); got != want {
				said += fmt.Sprintf("%s has %q, want %q; ", of, got, want)
			}
		}
		return said == "" && (x.done == nil || x.done(s))
	})
	if said != "" {
		t.Errorf("%s: %s", x.name, said)
	}
}

// named returns the packages of a repository as the catalog has them active, each once.
func (s *site) named(t *testing.T, repository string) string {
	t.Helper()
	var all []string
	for _, dist := range []string{"ubuntu/jammy", "el/9"} {
		for _, k := range s.packagesOf(t, repository+"/"+dist) {
			all = append(all, k.Name+"="+k.Version)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// packagesOf returns the active packages of a distribution.
func (s *site) packagesOf(t *testing.T, target string) (all []catalog.Package) {
	t.Helper()
	for line := range strings.Lines(repomill(t, "ls", "--data", s.data, "--json", target).Stdout) {
		var k catalog.Package
		if err := json.Unmarshal([]byte(line), &k); err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	return all
}

// keeps reports whether acme/life has a snapshot of a name.
func (s *site) keeps(t *testing.T, name string) bool {
	t.Helper()
	for line := range strings.Lines(repomill(t, "snapshot", "list", "acme/life", "--data", s.data, "--json").Stdout) {
		var one listedSnapshot
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		if one.Name == name {
			return one.State == "kept"
		}
	}
	return false
}

// has reports whether an object is in the bucket.
func (s *site) has(key string) bool {
	_, err := os.Stat(s.data + "/bucket/" + key)
	return err == nil
}

// indexOf returns the plain index of jammy in a repository.
func (s *site) indexOf(t *testing.T, repository string) string {
	t.Helper()
	f, err := os.Open(s.data + "/bucket/" + repository + "/ubuntu/dists/jammy/main/binary-amd64/Packages.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "" // it is being replaced
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return ""
	}
	return string(text)
}
