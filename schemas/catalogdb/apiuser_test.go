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

// The database user of the API needs to read, and to write tokens and the log. It cannot change what is published.
func TestMySQLUserOfTheAPI(t *testing.T) {
	s := mysqltest.NewServer(t)
	url := s.Database(t)
	root := open(t, url)
	declare(t, root, jammy)
	_, rest, _ := strings.Cut(url, "root@")
	name := rest[strings.IndexByte(rest, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	s.Exec(t, "CREATE USER api@localhost", "GRANT SELECT ON "+name+".* TO api@localhost",
		"GRANT INSERT, UPDATE, DELETE ON "+name+".api_tokens TO api@localhost", "GRANT INSERT ON "+name+".audit TO api@localhost")
	db := open(t, strings.Replace(url, "root@", "api@", 1))
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
	hello := deb(jammy, "hello", "1")
	activate(t, root, store(t, root, hello, "1"))
	if _, err := db.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err == nil || errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("it withdraws packages: %v", err)
	}
	if _, err := root.Yank(t.Context(), selectorOf(hello), catalog.Yank{Reason: "r"}, start); err != nil {
		t.Errorf("who may withdraw them cannot: %v", err)
	}
}
