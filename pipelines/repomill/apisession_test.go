package main_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
	"repomill/testdata/proctest"
)

// Of a large file that is pushed over a staging bucket in the cloud, the API receives nothing. The same file through it is for
// comparison.
func TestLargeFilesPassTheAPIBy(t *testing.T) {
	t.Parallel()
	const size = 40_000_000
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	data, server := t.TempDir(), gcstest.Start(t)
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	token := apiToken(t, data, "acme", "ci", "push")
	file := filepath.Join(data, "large_1.0_amd64.deb")
	if err := os.WriteFile(file, debtest.Build(t, debtest.Spec{Name: "large", Arch: "amd64", Size: size, Seed: 1}), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		closed  int   // how often the store answers that it is forbidden to the client
		through int64 // bytes that the API receives, at least
		said    string
	}{
		{"past the API", 0, 0, ""},
		{"through the API, where the store is closed", 1, size, "they are sent through the server"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := beginAPIOver(t, data, server.URL("staging"), "127.0.0.1:0")
			server.Fail(gcstest.Forbidden, tt.closed, func(r *http.Request) bool {
				return strings.HasPrefix(r.Header.Get("Content-Range"), "bytes 0-") && r.URL.Query().Has("upload_id")
			})
			start := time.Now()
			a := proctest.Run(t, []string{"REPOMILL_TOKEN=" + token}, path, "push", "--server", "http://"+addressIn(t, p, "listen"), "acme/tools/ubuntu/jammy", file)
			took := time.Since(start)
			if a.Code != 0 || !strings.Contains(a.Stderr, tt.said) || (a.Stderr != "") != (tt.said != "") {
				t.Fatal(a)
			}
			received := receivedBy(t, addressIn(t, p, "ops"))
			if received < tt.through || received > 0 && tt.through == 0 {
				t.Errorf("the API received %d bytes, want %d", received, tt.through)
			}
			t.Logf("%d bytes through the API, whose memory was %.0f MiB at most; %s", received, peakOf(t, p.Cmd.Process.Pid), took.Round(time.Millisecond))
		})
	}
}

// The lines of deploy/ci.md do the same with curl.
func TestLinesThatSendALargeFilePastTheAPI(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	document, err := os.ReadFile("../../deploy/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```sh\n(file=large.*?)```").FindSubmatch(document)
	if m == nil {
		t.Fatal("there are no lines in deploy/ci.md")
	}
	data, server := t.TempDir(), gcstest.Start(t)
	if a := repomill(t, "migrate", "--catalog", "sqlite://"+data+"/catalog.db"); a.Code != 0 {
		t.Fatal(a)
	}
	if err := os.WriteFile(filepath.Join(data, "large_1.0_amd64.deb"), debtest.Build(t, debtest.Spec{Name: "large", Arch: "amd64"}), 0o644); err != nil {
		t.Fatal(err)
	}
	p := beginAPIOver(t, data, server.URL("staging"), "127.0.0.1:0")
	env := []string{"REPOMILL_SERVER=http://" + addressIn(t, p, "listen"), "REPOMILL_TOKEN=" + apiToken(t, data, "acme", "ci", "push")}
	lines := strings.NewReplacer("?wait=30s", "", // no worker runs
		"-re .url)", "-re .url | sed s,https://packages.example,$REPOMILL_SERVER,)").Replace(string(m[1]))
	a := proctest.Run(t, env, "sh", "-euc", "cd "+data+"\n"+lines)
	if a.Code != 0 || !strings.Contains(a.Stdout, `"state":"staged"`) || !strings.Contains(a.Stdout, "~large_1.0_amd64.deb") {
		t.Error(a)
	}
}

// receivedBy returns how many bytes of uploads an API has received, as its metrics say.
func receivedBy(t *testing.T, ops string) int64 {
	t.Helper()
	resp, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^repomill_api_received_bytes_total (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no bytes in %s", text)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// peakOf returns the most memory that a process had, in MiB; 0 where /proc does not say it.
func peakOf(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, high, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(high)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kib) / 1024
}
