package catalogdb_test

import (
	"slices"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func descriptions(t *testing.T, db *catalogdb.DB) {
	create(t, db, catalog.Settings{Repository: lab, Description: "trials"})
	if got := settingsOf(t, db, lab).Description; got != "trials" {
		t.Errorf("created with %q", got)
	}
	longest := strings.Repeat("🛠", catalog.MaxDescription)
	declare(t, db, jammy)
	set := func(text string) error {
		_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
			s.Description = text
			return nil
		})
		return err
	}
	for _, text := range []string{`<b>"größer" & 日本語</b>`, longest, ""} {
		before := settingsOf(t, db, tools).Revision
		err := set(text)
		got := settingsOf(t, db, tools)
		if err != nil || got.Description != text || got.Revision.Number != before.Number+1 {
			t.Errorf("got %q at %s after %s, %v; want %q", got.Description, got.Revision, before, err, text)
		}
		if err := set(text); err != nil || settingsOf(t, db, tools).Revision != got.Revision {
			t.Errorf("the same text again: revision %s, was %s, %v", settingsOf(t, db, tools).Revision, got.Revision, err)
		}
	}
	if err := set("two\nlines"); err == nil || !strings.Contains(err.Error(), "one line of printable UTF-8") {
		t.Errorf("two lines: %v", err)
	}
	var logged []string
	for e, err := range db.Log(t.Context(), catalog.Target{Owner: "acme"}, start) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionRepoCreate || e.Action == catalog.ActionRepoSet {
			logged = append(logged, e.Detail)
		}
	}
	for _, want := range []string{`public, description "trials"`, `description: "<b>\"größer\" & 日本語</b>", was none`, `description: none, was "` + longest + `"`} {
		if !slices.Contains(logged, want) {
			t.Errorf("the log has no %q:\n%s", want, strings.Join(logged, "\n"))
		}
	}
}
