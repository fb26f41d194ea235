package packagecloud_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"repomill/serve"
	"repomill/serve/api"
)

type jsonMaster struct {
	Name, Value   string
	Paths         map[string]string
	SelfURL       string `json:"self_url"`
	ReadTokensURL string `json:"read_tokens_url"`
	ReadTokens    []jsonRead
}

type jsonRead struct {
	ID          int64
	Name, Value string
}

const masters = "/api/v1/repos/acme/vault/master_tokens"

// master makes a master token, and lets its holder in.
func (s *site) master(name string) (m jsonMaster) {
	s.t.Helper()
	s.makes(sent{"POST", "all", masters, isForm, "master_token[name]=" + url.QueryEscape(name)}, 201, &m)
	t, found, err := s.db.APITokenByDigest(s.t.Context(), serve.TokenDigest(m.Value))
	if err != nil || !found {
		s.t.Fatalf("found %v, %v", found, err)
	}
	principals[m.Value] = api.Principal{ID: t.ID, Name: "token " + name, Grants: []api.Grant{{Right: api.MakeTokens, Owner: "acme", Name: "vault"}}}
	return m
}

// Each path takes the number, the value and what lists show in its place.
func TestMasterTokensMakeReadTokens(t *testing.T) {
	s := newSite(t)
	m, other := s.master("hosts"), s.master("other")
	var r, host jsonRead
	s.makes(sent{"POST", "all", m.Paths["self"] + "/read_tokens.json", isForm, "read_token[name]=web-1"}, 201, &r)
	s.makes(sent{"POST", m.Value, masters + "/" + m.Value + "/read_tokens.json", isJSON, `{"read_token":{"name":"web-2"}}`}, 201, &host)
	var shown []jsonMaster
	s.makes(sent{"GET", m.Value, masters, "", ""}, 200, &shown)
	if len(shown) != 1 || shown[0].Name != "hosts" || strings.Contains(fmt.Sprint(shown), "rmt_") {
		t.Fatalf("its holder sees %+v", shown)
	}
	for _, id := range []string{strings.TrimPrefix(m.Paths["self"], masters+"/"), m.Value, shown[0].Value} {
		var list struct {
			ReadTokens []jsonRead `json:"read_tokens"`
		}
		s.makes(sent{"GET", "all", masters + "/" + id + "/read_tokens.json", "", ""}, 200, &list)
		if len(list.ReadTokens) != 2 || list.ReadTokens[0].ID != r.ID || list.ReadTokens[1].Name != "web-2" {
			t.Errorf("%s: %+v", id, list)
		}
		var one []jsonMaster
		s.makes(sent{"GET", "all", masters + "/" + id, "", ""}, 200, &one)
		if len(one) != 1 || one[0].ReadTokensURL != m.Paths["self"]+"/read_tokens" {
			t.Errorf("%s: %+v", id, one)
		}
	}
	set, err := s.db.Settings(t.Context(), vault)
	if err != nil || len(set.Tokens) != 2 || set.Tokens[0].SHA256 != serve.TokenDigest(r.Value) || !serve.IsToken(r.Value) {
		t.Errorf("the settings have %+v, %v", set.Tokens, err)
	}
	for _, id := range []string{fmt.Sprint(r.ID), host.Value} {
		s.makes(sent{"GET", "all", m.Paths["self"] + "/read_tokens/" + id, "", ""}, 200, nil)
		if status, _, _ := s.send(sent{"DELETE", "all", other.Paths["self"] + "/read_tokens/" + id, "", ""}); status != 404 {
			t.Errorf("as one of another master token: %d", status)
		}
		s.makes(sent{"DELETE", m.Value, m.Paths["self"] + "/read_tokens/" + id, "", ""}, 204, nil)
		if status, _, _ := s.send(sent{"DELETE", "all", m.Paths["self"] + "/read_tokens/" + id, "", ""}); status != 404 {
			t.Errorf("again: %d", status)
		}
	}
	var found []jsonMaster
	s.makes(sent{"GET", "all", masters + "/search?q=OTH", "", ""}, 200, &found)
	if len(found) != 1 || found[0].SelfURL != other.Paths["self"] {
		t.Errorf("found %+v", found)
	}
}

func TestDefaultMasterTokenIsReplaced(t *testing.T) {
	s := newSite(t)
	m, kept := s.master("default"), s.master("kept")
	s.makes(sent{"POST", "all", m.Paths["self"] + "/read_tokens.json", isForm, "read_token[name]=web-1"}, 201, nil)
	s.makes(sent{"POST", "all", kept.Paths["self"] + "/read_tokens.json", isForm, "read_token[name]=web-2"}, 201, nil)
	var next jsonMaster
	s.makes(sent{"DELETE", "all", m.Paths["self"], "", ""}, 200, &next)
	old, _, err := s.db.APITokenByDigest(t.Context(), serve.TokenDigest(m.Value))
	if err != nil || old.Revoked == nil || next.Name != "default" || next.Value == m.Value || !serve.IsToken(next.Value) || next.Paths["self"] == m.Paths["self"] {
		t.Errorf("replaced by %+v; the old one is %+v, %v", next, old, err)
	}
	if set, err := s.db.Settings(t.Context(), vault); err != nil || len(set.Tokens) != 1 || set.Tokens[0].Name != "web-2" {
		t.Errorf("left: %+v, %v", set.Tokens, err)
	}
}

// Hosts of one name have a token each.
func TestInstallScriptsGetTokens(t *testing.T) {
	s := newSite(t)
	m := s.master("hosts")
	const path = "/install/repositories/acme/vault/tokens.text"
	for range 2 {
		status, body, h := s.send(sent{"POST", m.Value, path, isForm, "os=ubuntu&dist=jammy&name=web-1"})
		if status != 201 || !serve.IsToken(body) || h.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Fatalf("got %d %s, %s", status, body, h.Get("Content-Type"))
		}
		set, err := s.db.Settings(t.Context(), vault)
		if err != nil || !strings.Contains(fmt.Sprint(set.Tokens), serve.TokenDigest(body)) {
			t.Errorf("the settings have %+v, %v", set.Tokens, err)
		}
	}
	set, err := s.db.Settings(t.Context(), vault)
	if err != nil || len(set.Tokens) != 2 || set.Tokens[0].Name != "web-1" || !strings.HasPrefix(set.Tokens[1].Name, "web-1-") || set.Tokens[0].Parent != set.Tokens[1].Parent {
		t.Errorf("the settings have %+v, %v", set.Tokens, err)
	}
	for _, tt := range []struct {
		fact string
		sent
		status int
	}{
		{"no name", sent{"POST", m.Value, path, isForm, "os=ubuntu"}, 422},
		{"a name of two lines", sent{"POST", m.Value, path, isForm, "name=a%0Ab"}, 422},
		{"a token that manages", sent{"POST", "all", path, isForm, "name=a"}, 403},
		{"a stranger", sent{"POST", "x", path, isForm, "name=a"}, 401},
		{"one without rights there", sent{"POST", "other", path, isForm, "name=a"}, 404},
		{"another repository", sent{"POST", m.Value, "/install/repositories/acme/none/tokens.text", isForm, "name=a"}, 404},
		{"to read", sent{"GET", m.Value, path, "", ""}, 405},
	} {
		if status, body, _ := s.send(tt.sent); status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.fact, status, body, tt.status)
		}
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	s := newSite(t)
	m := s.master("hosts")
	reads := m.Paths["self"] + "/read_tokens.json"
	s.makes(sent{"POST", "all", reads, isForm, "read_token[name]=web-1"}, 201, nil)
	for _, tt := range []struct {
		fact string
		sent
		answered
	}{
		{"a master token of a name that is taken", sent{"POST", "all", masters, isForm, "master_token[name]=hosts"}, answered{422, `{"name":["has already been taken"]}`}},
		{"of the name of a read token", sent{"POST", "all", masters, isForm, "master_token[name]=web-1"}, answered{422, `{"name":["has already been taken"]}`}},
		{"a read token of a name that is taken", sent{"POST", "all", reads, isForm, "read_token[name]=web-1"}, answered{422, `{"name":["has already been taken"]}`}},
		{"of the name of a master token", sent{"POST", "all", reads, isForm, "read_token[name]=hosts"}, answered{422, `{"name":["has already been taken"]}`}},
		{"no name", sent{"POST", "all", masters, isForm, "name="}, answered{422, `{"name":["can't be blank"]}`}},
		{"a long name", sent{"POST", "all", masters, isForm, "name=" + strings.Repeat("n", 256)}, answered{422, `{"name":["is too long (maximum is 255 bytes)"]}`}},
		{"a name that is a flag", sent{"POST", "all", reads, isForm, "name=--x"}, answered{422, `{"name":["begins with '-'"]}`}},
		{"a name that is not UTF-8", sent{"POST", "all", reads, isForm, "name=%ff"}, answered{422, `{"name":["has characters that cannot be printed"]}`}},
		{"no such master token", sent{"POST", "all", masters + "/99/read_tokens.json", isForm, "name=x"}, answered{404, `{"error":"not_found"}`}},
		{"of what was never issued", sent{"GET", "all", masters + "/" + "rmt_x", "", ""}, answered{404, `{"error":"not_found"}`}},
		{"deleted by its holder", sent{"DELETE", m.Value, m.Paths["self"], "", ""}, answered{403, `see repomill token create"}`}},
		{"made by a holder", sent{"POST", m.Value, masters, isForm, "name=x"}, answered{403, `see repomill token create"}`}},
		{"listed by who may push", sent{"GET", "pusher", "/api/v1/repos/acme/tools/master_tokens", "", ""}, answered{403, `see repomill token create"}`}},
		{"of a private repository of others", sent{"GET", "other", masters, "", ""}, answered{404, `{"error":"not_found"}`}},
		{"of a public repository of others", sent{"GET", "other", "/api/v1/repos/acme/tools/master_tokens", "", ""}, answered{403, `see repomill token create"}`}},
		{"a path that is longer", sent{"GET", "all", m.Paths["self"] + "/read_tokens/1/2", "", ""}, answered{404, `{"error":"not_found"}`}},
		{"another path", sent{"GET", "all", m.Paths["self"] + "/write_tokens", "", ""}, answered{404, `{"error":"not_found"}`}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if status, body, _ := s.send(tt.sent); status != tt.status || !strings.HasSuffix(body, tt.answered.body) {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.answered.body)
			}
		})
	}
}
