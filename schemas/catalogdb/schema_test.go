package catalogdb_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"repomill/schemas/catalogdb"
)

// A catalog that lacks what a question asks for says what to do.
func TestAnOldSchemaSaysWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	db, err := catalogdb.Open("sqlite://" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check := func(lacks string) {
		t.Helper()
		_, err := db.Releases(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "the catalog's schema is older than this program, or there is none yet (") ||
			!strings.Contains(err.Error(), lacks) || !strings.Contains(err.Error(), "run repomill migrate with the same --catalog") {
			t.Errorf("without %s: got %v", lacks, err)
		}
	}
	check("no such table: releases")
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Releases(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec(`ALTER TABLE releases RENAME COLUMN fault TO gone`); err != nil {
		t.Fatal(err)
	}
	check("no such column: ")
}
