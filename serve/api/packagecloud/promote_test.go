package packagecloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

var stable = catalog.Repository{Owner: "acme", Name: "stable"}

// A copier asks the catalog for copies, and says what came of them.
type copier struct {
	db      *catalogdb.DB
	verdict catalog.Verdict
	made    func(catalog.Package) // is called with the copy
	asked   []string
}

func (c *copier) Promote(ctx context.Context, k catalog.Package, to catalog.Repository, move bool, by api.Principal, _ time.Duration) (catalog.Upload, catalog.Verdict, error) {
	place := k.Place()
	place.Repository = to
	c.asked = append(c.asked, fmt.Sprintf("%s: %s %s to %s", by.Name, k.Name, k.Version, place))
	wish := catalogdb.Wish{Source: k, To: place}
	if move {
		wish.Withdraw = catalogdb.MovedTo + place.String()
	}
	uploads, err := c.db.Promote(ctx, []catalogdb.Wish{wish}, now)
	if err != nil {
		return catalog.Upload{}, catalog.Verdict{}, err
	}
	if c.made != nil {
		k.Repository = to
		c.made(k)
	}
	return uploads[0], c.verdict, nil
}

func (c *copier) Promoted(ctx context.Context, u catalog.Upload, _ time.Duration) (catalog.Verdict, error) {
	return c.db.Verdict(ctx, u)
}

// promoting is a site with a package and a repository that it can go to.
func promoting(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	if err := s.db.CreateRepository(t.Context(), catalog.Settings{Repository: stable, Visibility: catalog.Public, Origin: "acme/stable", Label: "stable"}, now); err != nil {
		t.Fatal(err)
	}
	s.add(deb(tools, "hello", "1.0-7"))
	s.add(deb(stable, "other", "1"))
	s.copies.verdict = catalog.Verdict{State: catalog.Published}
	return s
}

const promoteHello = "/api/v1/repos/acme/tools/ubuntu/jammy/hello_1.0-7_amd64.deb/promote.json"

// postForm sends a form as clients do.
func (s *site) postForm(token, path string, form url.Values) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(req, token)
}

func (s *site) do(req *http.Request, token string) (int, http.Header, string) {
	s.t.Helper()
	req.SetBasicAuth(token, "")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, strings.TrimSpace(string(body))
}

var toStable = url.Values{"destination": {"acme/stable"}}

func TestPromoteAnswersWithTheCopy(t *testing.T) {
	s := promoting(t)
	s.copies.made = func(k catalog.Package) {
		k.Key, k.Stanza = layout.PoolKey(k), deb(stable, k.Name, k.Version).Stanza
		s.add(k)
	}
	status, _, body := s.postForm("all", promoteHello+"?scope=@x", toStable)
	var got struct {
		Filename   string
		Indexed    bool
		PackageURL string `json:"package_url"`
		PublishURL string `json:"publish_url"`
		Repository string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || !got.Indexed || got.Repository != "stable" ||
		got.Filename != "hello_1.0-7_amd64.deb" || got.PackageURL != "/api/v1/repos/acme/stable/package/deb/ubuntu/jammy/hello/amd64/1.0-7.json" {
		t.Errorf("got %d %s", status, body)
	}
	if asked := fmt.Sprint(s.copies.asked); asked != "[token all: hello 1.0-7 to acme/stable/ubuntu/jammy/main]" {
		t.Errorf("it asked for %s", asked)
	}
	if _, body := s.call("GET", "all", "/api/v1/repos/acme/tools/packages.json"); !strings.Contains(body, "hello_1.0-7_amd64.deb") {
		t.Errorf("the package has left its repository: %s", body)
	}
	status, header, body := s.postForm("all", promoteHello, toStable)
	if status != http.StatusUnprocessableEntity || body != `{"filename":["has already been taken"]}` || header.Get("X-Already-Published") != "identical sha256" {
		t.Errorf("again: %d %s, %v", status, body, header)
	}
	other := deb(tools, "hello", "2.0")
	s.add(other)
	other = deb(stable, "hello", "2.0")
	other.File.SHA256 = strings.Repeat("01", 32)
	s.add(other)
	status, _, body = s.postForm("all", strings.Replace(promoteHello, "1.0-7", "2.0", 1), toStable)
	if want := `{"filename":["has already been taken"],"sha256":["` + strings.Repeat("01", 32) + ` there, ` + strings.Repeat("ab", 32) + ` here"]}`; status != 422 || body != want {
		t.Errorf("other bytes: %d %s, want %s", status, body, want)
	}
}

// Until clients see the copy, the answer says where to wait.
func TestPromoteThatTakesLong(t *testing.T) {
	s := promoting(t)
	s.copies.verdict = catalog.Verdict{State: catalog.Received}
	status, header, body := s.postForm("all", promoteHello, toStable)
	var got struct {
		Indexed    bool
		PublishURL string `json:"publish_url"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK || got.Indexed || header.Get("X-Publish-Pending") != "yes" {
		t.Fatalf("got %d %s, %v", status, body, header)
	}
	wait, ok := strings.CutPrefix(got.PublishURL, "https://packages.example")
	if !ok {
		t.Fatalf("publish_url is %s", got.PublishURL)
	}
	for _, tt := range []struct {
		fact, token, path string
		status            int
	}{
		{"it is under way", "all", wait + "?wait=1s", http.StatusAccepted},
		{"a time that is none", "all", wait + "?wait=x", http.StatusUnprocessableEntity},
		{"of another repository", "all", strings.Replace(wait, "/stable/", "/tools/", 1), http.StatusNotFound},
		{"for a caller without a right", "other", wait, http.StatusNotFound},
		{"one that never was", "all", "/api/v1/repos/acme/stable/promotions/YWI.json", http.StatusNotFound},
	} {
		if res, body := s.call("GET", tt.token, tt.path); res.StatusCode != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.fact, res.StatusCode, body, tt.status)
		}
	}
	s.copies.verdict = catalog.Verdict{State: catalog.Rejected, Reason: catalog.Unsigned, Detail: "the package has no signature"}
	if status, _, body := s.postForm("all", promoteHello, toStable); status != 422 || body != `{"filename":["the package has no signature"]}` {
		t.Errorf("rejected: %d %s", status, body)
	}
}

func TestPromoteRefuses(t *testing.T) {
	s := promoting(t)
	s.add(deb(vault, "secret", "1"))
	s.add(rpm("tool", "1", "1"))
	const secret, tool = "/api/v1/repos/acme/vault/ubuntu/jammy/secret_1_amd64.deb/promote.json", "/api/v1/repos/acme/tools/el/9/tool-1-1.x86_64.rpm/promote.json"
	to := func(name string) url.Values { return url.Values{"destination": {name}} }
	for _, tt := range []struct {
		fact, token, path string
		form              url.Values
		status            int
		body              string
	}{
		{"without manage at the source", "pusher", promoteHello, toStable, 403, `needs the scope \"manage\"`},
		{"without push at the destination", "manager", promoteHello, toStable, 403, `in acme/stable: it needs the scope \"push\"`},
		{"into a private repository of others", "manager", promoteHello, to("acme/vault"), 404, `{"error":["not_found: there is no repository acme/vault"]}`},
		{"no destination", "all", promoteHello, nil, 422, `{"destination":["use user/repository, such as acme/stable"]}`},
		{"an owner alone", "all", promoteHello, to("acme"), 422, `{"destination":[`},
		{"a path", "all", promoteHello, to("acme/../stable"), 422, `{"destination":[`},
		{"a destination that is not there", "all", promoteHello, to("acme/none"), 404, `{"error":["not_found: there is no repository acme/none"]}`},
		{"a distribution that is not there", "all", tool, toStable, 404, `{"error":["not_found: acme/stable does not have distribution el/9"]}`},
		{"a file that is not there", "all", strings.Replace(promoteHello, "hello", "none", 1), toStable, 404, `{"error":["not_found: acme/tools has no none_1.0-7_amd64.deb in ubuntu/jammy"]}`},
		{"to where it is", "all", promoteHello, to("acme/tools"), 422, `{"destination":["is where the package is"]}`},
		{"from private to public", "all", secret, toStable, 422, `everybody could read the package there; add to_public=true`},
		{"a move of another word", "all", promoteHello, url.Values{"destination": {"acme/stable"}, "move": {"yes"}}, 422, `{"move":["use true, or leave it out to copy"]}`},
		{"of others", "other", secret, toStable, 404, `{"error":"not_found"}`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			status, _, body := s.postForm(tt.token, tt.path, tt.form)
			if status != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("got %d %s, want %d %s", status, body, tt.status, tt.body)
			}
		})
	}
	if len(s.copies.asked) > 0 {
		t.Errorf("copies were asked for: %q", s.copies.asked)
	}
	if status, _, body := s.postForm("all", secret, url.Values{"destination": {"acme/stable"}, "to_public": {"true"}}); status != 200 {
		t.Errorf("with to_public: %d %s", status, body)
	}
}

// Clients send the destination in the URL, or in a form of either kind.
func TestPromoteReadsEveryForm(t *testing.T) {
	for fact, request := range map[string]func(url string) (*http.Request, error){
		"query": func(url string) (*http.Request, error) {
			return http.NewRequest(http.MethodPost, url+"?destination=acme/stable", nil)
		},
		"multipart": func(url string) (*http.Request, error) {
			const body = "--x\r\nContent-Disposition: form-data; name=\"destination\"\r\n\r\nacme/stable\r\n--x--\r\n"
			req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
			if err == nil {
				req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			}
			return req, err
		},
	} {
		s := promoting(t)
		req, err := request(s.url + promoteHello)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, body := s.do(req, "all"); status != http.StatusOK || len(s.copies.asked) != 1 {
			t.Errorf("%s: got %d %s", fact, status, body)
		}
	}
	s := promoting(t)
	req, err := http.NewRequest(http.MethodPost, s.url+promoteHello, strings.NewReader("destination="+strings.Repeat("x", 2<<20)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if status, _, body := s.do(req, "all"); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body without end: got %d %s", status, body)
	}
}
