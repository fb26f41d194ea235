package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// ask sends one request and follows no redirect.
func ask(t *testing.T, method, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestResolver(t *testing.T) {
	t.Parallel()
	s := shared(t)
	deb := s.publish(t, "acme/resolver/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0+a~b"}))[0]
	rpm := s.publish(t, "acme/resolver/el/9", newRPM(t, rpmtest.Spec{Version: "1.0^a~b"}))[0]

	for path, want := range map[string]int{
		"/healthz": 200, "/": 200, "/" + deb.Key: 302, "/nothing": 404, "/acme/resolver/gpgkey": 302,
		"/acme/nothing/ubuntu/dists/jammy/InRelease": 404, // not a repository
		"/.repomill/acme/resolver.json":              404,
		"/acme/resolver/../../../signing-key.asc":    404,
		"/%2e%2e/signing-key.asc":                    404,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got := ask(t, method, s.url+path).StatusCode; got != want {
				t.Errorf("%s %s: %d, want %d", method, path, got, want)
			}
		}
	}
	if got := ask(t, http.MethodPost, s.url+"/"+deb.Key).StatusCode; got != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got)
	}
	if status, _ := get(t, s.url+"/acme/resolver/ubuntu/dists/jammy/main/binary-mips/Packages.gz"); status != http.StatusNotFound {
		t.Errorf("an object that is not there: %d, want 404", status)
	}
	for _, forms := range [][]string{
		{deb.Key, strings.ReplaceAll(deb.Key, "+", "%2b"), strings.ReplaceAll(deb.Key, "+", "%2B"), strings.ReplaceAll(deb.Key, "~", "%7e")},
		{rpm.Key, strings.ReplaceAll(rpm.Key, "^", "%5e"), strings.ReplaceAll(rpm.Key, "^", "%5E"), strings.ReplaceAll(rpm.Key, "~", "%7E")},
	} {
		locations := map[string]bool{}
		for _, f := range forms {
			locations[ask(t, http.MethodGet, s.url+"/"+f).Header.Get("Location")] = true
			if got := digest(s.fetch(t, f)); got != deb.SHA256 && got != rpm.SHA256 {
				t.Errorf("%s gives sha256 %s", f, got)
			}
		}
		if len(locations) != 1 {
			t.Errorf("%d locations of one file: %v", len(locations), locations)
		}
	}
}

// The edge gives nothing away without a good signature.
func TestEdge(t *testing.T) {
	t.Parallel()
	s := shared(t)
	deb := s.publish(t, "acme/edge/ubuntu/jammy", newDEB(t, debtest.Spec{}))[0]
	location := ask(t, http.MethodGet, s.url+"/"+deb.Key).Header.Get("Location")
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("Policy") == "" {
		t.Fatalf("location %q: %v", location, err)
	}
	key := u.Path
	for _, tt := range []struct {
		fact, url string
		want      int
	}{
		{"as signed", location, 200},
		{"unsigned", u.Scheme + "://" + u.Host + key, 403},
		{"of another file of the repository, which is public", strings.Replace(location, key, "/acme/edge/gpgkey", 1), 200},
		{"of another repository", strings.Replace(location, key, "/acme/other/gpgkey", 1), 403},
		{"with another policy", strings.Replace(location, "Policy=e", "Policy=f", 1), 403},
		{"with an end of its own", location + "&Expires=9999999999", 403},
		{"of another key pair", strings.Replace(location, "Key-Pair-Id=K", "Key-Pair-Id=L", 1), 403},
		{"with more in the query", location + "&x=1", 403},
		{"the database", u.Scheme + "://" + u.Host + "/../catalog.db", 403},
	} {
		if got := ask(t, http.MethodGet, tt.url).StatusCode; got != tt.want {
			t.Errorf("a URL %s: %d, want %d", tt.fact, got, tt.want)
		}
	}
	other := newSite(t) // signs with a key of its own
	other.publish(t, "acme/edge/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	foreign, err := url.Parse(ask(t, http.MethodGet, other.url+"/"+deb.Key).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	foreign.Host = u.Host
	if got := ask(t, http.MethodGet, foreign.String()).StatusCode; got != http.StatusForbidden {
		t.Errorf("a URL that another site signed: %d", got)
	}
}
