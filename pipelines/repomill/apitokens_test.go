package main_test

import (
	"encoding/json"
	"net/http"
	"os"
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

// A change is recorded where no worker runs, and the answer says that clients do not see it.
func TestChangesWithoutAWorker(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	if err := os.Mkdir(data+"/staging", 0o755); err != nil {
		t.Fatal(err)
	}
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	p, token := beginAPI(t, data, "127.0.0.1:0"), apiToken(t, data, "acme", "ci", "manage")
	a := proctest.Run(t, nil, "curl", "-sS", "-i", "-u", token+":", "-F", "repository[name]=vault", "http://"+addressIn(t, p, "listen")+"/api/v1/repos.json")
	head, body, _ := strings.Cut(a.Stdout, "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 201 ") || !strings.Contains(head, "\r\nX-Publish-Pending: yes") || !strings.Contains(body, `{"url":"https://packages.example/acme/vault"}`) {
		t.Errorf("got %v", a)
	}
	if a := repomill(t, "repo", "list", "--catalog", "sqlite://"+data+"/catalog.db"); !strings.Contains(a.Stdout, "acme/vault") {
		t.Errorf("it is not recorded: %v", a)
	}
}
