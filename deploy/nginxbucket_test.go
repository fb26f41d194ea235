package deploy_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// startNginx starts nginx with a file of this folder, in which texts are replaced, as nginx.conf of a machine includes it. It
// returns the URL of the site, and a client that trusts it and follows no redirects. "ADDRESS", "CERT" and "KEY" in a text are the place of the site and its files.
func startNginx(t *testing.T, file string, replace ...string) (site string, client *http.Client) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/nginx"); err != nil { // which is not in the path of a user
			t.Skip("nginx is not installed")
		}
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, client := certificate(t)
	address, dir := porttest.Free(t), proctest.OpenDir(t)
	text, place := string(body), strings.NewReplacer("ADDRESS", address, "CERT", cert, "KEY", key, "DIR", dir)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Errorf("%s does not have %q", file, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], place.Replace(replace[i+1]))
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`daemon off; master_process off; %s pid %[2]s/pid; error_log stderr error;
events { worker_connections 64; }
http {
access_log off;
client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; scgi_temp_path %[2]s/scgi; uwsgi_temp_path %[2]s/uwsgi;
%[3]s}`, user, dir, text)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	proctest.EndWithParent(cmd)
	server, err := proctest.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
		<-server.Done
	})
	proctest.Eventually(t, "nginx listens", func() bool {
		select {
		case <-server.Done:
			t.Fatalf("nginx ended: %v\n%s", server.Err, server.Stderr)
		default:
		}
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return "https://" + address, client
}

// fetch asks for a path as it is written, with dot segments.
func fetch(t *testing.T, client *http.Client, site, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, site, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	r.Header.Set("Accept-Encoding", "identity")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// A plain web server over a copy of the bucket has pages, indexes and packages by their paths, with the headers of the bucket, and
// nothing internal.
func TestBucketBehindPlainNginx(t *testing.T) {
	r := catalog.Repository{Owner: "acme", Name: "tools"}
	sum := strings.Repeat("0123456789abcdef", 4)
	root := proctest.OpenDir(t)
	published := []string{
		layout.RootPageKey, layout.OwnerPageKey("acme"), layout.FrontPageKey(r), layout.FrontTwinKey(r), layout.FeedKey(r), layout.StatusKey(r),
		layout.NamesPageKey(r, -1, ""), layout.NamesPageKey(r, 0, "hello"), layout.NamePageKey(r, "hello"), layout.NameTwinKey(r, "hello"), layout.NamePageKey(r, "foo.json"),
		layout.VersionPageKey(r, "hello", "2:9.0~rc1+b-1"), layout.VersionPageKey(r, "hello", "1^git1-1"), layout.FilesPageKey(r, "hello", sum),
		layout.AssetKey("style-0123456789abcdef.css"), layout.AssetKey("search-0123456789abcdef.js"), layout.AssetKey("icon-0123456789abcdef.svg"),
		"acme/tools/ubuntu/dists/jammy/InRelease", "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + sum,
		"acme/tools/ubuntu/pool/jammy/main/h/hello/hello_1.0+b_amd64.deb", "acme/tools/el/9/x86_64/hello-1-1.x86_64.rpm", "acme/tools/el/9/x86_64/repodata/repomd.xml",
		"acme/tools/el/9/x86_64/repodata/" + sum + "-primary.xml.gz", "acme/tools/ubuntu/jammy.sources",
	}
	internal := []string{".repomill/acme/tools.json", ".history/acme/tools/ubuntu/jammy/1.json", "acme/tools/.hidden/index.html", "acme/tools/p/.hello.json"}
	for _, key := range append(published, internal...) {
		file := filepath.Join(root, key)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("bytes of "+key), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, ".repomill"), filepath.Join(root, "settings")); err != nil {
		t.Fatal(err)
	}
	site, client := startNginx(t, "nginx-bucket.conf", "443 ssl", "ADDRESS ssl", "/srv/mirror", root,
		"/etc/ssl/mirror.acme.example/fullchain.pem", "CERT", "/etc/ssl/mirror.acme.example/privkey.pem", "KEY")
	for _, key := range published {
		for _, path := range []string{key, strings.TrimSuffix(key, "index.html")} {
			resp, body := fetch(t, client, site, "/"+strings.ReplaceAll(path, "^", "%5E"))
			h := resp.Header
			if resp.StatusCode != 200 || body != "bytes of "+key || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self'; ") {
				t.Errorf("%s: got %d, %q, %v", path, resp.StatusCode, body, h)
			}
			want := layout.ObjectOf(key)
			if kind := h.Get("Content-Type"); layout.IsPage(key) && kind != want.ContentType {
				t.Errorf("%s: got the type %q, want %q", path, kind, want.ContentType)
			}
			caching := h.Get("Cache-Control")
			if strings.Contains(caching, "immutable") != strings.Contains(want.CacheControl, "immutable") || strings.Contains(caching, "no-cache") != strings.Contains(want.CacheControl, "no-cache") {
				t.Errorf("%s: got %q, want %q", path, caching, want.CacheControl)
			}
		}
	}
	for _, tt := range snapshotCases(t) { // the resolver's and the CDN's cases
		file := filepath.Join(root, tt.Key)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("bytes of "+tt.Key), 0o644); err != nil {
			t.Fatal(err)
		}
		if resp, body := fetch(t, client, site, "/"+tt.Path); resp.StatusCode != 200 || body != "bytes of "+tt.Key {
			t.Errorf("%s: got %d, %q, want the bytes of %s", tt.Path, resp.StatusCode, body, tt.Key)
		}
	}
	for path, want := range map[string]string{
		"/acme/tools": "/acme/tools/", "/acme": "/acme/", "/acme/tools/p/hello": "/acme/tools/p/hello/", "/acme/tools/p/hello/9.0~rc1+b-1": "/acme/tools/p/hello/9.0~rc1+b-1/",
		"/acme/tools/p/": "/acme/tools/names/", "/acme/tools/p/hello/2:9.0~rc1+b-1/": "/acme/tools/p/hello/9.0~rc1+b-1/",
	} {
		if resp, _ := fetch(t, client, site, path); resp.StatusCode != 301 || resp.Header.Get("Location") != want {
			t.Errorf("%s: got %d, %q, want %q", path, resp.StatusCode, resp.Header.Get("Location"), want)
		}
	}
	for _, path := range []string{
		"/.repomill/acme/tools.json", "/%2erepomill/acme/tools.json", "/x/../.repomill/acme/tools.json", "/acme/%2e%2e/.repomill/acme/tools.json", "/.repomill/", "/.history/acme/tools/ubuntu/jammy/1.json",
		"/acme/tools/.hidden/", "/acme/tools/p/.hello.json", "/settings/acme/tools.json", "/acme/tools/ubuntu/", "/acme/tools/ubuntu/dists/jammy/", "/nothing/", "/assets/",
	} {
		if resp, body := fetch(t, client, site, path); resp.StatusCode != 404 || strings.Contains(body, "bytes of") {
			t.Errorf("%s: got %d, %q, want 404", path, resp.StatusCode, body)
		}
	}
}

// nginx compresses pages, and nothing else: what the API answers may have a secret beside what a client sent.
func TestNginxCompressesPages(t *testing.T) {
	long := strings.Repeat("<p>a line of a page</p>\n", 200)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", layout.ObjectOf("acme/tools/"+r.URL.Query().Get("key")).ContentType)
		w.Header().Set("ETag", `"v1"`)
		fmt.Fprint(w, long)
	}))
	t.Cleanup(backend.Close)
	address := strings.TrimPrefix(backend.URL, "http://")
	shared := []string{"443 ssl", "ADDRESS ssl", "/etc/ssl/packages.acme.example/fullchain.pem", "CERT", "/etc/ssl/packages.acme.example/privkey.pem", "KEY", "/var/log/nginx/repomill.log", "DIR/access.log"}
	for file, values := range map[string][]string{
		"nginx.conf":    {"127.0.0.1:8080", address, "127.0.0.1:8083", address},
		"nginx-up.conf": {"127.0.0.1:8080", address, "127.0.0.1:8081", address, "listen 80;", "listen " + porttest.Free(t) + ";"},
	} {
		t.Run(file, func(t *testing.T) {
			site, client := startNginx(t, file, append(values, shared...)...)
			for path, want := range map[string]bool{
				"/acme/tools/?key=index.html": true, "/acme/tools/?key=index.json": true, "/acme/tools/feed.atom?key=feed.atom": true, "/priv/x/acme/tools/?key=index.html": true,
				"/api/v1/x?key=index.json": false, "/api/v1/x?key=index.html": false, "/x?key=el/9/x86_64/repodata/0-primary.xml.gz": false, "/x?key=el/9/x86_64/a.rpm": false,
				"/x?key=ubuntu/dists/jammy/InRelease": false,
			} {
				resp, body := fetch(t, client, site, path, "Accept-Encoding: gzip", "Via: 1.1 cdn")
				if got := resp.Header.Get("Content-Encoding") == "gzip"; got != want {
					t.Errorf("%s is compressed: %v, want %v", path, got, want)
				}
				if want {
					z, err := gzip.NewReader(strings.NewReader(body))
					if err != nil {
						t.Fatal(err)
					}
					if plain, err := io.ReadAll(z); err != nil || string(plain) != long || resp.Header.Get("ETag") != `W/"v1"` || resp.Header.Get("Vary") != "Accept-Encoding" {
						t.Errorf("%s: %d bytes, %v, %v", path, len(plain), err, resp.Header)
					}
				}
				if resp, _ := fetch(t, client, site, path); resp.Header.Get("Content-Encoding") != "" {
					t.Errorf("%s is compressed for a client that did not ask for it", path)
				}
			}
		})
	}
}

// A spelling is a path and the key that it stands for.
type spelling struct{ Name, Path, Key string }

// snapshotCases are the cases of paths below snapshots that the resolver and the function of the CDN are tested with.
func snapshotCases(t *testing.T) (cases []spelling) {
	t.Helper()
	body, err := os.ReadFile("../schemas/layout/testdata/spellings.json")
	if err == nil {
		err = json.Unmarshal(body, &cases)
	}
	cases = slices.DeleteFunc(cases, func(s spelling) bool { return !strings.Contains(s.Path, "/snapshots/") })
	if err != nil || len(cases) < 10 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}
