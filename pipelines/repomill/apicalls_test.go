package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// A contractCall is a call of packagecloud's API, in the order in which a caller could make them. Names in capitals stand for what
// earlier answers had.
type contractCall struct {
	method, path, body string // a form
	status             int
	answer             string // what the answer begins with, without its ID, or nothing
}

const vault = "/api/v1/repos/acme/vault"

var contractCalls = []contractCall{
	{"GET", "/api/v1/gem_version.json", "", 200, `{"major":`},
	{"GET", "/api/v1/token.json", "", 200, `{"token":"rmt_`},
	{"GET", "/api/v1/distributions.json", "", 200, `{"deb":[{"display_name":`},
	{"GET", "/api/v1/distributions", "", 200, `{"deb":[{"display_name":`},
	{"POST", "/api/v1/repos.json", "repository[name]=vault&repository[private]=1", 201, `{"url":"`},
	{"POST", "/api/v1/repos.json", "repository[name]=vault", 422, `{"name":["has already been taken"]}`},
	{"GET", "/api/v1/repos", "", 200, `[{"name":"tools",`},
	{"GET", "/api/v1/repos.json?include_collaborations=1", "", 200, `[{"name":"tools",`},
	{"GET", "/api/v1/repos/acme/tools", "", 200, `{"name":"tools",`},
	{"GET", "/api/v1/repos/acme/tools.json", "", 200, `{"name":"tools",`},
	{"GET", "/api/v1/repos/acme/none.json", "", 404, `{"error":"not_found"}`},
	{"GET", "/api/v1/repos/acme/tools/packages.json", "", 200, `[{"name":"hello",`},
	{"GET", "/api/v1/repos/acme/tools/packages/deb.json", "", 200, `[{"name":"hello",`},
	{"GET", "/api/v1/repos/acme/tools/packages/deb/ubuntu/*/amd64.json", "", 200, `[{"name":"hello",`},
	{"GET", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0.json", "", 200, `{"name":"hello",`},
	{"GET", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/versions.json", "", 200, `[{"name":"hello",`},
	{"GET", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0/stats/downloads/count.json", "", 200, `{"value":0}`},
	{"GET", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0/stats/downloads/detail.json", "", 200, `[]`},
	{"GET", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0/stats/downloads/series/daily.json?start_date=20000101Z", "", 200, `{"value":{}}`},
	{"GET", "/api/v1/repos/acme/tools/stats/installs/count.json", "", 200, `{"value":0}`},
	{"GET", "/api/v1/repos/acme/tools/search.json?q=hello", "", 200, `[{"name":"hello",`},
	{"GET", vault + "/gpg_keys.json", "", 200, `{"gpg_keys":[{"self":"/api/v1/repos/acme/vault/gpg_keys/acme-vault-`},
	{"POST", vault + "/gpg_keys.json", "gpg_key[keydata]=KEYDATA", 201, `{"self":"/api/v1/repos/acme/vault/gpg_keys/acme-vault-`},
	{"POST", vault + "/gpg_keys.json", "gpg_key[keydata]=x", 422, `{"error":["gpg_key[keydata] is not a public key: `},
	{"GET", vault + "/gpg_keys/KEYNAME.json", "", 200, `{"self":"/api/v1/repos/acme/vault/gpg_keys/acme-vault-`},
	{"DELETE", vault + "/gpg_keys/KEYNAME.json", "", 204, ``},
	{"DELETE", vault + "/gpg_keys/KEYNAME.json", "", 404, `{"error":"not_found"}`},
	{"POST", vault + "/master_tokens", "master_token[name]=default", 201, `{"name":"default","value":"rmt_`},
	{"POST", vault + "/master_tokens", "master_token[name]=default", 422, `{"name":["has already been taken"]}`},
	{"GET", vault + "/master_tokens", "", 200, `[{"name":"default","value":"shown-once-`},
	{"GET", vault + "/master_tokens/search?q=def", "", 200, `[{"name":"default","value":"shown-once-`},
	{"GET", vault + "/master_tokens/MASTER", "", 200, `[{"name":"default","value":"shown-once-`},
	{"POST", vault + "/master_tokens/MASTER/read_tokens.json", "read_token[name]=web-1", 201, `{"id":`},
	{"GET", vault + "/master_tokens/MASTER/read_tokens.json", "", 200, `{"read_tokens":[{"id":`},
	{"GET", vault + "/master_tokens/MASTER/read_tokens/READ", "", 200, `{"id":`},
	{"DELETE", vault + "/master_tokens/MASTER/read_tokens/READ", "", 204, ``},
	{"POST", "/install/repositories/acme/vault/tokens.text", "os=ubuntu&dist=jammy&name=web-2", 201, `rmt_`},
	{"DELETE", vault + "/master_tokens/MASTER", "", 200, `{"name":"default","value":"rmt_`},
	{"POST", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/phase.json", "phase=10%25&why=new+parser", 200, `{"place":"acme/tools/ubuntu/jammy/main","source":"hello","version":"1.0","percent":10,"packages":1,"since":"`},
	{"GET", "/api/v1/repos/acme/tools/phases.json", "", 200, `[{"place":"acme/tools/ubuntu/jammy/main","source":"hello","version":"1.0","percent":10,"packages":1,"since":"`},
	{"POST", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/phase.json", "phase=stop", 422, `{"phase":["is a percentage from 0% to 100%`},
	{"POST", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/promote.json", "destination=acme/weekly", 200, `{"name":"hello",`},
	{"POST", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/promote.json", "destination=acme/weekly", 422, `{"filename":["has already been taken"]}`},
	{"POST", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb/promote.json", "destination=acme/none", 404, `{"error":["not_found: `},
	{"DELETE", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb", "", 200, `{}`},
	{"DELETE", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0_amd64.deb", "", 404, `{"error":["not_found: `},
}

var secrets = regexp.MustCompile(`rmt_[0-9A-Za-z]+`)

// Every call of packagecloud's API has its answer. With -v the answers are printed as a table:
//
//	go test -v -run TestContractCalls ./pipelines/repomill
func TestContractCalls(t *testing.T) {
	t.Parallel()
	s, _, keyFile := commandsSite(t)
	token := apiToken(t, s.data, "acme", "releases", "manage,push")
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "hello", Version: "1.0", Arch: "amd64"}))
	s.publish(t, "acme/weekly/ubuntu/jammy", newDEB(t, debtest.Spec{Name: "other"}))
	key, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"KEYDATA": url.QueryEscape(string(key))}
	var table strings.Builder
	for _, c := range contractCalls {
		who := token
		if strings.HasPrefix(c.path, "/install/") {
			who = names["MASTERVALUE"]
		}
		path, form := fill(c.path, names), fill(c.body, names)
		status, body := s.ask(t, c.method, who, path, form)
		if status != c.status || !strings.HasPrefix(body, c.answer) {
			t.Errorf("%s %s: got %d %.300s; want %d %s", c.method, path, status, body, c.status, c.answer)
		}
		remember(names, status, []byte(body))
		shown := secrets.ReplaceAllString(strings.ReplaceAll(body, s.url, "https://H"), "rmt_…")
		fmt.Fprintf(&table, "| `%s %s` | %s | %d | `%s` |\n", c.method, c.path, c.body, status, cutText(shown, 120))
	}
	t.Logf("\n| call | form | status | body |\n|---|---|---|---|\n%s", table.String())
}

// cutText returns the beginning of a text, as a cell of a table has it.
func cutText(s string, n int) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "|", `\|`)
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// fill replaces the names in a text, the longer ones first.
func fill(s string, names map[string]string) string {
	all := make([]string, 0, len(names))
	for name := range names {
		all = append(all, name)
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, name := range all {
		s = strings.ReplaceAll(s, name, names[name])
	}
	return s
}

// ask makes a call of the API with a form.
func (s *site) ask(t *testing.T, method, token, path, form string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(token, "")
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("X-Publish-Pending") != "" {
		t.Errorf("%s %s: clients do not see it", method, path)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}
