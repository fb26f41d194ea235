package packagecloud_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/serve"
)

func TestBodiesAreThoseOfTheDocumentation(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "2:1.0-7"))
	s.add(rpm("jake", "1.0", "1.el6"))
	for _, tt := range []struct{ path, file string }{
		{"/api/v1/repos/acme/tools.json", "repository.json"},
		{"/api/v1/repos.json", "repositories.json"},
		{"/api/v1/repos/acme/tools/packages.json", "packages.json"},
		{"/api/v1/repos/acme/tools/packages/deb/ubuntu/*/amd64.json", "groups.json"},
		{"/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1.0-7.json", "deb.json"},
		{"/api/v1/repos/acme/tools/package/rpm/el/9/jake/x86_64/1.0/1.el6.json", "rpm.json"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			res, body := s.call("GET", "all", tt.path)
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Fatalf("status %d, %s: %s", res.StatusCode, res.Header.Get("Content-Type"), body)
			}
			golden(t, tt.file, body)
		})
	}
}

// What package_cloud and the Go clients look up: operating system, then codename or number, then the id.
func TestDistributionsHaveTheNumbersOfPackagecloud(t *testing.T) {
	s := newSite(t)
	_, body := s.call("GET", "pusher", "/api/v1/distributions.json")
	var list map[string][]struct {
		IndexName string `json:"index_name"`
		Versions  []struct {
			ID            int
			IndexName     string `json:"index_name"`
			VersionNumber string `json:"version_number"`
		}
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	seen := map[int]string{}
	got := map[string]int{}
	for _, kind := range []string{"deb", "rpm"} {
		for _, d := range list[kind] {
			for _, v := range d.Versions {
				name := d.IndexName + "/" + v.IndexName
				got[name], got[d.IndexName+"/"+v.VersionNumber] = v.ID, v.ID
				if other := seen[v.ID]; other != "" || v.ID <= 0 || v.ID >= 1<<31 {
					t.Errorf("%s has number %d, as has %q", name, v.ID, other)
				}
				seen[v.ID] = name
			}
		}
	}
	for name, want := range map[string]int{
		"ubuntu/xenial": 165, "ubuntu/jammy": 237, "ubuntu/22.04": 237, "ubuntu/noble": 284, "debian/bookworm": 215, "debian/12": 215,
		"debian/trixie": 221, "el/7": 140, "el/8": 205, "el/9": 240, "any/any": 35, "rpm_any/rpm_any": 227,
	} {
		if got[name] != want {
			t.Errorf("%s has number %d, want %d", name, got[name], want)
		}
	}
	if got["amazon/2023"] < 1_000_000 {
		t.Errorf("amazon/2023 has number %d, which could be one of packagecloud's", got["amazon/2023"])
	}
}

func TestGemVersionIsThatOfTheClient(t *testing.T) {
	s := newSite(t)
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/v1/gem_version.json", nil)
	req.SetBasicAuth("pusher", "")
	req.Header.Set("User-Agent", "packagecloud-ruby 0.2.16/default")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var v map[string]string
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil || v["minor"] != "2" || v["patch"] != "16" {
		t.Errorf("got %v, %v; the client gives up unless minor is 2, and warns unless patch is at most 16", v, err)
	}
}

func TestPagesFollowLinkAndTotal(t *testing.T) {
	s := newSite(t)
	for i := range 7 {
		s.add(deb(tools, fmt.Sprintf("p%d", i), "1"))
	}
	next := regexp.MustCompile(`<https://packages.example([^>]*)>; rel="next"`)
	path, seen, pages := "/api/v1/repos/acme/tools/search.json?q=&per_page=3&dist=ubuntu%2Fjammy", "", 0
	for path != "" {
		res, body := s.call("GET", "all", path)
		var list []struct{ Name string }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if res.Header.Get("Total") != "7" || res.Header.Get("Per-Page") != "3" || res.Header.Get("Max-Per-Page") != "250" {
			t.Errorf("headers of %s: %v", path, res.Header)
		}
		for _, p := range list {
			seen += p.Name + " "
		}
		path = ""
		if m := next.FindStringSubmatch(res.Header.Get("Link")); m != nil {
			path = m[1]
		}
		if pages++; pages > 9 {
			t.Fatal("the pages have no end")
		}
	}
	if seen != "p0 p1 p2 p3 p4 p5 p6 " || pages != 3 {
		t.Errorf("saw %q in %d pages", seen, pages)
	}
}

func TestSearchSelects(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "1"))
	s.add(deb(tools, "other", "1"))
	s.add(rpm("jake", "1.0", "1"))
	for query, want := range map[string]string{
		"": "jake hello other", "q=hello": "hello", "filter=rpms": "jake", "filter=debs": "hello other", "filter=gems": "", "dist=ubuntu": "hello other",
		"dist=el/9": "jake", "dist=el/9&filter=debs": "jake", "arch=x86_64": "jake", "q=HELLO_1": "hello", "q=main": "", "per_page=1": "jake", "per_page=1&page=3": "other", "per_page=x&page=-1": "jake hello other",
	} {
		_, body := s.call("GET", "all", "/api/v1/repos/acme/tools/search.json?"+query)
		var list []struct{ Name string }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatalf("%s: %v: %s", query, err, body)
		}
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("search?%s: got %q, want %q", query, got, want)
		}
	}
}

func TestDeletedPackageIsWithdrawn(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "1.0-7"))
	const file = "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0-7_amd64.deb"
	if res, body := s.call("DELETE", "pusher", file); res.StatusCode != http.StatusForbidden || !strings.Contains(body, `needs the scope \"manage\"`) {
		t.Errorf("with a token that may push: %d %s", res.StatusCode, body)
	}
	if res, body := s.call("DELETE", "all", file); res.StatusCode != http.StatusOK || body != "{}" {
		t.Errorf("got %d %s, want 200 {}", res.StatusCode, body)
	}
	if got := fmt.Sprint(s.changes.by); got != "[token all: deleted by the API]" {
		t.Errorf("the record says %s", got)
	}
	// package_cloud joins the values of every field of this body.
	res, body := s.call("DELETE", "all", file)
	var fields map[string][]string
	if err := json.Unmarshal([]byte(body), &fields); err != nil || res.StatusCode != http.StatusNotFound || len(fields["error"]) != 1 {
		t.Errorf("again: %d %s", res.StatusCode, body)
	}
	if _, body := s.call("GET", "all", "/api/v1/repos/acme/tools/packages.json"); body != "[]" {
		t.Errorf("it is still listed: %s", body)
	}
}

func TestCallersSeeWhatTheyMay(t *testing.T) {
	s := newSite(t)
	s.add(deb(vault, "secret", "1"))
	s.add(deb(tools, "hello", "1"))
	for _, tt := range []struct {
		fact, method, token, path string
		status                    int
		body                      string
	}{
		{"no token", "GET", "", "/api/v1/distributions.json", 401, `{"error":"Unauthenticated"}`},
		{"a wrong token", "GET", "wrong", "/api/v1/repos/acme/tools.json", 401, `{"error":"Unauthenticated"}`},
		{"a private repository of others", "GET", "other", "/api/v1/repos/acme/vault.json", 404, `{"error":"not_found"}`},
		{"its packages", "GET", "other", "/api/v1/repos/acme/vault/packages.json", 404, `{"error":"not_found"}`},
		{"a deletion in it", "DELETE", "other", "/api/v1/repos/acme/vault/ubuntu/jammy/secret_1_amd64.deb", 404, `{"error":"not_found"}`},
		{"packages of a private repository, with a master token", "GET", "master", "/api/v1/repos/acme/vault/packages.json", 403, ""},
		{"groups of them", "GET", "master", "/api/v1/repos/acme/vault/packages/deb.json", 403, ""},
		{"a search for them", "GET", "master", "/api/v1/repos/acme/vault/search.json?q=s", 403, ""},
		{"one of them", "GET", "master", "/api/v1/repos/acme/vault/package/deb/ubuntu/jammy/secret/amd64/1.json", 403, ""},
		{"one of them, with a token that may read", "GET", "reader", "/api/v1/repos/acme/vault/package/deb/ubuntu/jammy/secret/amd64/1.json", 200, ""},
		{"the repository, with a master token", "GET", "master", "/api/v1/repos/acme/vault.json", 200, ""},
		{"packages of a public one, with a master token", "GET", "master", "/api/v1/repos/acme/tools/search.json", 200, ""},
		{"a repository that does not exist", "GET", "other", "/api/v1/repos/acme/none.json", 404, `{"error":"not_found"}`},
		{"repositories that it has no right in are not listed", "GET", "other", "/api/v1/repos.json", 200, `[]`},
		{"a deletion in a public repository of others", "DELETE", "other", "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1_amd64.deb", 403, ""},
		{"a method that the path does not have", "POST", "all", "/api/v1/distributions.json", 405, ""},
		{"a path that is none", "GET", "all", "/api/v1/nothing", 404, `{"error":"not_found"}`},
		{"an escaped slash", "GET", "all", "/api/v1/repos/acme%2Ftools/x.json", 404, `{"error":"not_found"}`},
		{"a package that is not there", "GET", "all", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/none/amd64/1.json", 404, `{"error":"not_found"}`},
		{"downloads before any are counted", "GET", "all", "/api/v1/repos/acme/tools/package/deb/ubuntu/jammy/hello/amd64/1/stats/downloads/count.json", 200, `{"value":0}`},
		{"installations", "GET", "all", "/api/v1/repos/acme/tools/stats/installs/ubuntu/count.json", 200, `{"value":0}`},
		{"the token of who has it", "GET", "pusher", "/api/v1/token.json", 200, `{"token":"pusher"}`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			res, body := s.call(tt.method, tt.token, tt.path)
			if res.StatusCode != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, body, tt.status, tt.body)
			}
			if tt.status == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate: curl would not send its token")
			}
		})
	}
	if k, err := s.db.ListPackages(t.Context(), catalog.PackageQuery{Repository: vault, Limit: 1}); err != nil || k.Total != 1 {
		t.Errorf("the private package is gone: %v, %v", k, err)
	}
}

func TestTokenIsTheOneThatWasSent(t *testing.T) {
	s := newSite(t)
	secret, _ := serve.NewToken()
	principals[secret] = principals["pusher"]
	defer delete(principals, secret)
	for fact, authorize := range map[string]func(*http.Request){
		"as user name":             func(r *http.Request) { r.SetBasicAuth(secret, "") },
		"as password of an e-mail": func(r *http.Request) { r.SetBasicAuth("ci@acme.example", secret) },
		"as password alone":        func(r *http.Request) { r.SetBasicAuth("", secret) },
		"as Bearer":                func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/token.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		authorize(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		err = json.NewDecoder(res.Body).Decode(&got)
		res.Body.Close()
		if err != nil || got["token"] != secret {
			t.Errorf("%s: got %q, %v", fact, got, err)
		}
	}
}
