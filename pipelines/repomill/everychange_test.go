package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// Commands that change nothing that the audit log is about: servers, what looks, what counts, and a push, which has a line of its own in the log.
var changeNothing = []string{
	"up", "worker", "api", "migrate", "push", "status", "ls", "hint", "check", "doctor", "diff", "log", "audit", "stats show", "stats run", "snapshot list", "retain list", "retain plan",
	"train list", "train show", "train plan", "repo list", "key list", "key status", "key plan", "token list", "trust list", "reindex list",
}

var leafLine = regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)  +[A-Z]`)

// A changing is a command that changes something, and the actions that the audit log has of it: each once for each target.
type changing struct {
	command string
	args    []string
	before  func(s *site)
	code    int
	want    []string // "action target", in order
}

// Every command that changes something leaves its entries in the audit log, with who and why, each once. No command is left out here.
func TestL6EveryChangeHasItsAuditRow(t *testing.T) {
	t.Parallel()
	s, _, standby := newKeySite(t)
	dir, token, trust := t.TempDir(), "", ""
	const life, stable, jammy = "acme/life", "acme/stable", "acme/life/ubuntu/jammy"
	deb := func(name, version string) packageFile { return newDEB(t, debtest.Spec{Name: name, Version: version}) }
	plan := filepath.Join(dir, "plan.json")
	steps := []changing{
		{command: "repo create", args: []string{life, "--distribution", "ubuntu/jammy"}, want: []string{"repo.create " + life, "repo.declare " + jammy}},
		{command: "repo create", args: []string{stable, "--visibility", "private", "--distribution", "ubuntu/jammy"}, want: []string{"repo.create " + stable, "repo.declare " + stable + "/ubuntu/jammy"}},
		{command: "repo set", args: []string{life, "--description", "of the tests"}, want: []string{"repo.set " + life}},
		{command: "snapshot create", args: []string{life, "--name", "first"}, before: func(s *site) {
			s.publish(t, jammy, deb("a", "1.0"), deb("a", "2.0"), deb("b", "1.0"))
		}, want: []string{"snapshot.create " + life}},
		{command: "snapshot schedule", args: []string{stable, "weekly", "--keep", "2"}, want: []string{"repo.set " + stable}},
		{command: "phase", args: []string{jammy, "b=1.0", "10%"}, want: []string{"package.phase " + jammy + "/main"}},
		{command: "promote", args: []string{life, stable, "a=1.0"}, want: []string{"package.promote " + jammy + "/main", "package.promote " + stable + "/ubuntu/jammy/main"}},
		{command: "yank", args: []string{life, "a=2*"}, want: []string{"package.yank " + jammy + "/main"}},
		{command: "unyank", args: []string{life, "a=2*"}, want: []string{"package.unyank " + jammy + "/main"}},
		{command: "apply", args: []string{plan}, before: func(s *site) {
			s.does(t, 5, "", "yank", life, "b", "--reason", "planned", "--dry-run", "--plan", plan)
		}, want: []string{"package.yank " + jammy + "/main"}},
		{command: "rollback", args: []string{life, "--to", "first"}, want: []string{"package.rollback " + life, "package.unyank " + jammy + "/main"}},
		{command: "snapshot delete", args: []string{life, "first"}, want: []string{"snapshot.delete " + life}},
		{command: "retain set", args: []string{life, "--newest", "1"}, want: []string{"repo.set " + life}},
		{command: "retain run", args: []string{life}, before: func(s *site) { s.age(t, life, 60*24*time.Hour); s.forgetUnyanks(t) },
			want: []string{"package.retain " + life, "package.yank " + jammy + "/main"}},
		{command: "train publish", args: []string{"acme/1", "--at", "2099-01-01"}, before: func(s *site) { s.hold(t, "1", jammy, deb("c", "1.0")) }, want: []string{"train.ask " + life}},
		{command: "train publish", args: []string{"acme/1", "--cancel"}, want: []string{"train.cancel " + life}},
		{command: "train publish", args: []string{"acme/1"}, want: []string{"train.ask " + life, "train.publish " + life}},
		{command: "train drop", args: []string{"acme/2"}, before: func(s *site) { s.hold(t, "2", jammy, deb("d", "1.0")) }, want: []string{"train.drop " + life}},
		{command: "token create", args: []string{life, "ci", "--scope", "push"}, want: []string{"token.create " + life}},
		{command: "token revoke", args: []string{life, "ci"}, want: []string{"token.revoke " + life}},
		{command: "trust add", args: []string{life, "--issuer", "https://gitlab.acme.example", "--audience", "packages.acme.example", "--claim", "project_path=acme/life", "--claim", "ref_protected=true"},
			want: []string{"trust.add " + life}},
		{command: "trust remove", args: []string{"TRUST"}, want: []string{"trust.remove " + life}},
		{command: "reindex run", args: []string{jammy}, want: []string{"reindex.ask " + jammy}},
		{command: "repo delete", args: []string{stable, "--yes"}, want: []string{"repo.delete " + stable}},
		{command: "repo undelete", args: []string{stable}, want: []string{"repo.undelete " + stable}},
		{command: "key add", want: []string{"keys.change all"}},
		{command: "key promote", args: []string{standby, "--force"}, want: []string{"keys.change all"}},
	}
	seen := map[string]bool{}
	for n, x := range steps {
		if x.before != nil {
			x.before(s)
		}
		seen[x.command] = true
		who, args := fmt.Sprint("who-", n), slices.Concat(strings.Fields(x.command), x.args)
		if i := slices.Index(args, "TRUST"); i >= 0 {
			args[i] = trust
		}
		args = append(args, "--by", who)
		switch x.command {
		case "apply", "reindex run": // a plan has its reason
		case "yank":
			args = append(args, "--reason", "because "+who)
		default:
			args = append(args, "--why", "because "+who)
		}
		a := s.does(t, x.code, "", args...)
		if x.command == "token create" {
			token = strings.TrimSpace(a.Stdout)
		}
		if x.command == "trust add" {
			trust = strings.TrimSpace(a.Stdout)
		}
		if diff := cmp.Diff(x.want, s.entriesBy(t, who, slices.Contains(args, "because "+who))); diff != "" {
			t.Errorf("%q in the audit log (-want +got):\n%s", args, diff)
		}
	}
	if a := s.does(t, 0, "", "log"); token == "" || strings.Contains(a.Stdout, token) {
		t.Error("the log has the secret of a token")
	}
	// These need what would take minutes here: their entries are in TestReindexCancelled, TestKeyExtend and TestKeyRotation.
	elsewhere := []string{"reindex cancel", "key extend", "key retire"}
	for _, m := range leafLine.FindAllStringSubmatch(repomill(t, "--help").Stdout, -1) {
		if known := seen[m[1]] || slices.Contains(elsewhere, m[1]); known == slices.Contains(changeNothing, m[1]) {
			t.Errorf("repomill %s: it is not in this test: add what the audit log has of it, or say that it changes nothing", m[1])
		}
	}
}

// entriesBy returns the entries of the audit log by a user, and checks that they say why.
func (s *site) entriesBy(t *testing.T, who string, why bool) (entries []string) {
	t.Helper()
	for line := range strings.Lines(s.does(t, 0, "", "log", "--json").Stdout) {
		var e catalog.AuditEntry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.By != who || e.Action == catalog.ActionUpload {
			continue
		}
		entries = append(entries, string(e.Action)+" "+e.Target)
		if why && !strings.Contains(e.Why, "because "+who) && e.Why != catalog.Expired {
			t.Errorf("the entry %+v does not say why", e)
		}
	}
	slices.Sort(entries)
	return entries
}

// forgetUnyanks has rules of retention not see that packages were brought back a moment ago.
func (s *site) forgetUnyanks(t *testing.T) {
	t.Helper()
	spoil(t, s.data, `DELETE FROM unyanks`)
}
