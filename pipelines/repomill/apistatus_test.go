package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	markup "golang.org/x/net/html"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// An answer is what a server answered.
type answer struct {
	status int
	head   http.Header
	body   string
}

// visit asks as a browser does: it follows no redirect, and sends the user name that a person typed, if there is one.
func visit(t *testing.T, address, user string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, "")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// shownText returns the text of a page, its words apart by one blank each, and the address of its style sheet.
func shownText(t *testing.T, page string) (text, style string) {
	t.Helper()
	root, err := markup.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for n := range root.Descendants() {
		if n.Type == markup.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
		if n.Data == "link" && n.Attr[0].Val == "stylesheet" {
			style = n.Attr[1].Val
		}
	}
	return strings.Join(words, " "), style
}

// A release manager opens the page in a browser, is asked for a token, and sees in one screen what was pushed and refused.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const name, target = "acme/managed", "acme/managed/ubuntu/jammy"
	s.does(t, 0, "", "repo", "create", name, "--distribution", "ubuntu/jammy", "--description", "Tools <of> the farm", "--visibility", "private")
	token := apiToken(t, s.data, name, "managers", "push")
	page := s.url + "/api/v1/repos/" + name + "/status/"

	short := visit(t, s.url+"/"+name+"/status/", "")
	if to := short.head.Get("Location"); short.status != http.StatusFound || to != "./../../../api/v1/repos/"+name+"/status/" {
		t.Errorf("the address that people remember: %d, to %q", short.status, to)
	}
	first := visit(t, page, "")
	if first.status != http.StatusUnauthorized || first.head.Get("WWW-Authenticate") != `Basic realm="repomill"` {
		t.Fatalf("without a token: %d %v", first.status, first.head)
	}
	before := visit(t, page, token)
	if text, _ := shownText(t, before.body); before.status != http.StatusOK || !strings.Contains(text, "Nothing was pushed yet.") || !strings.Contains(text, "Tools <of> the farm") {
		t.Fatalf("before the first push: %d %s", before.status, text)
	}

	s.publish(t, target, newDEB(t, debtest.Spec{Name: "good"}))
	bad := s.await(t, s.drop(t, target+"/<img src=x onerror=alert(1)>.deb", []byte("no package")))
	if bad.State != catalog.Rejected {
		t.Fatal(bad)
	}
	got := visit(t, page, token)
	text, style := shownText(t, got.body)
	for _, want := range []string{"Status of acme/managed private", "ubuntu/jammy", "<img src=x onerror=alert(1)>.deb", string(bad.Reason) + ": " + strings.Join(strings.Fields(bad.Detail), " "),
		"published", "signing", "A worker runs", "repo.create"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(got.body, "<img src=x") || got.head.Get("Content-Security-Policy") != "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'" || got.head.Get("Cache-Control") != "private, no-store" {
		t.Errorf("headers %v\n%s", got.head, got.body)
	}
	base, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := base.Parse(style)
	if err != nil {
		t.Fatal(err)
	}
	if css := visit(t, sheet.String(), ""); css.status != http.StatusOK || css.head.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%s: %d %v", sheet, css.status, css.head)
	}

	var twin struct {
		Repository string
		model.StatusPage
	}
	twinned := visit(t, s.url+"/api/v1/repos/"+name+"/status.json", token)
	if err := json.Unmarshal([]byte(twinned.body), &twin); err != nil || twin.Repository != name {
		t.Fatalf("%v: %s", err, twinned.body)
	}
	if len(twin.Releases) != 1 || twin.Releases[0].Release != target || twin.Releases[0].Published < 1 || twin.Releases[0].Published != twin.Releases[0].Latest || twin.Releases[0].Since == nil {
		t.Errorf("releases: %+v", twin.Releases)
	}
	if len(twin.Pushes) != 2 || twin.Pushes[0].State != catalog.Rejected || twin.Pushes[1].State != catalog.Published || !strings.HasPrefix(twin.Pushes[1].Package, "good ") ||
		twin.Pushes[1].Target != target || twin.Pushes[1].Received.After(twin.At) {
		t.Errorf("pushes: %+v at %s", twin.Pushes, twin.At)
	}
	if len(twin.Rejections) != 1 || twin.Rejections[0].Reason != bad.Reason || twin.Downloads == nil || twin.Downloads.Total != 0 || !twin.Worker.Runs || twin.Pages == nil || twin.Pages.Fault != "" || len(twin.Waiting) != 0 {
		t.Errorf("got %s", twinned.body)
	}
}

// A token shows the status of what it has a right in. What it has none in is as what does not exist, and tokens that hosts have open none.
func TestStatusPageIsBehindRights(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.does(t, 0, "", "repo", "create", "acme/guarded", "--distribution", "ubuntu/jammy", "--visibility", "private")
	s.does(t, 0, "", "repo", "create", "acme/beside", "--distribution", "ubuntu/jammy")
	read := strings.TrimSpace(s.does(t, 0, "", "token", "create", "acme/guarded", "host").Stdout)
	tokens := map[string]string{
		"push":    apiToken(t, s.data, "acme/guarded", "pushers", "push"),
		"manage":  apiToken(t, s.data, "acme/guarded", "managers", "manage"),
		"tokens":  apiToken(t, s.data, "acme/guarded", "customers", "tokens"),
		"another": apiToken(t, s.data, "acme/beside", "others", "manage"),
		"host":    read,
	}
	for _, tt := range []struct {
		token, repository string
		want              int
	}{
		{"push", "acme/guarded", 200}, {"manage", "acme/guarded", 200}, {"tokens", "acme/guarded", 403}, {"host", "acme/guarded", 401},
		{"another", "acme/guarded", 404}, {"another", "acme/absent", 404}, {"push", "acme/beside", 404},
	} {
		for _, form := range []string{"status/", "status.json"} {
			got := visit(t, s.url+"/api/v1/repos/"+tt.repository+"/"+form, tokens[tt.token])
			if got.status != tt.want {
				t.Errorf("%s with the token %s: %d, want %d: %s", tt.repository, tt.token, got.status, tt.want, got.body)
			}
		}
	}
	absent, forbidden := visit(t, s.url+"/api/v1/repos/acme/absent/status/", tokens["another"]), visit(t, s.url+"/api/v1/repos/acme/guarded/status/", tokens["another"])
	if strings.ReplaceAll(absent.body, "acme/absent", "acme/guarded") != forbidden.body {
		t.Errorf("absent: %s, forbidden: %s", absent.body, forbidden.body)
	}
}

// The history names no private repository that the caller has no right in, neither in what was done nor in why.
func TestStatusHistoryHidesOtherRepositories(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const name, secret, jammy = "statushides/tools", "statushides/secretname", "statushides/tools/ubuntu/jammy"
	s.does(t, 0, "", "repo", "create", "--visibility", "private", secret, "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Name: "moves"}))
	s.does(t, 0, "", "promote", jammy, secret+"/ubuntu/jammy", "moves", "--why", "asked for by "+secret)
	for token, named := range map[string]int{apiToken(t, s.data, name, "pushers", "push"): 0, apiToken(t, s.data, "statushides", "managers", "manage"): 2} {
		for _, form := range []string{"status/", "status.json"} {
			got := visit(t, s.url+"/api/v1/repos/"+name+"/"+form, token)
			if n := strings.Count(got.body, "secretname"); n != named || !strings.Contains(got.body, "asked for by ") {
				t.Errorf("%s: %d, and the name of another repository %d times, want %d: %s", form, got.status, n, named, got.body)
			}
		}
	}
}

// The API alone, on a host of its own, answers the page and its style sheet, without a worker and without the published bucket.
func TestStatusPageOfTheAPIAlone(t *testing.T) {
	t.Parallel()
	s := shared(t)
	s.does(t, 0, "", "repo", "create", "acme/alone", "--distribution", "ubuntu/jammy")
	short := visit(t, s.url+"/acme/alone/status/", "")
	if to := short.head.Get("Location"); short.status != http.StatusFound || to != "./../../../api/v1/repos/acme/alone/status/" {
		t.Errorf("the address that people remember: %d, to %q", short.status, to)
	}
	p := beginAPI(t, s.data, "127.0.0.1:0")
	base := "http://" + addressIn(t, p, "listen")
	got := visit(t, base+"/api/v1/repos/acme/alone/status/", apiToken(t, s.data, "acme/alone", "ci", "push"))
	_, style := shownText(t, got.body)
	if got.status != http.StatusOK || !strings.HasPrefix(style, "../../../../assets/") || !strings.Contains(got.body, `href="https://packages.example/acme/alone/"`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if css := visit(t, base+"/api/v1/"+strings.TrimPrefix(style, "../../../../"), ""); css.status != http.StatusOK || len(css.body) == 0 {
		t.Errorf("the style sheet: %d", css.status)
	}
}
