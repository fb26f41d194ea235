package deploy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// BenchmarkWaiting measures the memory of a worker with a thousand unacknowledged events, while S3 accepts no packages and more events
// arrive. The test server of Pub/Sub streams some 90 messages a second, so the benchmark takes long.
func BenchmarkWaiting(b *testing.B) {
	for range b.N {
		c := newCompany(b)
		letGo := c.holdPackages(b)
		defer letGo()
		worker, ops := c.worker("--create", "auto", "--grace", "1s")
		proctest.Eventually(b, "the worker is ready", func() bool {
			status, _ := c.get("http://" + ops + "/readyz")
			return status == http.StatusOK
		})
		idle := memory(b, worker, "VmRSS")
		stage(b, c.staging) // twice as many as it takes at a time; each notifies Pub/Sub
		proctest.Until(b, "1,000 events are taken", func() int { return gauge(b, c, ops, "repomill_events_in_hand") }, func(n int) bool { return n >= 1000 })
		time.Sleep(5 * time.Second) // more would come now, if it took them
		b.ReportMetric(float64(gauge(b, c, ops, "repomill_events_in_hand")), "events-in-hand")
		b.ReportMetric(idle, "idle-MB")
		b.ReportMetric(memory(b, worker, "VmRSS"), "waiting-MB")
		b.ReportMetric(memory(b, worker, "VmHWM"), "peak-MB")
		b.ReportMetric(0, "ns/op")
		start := time.Now()
		if code := worker.stop(); code != 0 {
			b.Errorf("the worker ended with %d", code)
		}
		b.ReportMetric(time.Since(start).Seconds(), "stop-s")
	}
}

// holdPackages puts a proxy before S3 that does not answer who stores a package, until letGo is called.
func (c *company) holdPackages(b *testing.B) (letGo func()) {
	b.Helper()
	bucket, err := url.Parse(c.bucket)
	if err != nil {
		b.Fatal(err)
	}
	query := bucket.Query()
	behind, err := url.Parse(query.Get("endpoint"))
	if err != nil {
		b.Fatal(err)
	}
	open := make(chan struct{})
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, ".deb") {
			select {
			case <-open:
			case <-r.Context().Done():
			}
		}
		pass.ServeHTTP(w, r)
	}))
	b.Cleanup(proxy.Close)
	query.Set("endpoint", proxy.URL)
	bucket.RawQuery = query.Encode()
	c.bucket = bucket.String()
	return func() { close(open) }
}

// memory returns a figure of /proc/PID/status in MB: VmRSS, what a process has resident, or VmHWM, the
// most that it had. (That of getrusage begins, for a child, with its parent's.)
func memory(b *testing.B, p *process, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		b.Skipf("the memory of a process is read from /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	kB, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB / 1024
}

// gauge returns a metric of a worker.
func gauge(b *testing.B, c *company, ops, name string) int {
	b.Helper()
	_, body := c.get("http://" + ops + "/metrics")
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if found == nil {
		b.Fatalf("there is no metric %s", name)
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		b.Fatal(err)
	}
	return int(v)
}
