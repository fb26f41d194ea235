package html_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"repomill/publish/pages/model"
	"repomill/publish/pages/pagestest"
	"repomill/publish/pages/twin"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/browsertest"
	"repomill/testdata/proctest"

	pages "repomill/publish/pages/html"
)

// pictured are the pages that a browser opens: one of each kind, and of each kind those that have most or nothing to say.
var pictured = []struct{ name, path string }{
	{"root", ""},
	{"owner", "acme/"},
	{"front", "acme/tools/"},
	{"front-private", "acme/secret/"},
	{"front-of-all-distributions", "acme/wide/"},
	{"front-empty", "acme/new/"},
	{"front-large", "globex/big/"},
	{"name", "acme/tools/p/hello-mill/"},
	{"name-older", "acme/tools/p/hello-mill/_1/"},
	{"name-short", "acme/tools/p/libmill++1/"},
	{"version", "acme/tools/p/hello-mill/2.12-1/"},
	{"version-withdrawn", "acme/tools/p/hello-mill/2.11-1/"},
	{"version-rpm", "acme/tools/p/hello-mill/2.12-1.el9/"},
	{"version-of-all-distributions", "acme/wide/p/acme-agent/7.4.1-1/"},
	{"version-private", "acme/secret/p/probe/1.0-1/"},
	{"files", ""}, // the path has a digest
	{"snapshots", "acme/tools/snapshots/"},
	{"snapshots-older", "acme/tools/snapshots/_1/"},
	{"snapshots-empty", "acme/new/snapshots/"},
	{"snapshot", "acme/tools/snapshots/20261129T021500Z/"},
	{"snapshot-private", "acme/secret/snapshots/20261129T021500Z/"},
	{"names", "acme/tools/names/"},
	{"names-empty", "acme/new/names/"},
	{"names-parts", "globex/big/names/"},
	{"names-part", "globex/big/names/0/golang-acme.html"},
	{"status", statusPath},
	{"status-empty", emptyStatusPath},
}

const statusPath, emptyStatusPath = "api/v1/repos/acme/tools/status/", "api/v1/repos/acme/new/status/"

// fullStatus has a row of each kind, and a history of as many entries as the page has.
func fullStatus() model.StatusPage {
	const tools, job = "acme/tools", "https://ci.example/job/17"
	at := statusAt.Add(-90 * time.Minute)
	upload := model.UploadStatus{File: "hello-mill_2.12-1_amd64.deb", Target: tools + "/ubuntu/jammy", State: catalog.Published, Package: "hello-mill 2.12-1 amd64", Size: 4711, Received: at, Finished: &at, By: "jo", Job: job}
	refused := upload
	refused.State, refused.Reason, refused.Detail = catalog.Rejected, catalog.Conflict, "hello-mill 2.12-1 amd64 has other bytes"
	s := model.StatusPage{
		Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "tools"}, Description: "Tools of the farm"}, At: statusAt,
		Releases: []model.ReleaseStatus{{Release: tools + "/ubuntu/jammy", Latest: 8, Published: 7, Since: &at, Fault: "no space left", Waiting: true}, {Release: tools + "/el/9/x86_64", Latest: 4, Published: 4, Since: &at}},
		Waiting:  []model.WaitingStatus{{State: catalog.Received, Count: 3, Oldest: at}},
		Pushes:   []model.UploadStatus{upload, refused}, Rejections: []model.UploadStatus{refused},
		Worker: model.WorkerStatus{Runs: true, Seen: &statusAt}, Pages: &model.PagesStatus{Waiting: 2, Oldest: &at},
		Keys:      []model.KeyStatus{{Fingerprint: strings.Repeat("0123456789", 4), Role: "signing", Expires: &at}},
		Downloads: &model.DownloadsStatus{At: at, Since: "2026-11-01", Total: 12, Top: []model.DownloadCount{{Package: "hello-mill", Downloads: 12}}},
	}
	for n := range 50 {
		s.Changes = append(s.Changes, model.ChangeStatus{At: at.Add(-time.Duration(n) * time.Hour), By: "token release of acme", Action: catalog.ActionRollback, Target: tools + "/ubuntu/jammy/main",
			Detail: "to revision 41: hello-mill 2.12-1 amd64 withdrawn, hello-mill 2.11-1 amd64 restored", Why: "2.12-1 loses data of hosts that have a large cache", Job: job})
	}
	return s
}

// serve answers with the objects of the site, as a plain web server does, and forbids what the product's servers forbid. Other objects
// that pages link are empty.
func serve(t *testing.T, site pagestest.Site) (url string, files string) {
	t.Helper()
	objects := map[string][]byte{}
	for _, key := range site.Objects {
		objects[key] = nil
	}
	for _, p := range site.Pages(pages.New(pagestest.PublicURL)) {
		objects[p.Key] = p.Body
		if files == "" && strings.Contains(p.Key, "/_files/") {
			files = p.Key
		}
	}
	html := pages.New(pagestest.PublicURL)
	objects[statusPath+"index.html"] = html.Status(fullStatus())
	objects[emptyStatusPath+"index.html"] = html.Status(model.StatusPage{Repository: model.Repository{Name: catalog.Repository{Owner: "acme", Name: "new"}}, At: statusAt})
	for _, a := range html.Assets() {
		objects["api/v1/"+a.Key] = a.Body
	}
	for _, list := range site.Lists { // which the search reads
		p := twin.New(pagestest.PublicURL).Names(list)
		objects[p.Key] = p.Body
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.URL.Path, "/")
		if key == "" || strings.HasSuffix(key, "/") {
			key += "index.html"
		}
		body, ok := objects[key]
		if !ok {
			http.NotFound(w, r)
			return
		}
		o := layout.ObjectOf(strings.TrimPrefix(key, "api/v1/"))
		if strings.HasPrefix(key, "api/v1/repos/") {
			o.ContentType = "text/html; charset=utf-8" // as the API answers
		}
		w.Header().Set("Content-Type", o.ContentType)
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		http.ServeContent(w, r, key, time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(s.Close)
	return s.URL, files
}

// The pictures of the pages are the test's output; what a picture cannot show is checked.
func TestPagesInABrowser(t *testing.T) {
	gallery := browsertest.New(t).NewGallery(t)
	url, files := serve(t, pagestest.NewSite())
	for _, page := range pictured {
		if page.name == "files" {
			page.path = files
		}
		t.Run(page.name, func(t *testing.T) {
			for _, line := range gallery.Page(t, page.name, url+"/"+page.path) {
				t.Error(line)
			}
		})
	}
}

// A long list is searched by the beginning of names, and says so; a short one for names that contain what is typed.
func TestSearch(t *testing.T) {
	b := browsertest.New(t)
	url, _ := serve(t, pagestest.NewSite())
	for _, tt := range []struct{ fact, path, typed, want string }{
		{"the beginning of a name, in a long list", "globex/big/", "golang-", "golang-acme"},
		{"capitals that no name has", "globex/big/", "Golang-A", "golang-acme"},
		{"the middle of a name, in a long list", "globex/big/", "lang", "No name begins with this"},
		{"the middle of a name, in a short list", "acme/secret/", "rob", "probe"},
		{"what no name has, in a short list", "acme/secret/", "xyz", "No name has this in it"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			p := b.Open(t, url+"/"+tt.path, browsertest.View{Width: 360})
			p.Click("Search packages")
			p.Press(tt.typed)
			proctest.Eventually(t, tt.want, func() bool {
				return browsertest.Eval[string](p, "[...document.querySelectorAll('[data-search] ul bdi:first-child, [data-search] form ~ p[role]')].map(e => e.textContent).join('')") == tt.want
			})
			if found := p.Complaints(); len(found) > 0 {
				t.Error(found)
			}
		})
	}
}
