package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// What the API answers is so for clients at that moment: tokens open, and do not any more.
func TestTokensOfMasterTokens(t *testing.T) {
	t.Parallel()
	s, manage, _ := commandsSite(t)
	s.does(t, 0, "", "repo", "create", "acme/vault", "--distribution", "ubuntu/jammy", "--visibility", "private")
	opens := func(token string) int {
		return ask(t, http.MethodGet, strings.Replace(s.url, "http://", "http://"+token+":@", 1)+"/acme/vault/ubuntu/dists/jammy/InRelease").StatusCode
	}
	var master, read struct {
		ID    int64
		Value string
		Paths map[string]string
	}
	create := func(path, form string, v any) {
		t.Helper()
		status, body := s.ask(t, http.MethodPost, manage, path, form)
		if err := json.Unmarshal([]byte(body), v); err != nil || status != http.StatusCreated {
			t.Fatalf("%s: %d %s, %v", path, status, body, err)
		}
	}
	create(vault+"/master_tokens", "master_token[name]=customer", &master)
	create(master.Paths["self"]+"/read_tokens.json", "read_token[name]=web-1", &read)
	status, host := s.ask(t, http.MethodPost, master.Value, "/install/repositories/acme/vault/tokens.text", "os=ubuntu&dist=jammy&name=web-2")
	if status != http.StatusCreated {
		t.Fatalf("got %d %s", status, host)
	}
	if got := [3]int{opens(read.Value), opens(host), opens(master.Value)}; got != [3]int{302, 302, 401} {
		t.Errorf("read token, token of a host and master token: got %v", got)
	}
	if log := s.does(t, 0, "", "log", "acme/vault").Stdout; !strings.Contains(log, "token customer of acme/vault  token.create  acme/vault  web-2: opens the repository for reading") {
		t.Errorf("the log lacks who made the token of the host:\n%s", log)
	}
	if status, body := s.ask(t, http.MethodDelete, manage, master.Paths["self"], ""); status != http.StatusNoContent {
		t.Fatalf("got %d %s", status, body)
	}
	if got := [2]int{opens(read.Value), opens(host)}; got != [2]int{401, 401} {
		t.Errorf("after the master token was destroyed: got %v", got)
	}
	proctest.Eventually(t, "a destroyed master token makes no token", func() bool {
		status, _ := s.ask(t, http.MethodPost, master.Value, "/install/repositories/acme/vault/tokens.text", "name=web-3")
		return status == http.StatusUnauthorized
	})
}
