package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve"
	"repomill/serve/api"
)

// openCatalog opens the catalog of a site beside the program.
func (s *site) openCatalog(t *testing.T) *catalogdb.DB {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + s.data + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Tokens of the API are not those of repositories: each opens its own.
func TestTokensOfTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/secret", "--distribution", "ubuntu/jammy", "--visibility", "private")
	a := s.does(t, 0, "It is for the API alone, for acme/secret, with the scopes: manage push. It opens no repository",
		"token", "create", "acme/secret", "ci", "--scope", "push,manage", "--expires", "90d", "--by", "kim", "--public-url", "http://h:1/")
	token := strings.TrimSpace(a.Stdout)
	if !serve.IsToken(token) || a.Stdout != token+"\n" || strings.Contains(a.Stderr, token) ||
		!strings.Contains(a.Stderr, "curl -u TOKEN: -T FILE http://h:1/api/v1/upload/acme/secret/OS/VERSION/") {
		t.Errorf("got %v", a)
	}
	db := s.openCatalog(t)
	if kept, found, err := db.APITokenByDigest(t.Context(), serve.TokenDigest(token)); err != nil || !found || kept.By != "kim" || kept.Expires == nil {
		t.Errorf("the catalog has %+v, %v, %v", kept, found, err)
	}
	read := strings.TrimSpace(s.does(t, 0, "It opens acme/secret for reading", "token", "create", "acme/secret", "host", "--scope", "read").Stdout)
	as := func(token string) int {
		return ask(t, http.MethodGet, strings.Replace(s.url, "http://", "http://"+token+":@", 1)+"/acme/secret/ubuntu/dists/jammy/InRelease").StatusCode
	}
	if got := [2]int{as(token), as(read)}; got != [2]int{401, 302} {
		t.Errorf("a token of the API and one of the repository answer %v", got)
	}
	status, _, body := pusher{s.url, read}.do(t, http.MethodGet, "/api/v1/uploads/AAAAAAAAAAAAAAAAAAAAAAAAAA", "", nil)
	if status != http.StatusUnauthorized || !strings.Contains(string(body), "only opens a repository to clients") {
		t.Errorf("the API answers a token for reading with %d: %s", status, body)
	}
	if _, found, err := db.APITokenByDigest(t.Context(), serve.TokenDigest(read)); found || err != nil {
		t.Errorf("a read token is one of the API: %v", err)
	}
	s.does(t, 1, `repository acme/secret has a token "ci" already`, "token", "create", "acme/secret", "ci")
	s.does(t, 1, `repository acme/secret has a token "host" already`, "token", "create", "acme/secret", "host", "--scope", "push")

	list := s.does(t, 0, "", "token", "list", "acme/secret").Stdout
	for _, row := range []string{"host acme/secret read", "ci acme/secret API: manage push"} {
		if !strings.Contains(strings.Join(strings.Fields(list), " "), row) {
			t.Errorf("the list lacks %q:\n%s", row, list)
		}
	}
	s.does(t, 0, "", "token", "revoke", "acme/secret", "ci")
	s.does(t, 0, "", "token", "revoke", "acme/secret", "host")
	s.does(t, 1, `repository acme/secret has no token "ci"; repomill token list acme/secret`, "token", "revoke", "acme/secret", "ci")
	if list := s.does(t, 0, "", "token", "list", "acme/secret").Stdout; list != "acme/secret has no tokens\n" {
		t.Errorf("left: %s", list)
	}
	if list := s.does(t, 0, "", "token", "list", "acme/secret", "--revoked", "--json").Stdout; !strings.Contains(list, `"revoked":"`) || strings.Contains(list, serve.TokenDigest(token)) {
		t.Errorf("with the revoked ones: %s", list)
	}
	if got := as(read); got != 401 {
		t.Errorf("a revoked read token answers %d", got)
	}
}

func TestTokensOfOwnersAndAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	if a := s.does(t, 0, "", "token", "list"); a.Stdout != "there are no tokens yet\n" {
		t.Error(a)
	}
	s.does(t, 2, "say with --scope what a token of the API for acme may do", "token", "create", "acme", "ci")
	s.does(t, 2, "--scope", "token", "create", "acme", "ci", "--scope", "admin")
	s.does(t, 2, `target "acme/tools/ubuntu"`, "token", "create", "acme/tools/ubuntu", "ci", "--scope", "push")
	s.does(t, 1, "did you mean acme/tools?", "token", "create", "acme/tols", "ci", "--scope", "push")
	said := s.does(t, 0, "for all repositories of acme,", "token", "create", "acme", "release", "--scope", "push", "--scope", "manage").Stderr
	if line := "repomill-client push --wait --server " + s.url + " acme/NAME/OS/VERSION FILE"; !strings.Contains(said, line) {
		t.Errorf("it does not say %q: %s", line, said)
	}
	s.does(t, 0, "for all repositories,", "token", "create", "all", "watch", "--scope", "read")
	s.does(t, 0, "for all repositories of other,", "token", "create", "other", "ci", "--scope", "push")
	for target, want := range map[string]string{"acme/tools": "watch release", "acme": "watch release", "other": "watch ci", "": "watch release ci"} {
		args := []string{"token", "list", "--json"}
		if target != "" {
			args = append(args, target)
		}
		var names []string
		for line := range strings.Lines(s.does(t, 0, "", args...).Stdout) {
			var token struct{ Name string }
			if err := json.Unmarshal([]byte(line), &token); err != nil {
				t.Fatal(err)
			}
			names = append(names, token.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("tokens of %q: %s, want %s", target, got, want)
		}
	}
	a := s.does(t, 0, "", "token", "revoke", "acme", "release")
	if want := `revoked: the API refuses token "release" of acme, within ` + api.TokenAge.String() + "\n"; a.Stdout != want {
		t.Errorf("got %q, want %q", a.Stdout, want)
	}
	s.does(t, 1, `owner acme has no token "release"`, "token", "revoke", "acme", "release")
	s.does(t, 1, `what is for all repositories has no token "x"`, "token", "revoke", "all", "x")
}

// A master token ends with all that it made, also in the resolver.
func TestMasterTokenEndsWhatItMade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/secret", "--distribution", "ubuntu/jammy", "--visibility", "private")
	master := strings.TrimSpace(s.does(t, 0, "", "token", "create", "acme/secret", "master", "--scope", "tokens").Stdout)
	db := s.openCatalog(t)
	of, _, err := db.APITokenByDigest(t.Context(), serve.TokenDigest(master))
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimSpace(s.does(t, 0, "", "token", "create", "acme/secret", "host").Stdout)
	adopt(t, db, "host", of.ID) // as the API does that makes it
	as := func() int {
		return ask(t, http.MethodGet, strings.Replace(s.url, "http://", "http://"+host+":@", 1)+"/acme/secret/ubuntu/dists/jammy/InRelease").StatusCode
	}
	if got := as(); got != 302 {
		t.Errorf("before: %d", got)
	}
	a := s.does(t, 0, "", "token", "revoke", "acme/secret", "master")
	if !strings.HasSuffix(a.Stdout, "revoked: resolvers refuse the tokens of acme/secret that it made\n") {
		t.Error(a)
	}
	if got := as(); got != 401 {
		t.Errorf("token revoke has returned, and what the token made answers %d", got)
	}
}

// adopt makes a token of acme/secret one that another token made.
func adopt(t *testing.T, db *catalogdb.DB, name, parent string) {
	t.Helper()
	_, err := db.ChangeSettings(t.Context(), catalog.Repository{Owner: "acme", Name: "secret"}, time.Now(), func(s *catalog.Settings) error {
		for i := range s.Tokens {
			if s.Tokens[i].Name == name {
				s.Tokens[i].Parent = parent
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
