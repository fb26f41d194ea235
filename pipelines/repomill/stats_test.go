package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// A front is an nginx before the resolver and the edge of a site, with a log of its own.
type front struct {
	log  string // path
	edge string // URL of what it has before the edge
}

// newFrontedSite starts a site behind nginx: clients reach both of its servers there alone.
func newFrontedSite(t *testing.T) (*site, front) {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if nginx, err = exec.LookPath("/usr/sbin/nginx"); err != nil { // which is not in the path of a user
			t.Skip("nginx is not installed")
		}
	}
	dir := proctest.OpenDir(t)
	resolver, edge, api, files := porttest.Free(t), porttest.Free(t), porttest.Free(t), porttest.Free(t)
	s := newSite(t, "--listen", api, "--edge-listen", files, "--public-url", "http://"+resolver, "--edge-url", "http://"+edge)
	f := front{filepath.Join(dir, "access.log"), "http://" + edge}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`daemon off; master_process off; %s pid %[2]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
  access_log %[3]s combined;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi; scgi_temp_path %[2]s/scgi; uwsgi_temp_path %[2]s/uwsgi;
  server { listen %[4]s; location / { proxy_pass http://%[5]s; proxy_http_version 1.1; proxy_set_header Host $http_host; } }
  server { listen %[6]s; location / { proxy_pass http://%[7]s; proxy_http_version 1.1; proxy_set_header Host $http_host; } }
}`, user, dir, f.log, resolver, api, edge, files)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-e", "stderr", "-c", path)
	proctest.DieWithParent(cmd)
	server, err := proctest.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-server.Done
	})
	proctest.Eventually(t, "nginx listens", func() bool {
		conn, err := net.DialTimeout("tcp", resolver, time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return s, f
}

// request sends a request with an agent, follows redirects, and reads the answer.
func request(t *testing.T, method, url, agent string, header ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", agent)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// logged waits until the log has a number of lines with a text.
func (f front) logged(t *testing.T, text string, n int) {
	t.Helper()
	proctest.Until(t, fmt.Sprintf("nginx logs %d lines with %q", n, text), func() int {
		body, err := os.ReadFile(f.log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(body), text)
	}, func(got int) bool { return got >= n })
}

// statistics returns the rows of repomill stats --json.
func (s *site) statistics(t *testing.T, args ...string) (rows []string) {
	t.Helper()
	a := s.does(t, 0, "", append([]string{"stats"}, args...)...)
	for line := range strings.Lines(a.Stdout) {
		rows = append(rows, strings.TrimSpace(line))
	}
	return rows
}

// What real clients download through nginx is counted, once.
func TestStatisticsOfNginx(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get")
	s, f := newFrontedSite(t)
	s.publish(t, "acme/stats/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"}), newDEB(t, debtest.Spec{Version: "1:2.0+x", Arch: "amd64"}), newDEB(t, debtest.Spec{Name: "common"}))
	_, sources := get(t, s.url+"/acme/stats/ubuntu/jammy.sources")
	for _, packages := range [][]string{{"hello=1.0", "common"}, {"hello=1.0"}, {"hello=1:2.0+x"}} {
		a := newApt(t, "amd64")
		a.Source(t, "sources", string(sources))
		a.Update(t)
		a.download(t, packages...)
	}
	const pool = "/acme/stats/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb"
	const old = "/acme/stats/packages/ubuntu/jammy/hello_1.0_amd64.deb/download"
	for _, r := range []struct {
		method, path, agent string
		status              int
		header              []string
	}{
		{"GET", old, "curl/7.88.1", 200, nil},
		{"GET", pool, "curl/7.88.1", 206, []string{"Range", "bytes=0-9"}},
		{"GET", pool, "curl/7.88.1", 206, []string{"Range", "bytes=0-"}}, // all of it
		{"HEAD", pool, "curl/7.88.1", 200, nil},
		{"GET", pool, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", 200, nil},
		{"GET", strings.Replace(pool, "1.0", "9.9", 1), "curl/7.88.1", 404, nil},
		{"GET", "/acme/stats/gpgkey", "curl/7.88.1", 200, nil},
	} {
		if got := request(t, r.method, s.url+r.path, r.agent, r.header...); got != r.status {
			t.Errorf("%s %s: status %d, want %d", r.method, r.path, got, r.status)
		}
	}
	f.logged(t, `HTTP/1.1" 404 `, 1)
	f.logged(t, "gpgkey?", 1) // of the edge, the last line

	run := s.does(t, 0, "", "stats", "run", f.log, "--json")
	var sum struct {
		Logs  int
		Lines struct{ Downloads, Metadata, Redirects, Partial, Unknown, Bots, Malformed int }
	}
	if err := json.Unmarshal([]byte(run.Stdout), &sum); err != nil {
		t.Fatal(err)
	}
	l := sum.Lines
	if sum.Logs != 1 || l.Downloads != 6 || l.Metadata != 3 || l.Redirects != 1 || l.Partial != 1 || l.Unknown != 0 || l.Bots < 2 || l.Malformed != 0 { // the crawler, and push, which looks at the index
		body, _ := os.ReadFile(f.log) //nolint:errcheck // it was read before
		t.Errorf("counted %s of\n%s", run.Stdout, body)
	}
	want := []string{
		`{"arch":"amd64","downloads":4,"package":"hello","repository":"acme/stats","version":"1.0"}`,
		`{"arch":"all","downloads":1,"package":"common","repository":"acme/stats","version":"1.0"}`,
		`{"arch":"amd64","downloads":1,"package":"hello","repository":"acme/stats","version":"1:2.0+x"}`,
	}
	again := func() {
		t.Helper()
		if diff := cmp.Diff(want, s.statistics(t, "acme/stats", "--by", "version", "--json")); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
	}
	again()
	s.does(t, 0, "", "stats", "run", f.log)
	again()
	if diff := cmp.Diff([]string{`{"downloads":6,"legacy":"","repository":"acme/stats"}`, `{"legacy":"direct-download","redirects":1,"repository":"acme/stats"}`}, s.statistics(t, "--by", "legacy", "--json")); diff != "" {
		t.Errorf("old URLs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"DISTRIBUTION", "acme/stats  ubuntu/jammy  5"}, trimmed(s.statistics(t, "acme/stats/ubuntu", "--by", "distribution", "--package", "hello"))); diff != "" {
		t.Errorf("a table (-want +got):\n%s", diff)
	}
	clients := strings.Join(s.statistics(t, "--by", "client", "--json"), "\n")
	if !strings.Contains(clients, `{"client":"curl","client_version":"7.88.1","downloads":2}`) || !strings.Contains(clients, `{"client":"apt",`) {
		t.Errorf("clients are\n%s", clients)
	}
	s.does(t, 2, "use owner[/name[/os[/version]]]", "stats", "acme/stats/ubuntu/jammy/main")
	s.does(t, 1, "acme/stat ", "stats", "acme/stat")
	s.does(t, 4, "no file has this name", "stats", "run", f.log+".none")
}

// trimmed returns lines with the blanks between their columns as two, and of the heading the second column alone.
func trimmed(lines []string) []string {
	for i, l := range lines {
		cells := strings.Fields(l)
		if i == 0 && len(cells) > 1 {
			cells = cells[1:2]
		}
		lines[i] = strings.Join(cells, "  ")
	}
	return lines
}
