package packagecloud_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

// A sent is a call with a body.
type sent struct{ method, token, path, kind, body string }

const (
	isForm = "application/x-www-form-urlencoded"
	isJSON = "application/json"
)

func (s *site) send(c sent) (status int, body string, h http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), c.method, s.url+c.path, strings.NewReader(c.body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.SetBasicAuth(c.token, "")
	if c.kind != "" {
		req.Header.Set("Content-Type", c.kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(b.String()), res.Header
}

// makes makes a call that has to succeed, and reads its answer into v.
func (s *site) makes(c sent, status int, v any) {
	s.t.Helper()
	got, body, _ := s.send(c)
	if got != status {
		s.t.Fatalf("%s %s: %d %s, want %d", c.method, c.path, got, body, status)
	}
	if err := json.Unmarshal([]byte(body), v); v != nil && err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
}

type answered struct {
	status int
	body   string // or the end of it
}

func TestRepositoriesAreCreated(t *testing.T) {
	s := newSite(t)
	for _, tt := range []struct {
		fact string
		sent
		answered
	}{
		{"by JSON, as documented", sent{"POST", "other", "/api/v1/repos.json", isJSON, `{"repository":{"name":"one","private":"1"}}`}, answered{201, `{"url":"https://packages.example/other/one"}`}},
		{"by a form", sent{"POST", "other", "/api/v1/repos", isForm, "repository[name]=two&repository[private]=0"}, answered{201, `{"url":"https://packages.example/other/two"}`}},
		{"with the names of the parameter list", sent{"POST", "other", "/api/v1/repos.json", isForm, "name=three&private=true"}, answered{201, `other/three"}`}},
		{"by the one repository that the token is for", sent{"POST", "vault", "/api/v1/repos.json", isForm, "name=next"}, answered{201, `acme/next"}`}},
		{"with its owner in the name", sent{"POST", "root", "/api/v1/repos.json", isJSON, `{"repository":{"name":"new/one","private":false}}`}, answered{201, `new/one"}`}},
		{"clients do not see it yet", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=slow"}, answered{201, `acme/slow"}`}},
		{"one that is there", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=tools"}, answered{422, `{"name":["has already been taken"]}`}},
		{"without a name", sent{"POST", "all", "/api/v1/repos.json", isForm, ""}, answered{422, `{"name":["can't be blank"]}`}},
		{"with a null", sent{"POST", "all", "/api/v1/repos.json", isJSON, `{"repository":{"name":null}}`}, answered{422, `{"name":["can't be blank"]}`}},
		{"with a list", sent{"POST", "all", "/api/v1/repos.json", isJSON, `{"repository":["x"]}`}, answered{422, `{"name":["can't be blank"]}`}},
		{"with a wrong name", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=a%20b"}, answered{422, `"]}`}},
		{"with a dot in front", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=.x"}, answered{422, `"]}`}},
		{"of a reserved owner", sent{"POST", "root", "/api/v1/repos.json", isForm, "name=install/x"}, answered{422, `"]}`}},
		{"with too many parts", sent{"POST", "root", "/api/v1/repos.json", isForm, "name=a/b/c"}, answered{422, `"]}`}},
		{"private is neither", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=x&private=private"}, answered{422, `{"private":["is 1 or 0"]}`}},
		{"of one owner of two", sent{"POST", "two", "/api/v1/repos.json", isForm, "name=x"}, answered{422, `{"name":["needs its owner, because this token manages several: use owner/name"]}`}},
		{"of any owner", sent{"POST", "root", "/api/v1/repos.json", isForm, "name=x"}, answered{422, `use owner/name"]}`}},
		{"of another owner", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=other/x"}, answered{403, `see repomill token create"}`}},
		{"with a token that may push", sent{"POST", "pusher", "/api/v1/repos.json", isForm, "name=x"}, answered{403, `see repomill token create"}`}},
		{"not JSON", sent{"POST", "all", "/api/v1/repos.json", isJSON, `{"a`}, answered{422, `"]}`}},
		{"not a form with files", sent{"POST", "all", "/api/v1/repos.json", "multipart/form-data", `x`}, answered{422, `"]}`}},
		{"too long", sent{"POST", "all", "/api/v1/repos.json", isForm, "name=" + strings.Repeat("x", 3<<20)}, answered{413, `bytes"}`}},
		{"another method", sent{"PUT", "all", "/api/v1/repos.json", isForm, "name=x"}, answered{405, ""}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			status, body, h := s.send(tt.sent)
			if status != tt.status || !strings.HasSuffix(body, tt.answered.body) || (h.Get("X-Publish-Pending") != "") != strings.Contains(tt.sent.body, "slow") {
				t.Errorf("got %d %s %s, want %d %s", status, body, h.Get("X-Publish-Pending"), tt.status, tt.answered.body)
			}
		})
	}
	for r, want := range map[string]catalog.Visibility{"other/one": catalog.Private, "other/two": catalog.Public, "other/three": catalog.Private, "acme/next": catalog.Public} {
		owner, name, _ := strings.Cut(r, "/")
		if got, err := s.db.Settings(t.Context(), catalog.Repository{Owner: owner, Name: name}); err != nil || got.Visibility != want || got.Origin != r {
			t.Errorf("%s: %+v, %v; want %s", r, got, err, want)
		}
	}
	var all []struct{ FQName string }
	s.makes(sent{"GET", "root", "/api/v1/repos?include_collaborations=1", "", ""}, 200, &all)
	if len(all) != 8 {
		t.Errorf("who manages all repositories sees %v", all)
	}
}
