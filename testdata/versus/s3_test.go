package versus_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
	"repomill/testdata/s3test"
)

// BenchmarkS3 publishes one more package into large releases in an S3 bucket, and counts the requests and bytes that this takes.
// Pages are left out: those of all rows are made at the same time, for they are first seen here.
func BenchmarkS3(b *testing.B) {
	for _, count := range sizes.rows {
		for _, r := range []catalog.Release{jammy, el9} {
			b.Run(fmt.Sprintf("%s=%d", r.Distribution.OS, count), func(b *testing.B) {
				for b.Loop() {
					onS3(b, r, count)
				}
			})
		}
	}
}

func onS3(b *testing.B, r catalog.Release, count int) {
	b.Helper()
	s := newSite(b, fmt.Sprintf("s3-%s-%d", r.Distribution.OS, count))
	defer remove(b, s.data)
	corpus.Seed(b, s.data, r, rowsOf(b, r, count)())
	s.ofRows(count)
	server, meter := s3test.Start(b), &meter{counts: map[string]traffic{}}
	s.startWorker(b, meter.before(b, server.URL("packages")))
	s.drained(b, map[string]int{r.String(): count})
	s.stageNext(b, r) // what comes once, comes here
	meter.reset()
	for range sizes.pushes {
		s.stageNext(b, r)
	}
	counts := meter.reset()
	s.kill() // pages are made beside, of all rows
	record(b, figure{who: ours, note: counts.said(sizes.pushes)})
	var lines strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		c := counts[what]
		fmt.Fprintf(&lines, "\n%-50s %8.2f requests %10.3f MB", what, float64(c.requests)/float64(sizes.pushes), float64(c.bytes)/1e6/float64(sizes.pushes))
	}
	fmt.Printf("%s, for each publish:%s\n", b.Name(), lines.String()) // b.Log shows the first ten lines
}

// stageNext stages the next package that the release can take, and waits until it is published.
func (s *site) stageNext(b *testing.B, r catalog.Release) {
	b.Helper()
	for packages.RPMArch(s.next) != "x86_64" {
		s.next++
	}
	packed := debs
	if r.Arch != "" {
		packed = rpms
	}
	if err := os.MkdirAll(s.staging(r), 0o755); err != nil {
		b.Fatal(err)
	}
	s.stage(b, r, more(b, packed, s.next))
	s.next++
}

// startWorker starts a worker on a bucket, with the staging folder and the catalog of the site.
func (s *site) startWorker(b *testing.B, bucket string) {
	b.Helper()
	if err := os.MkdirAll(filepath.Join(s.data, "staging"), 0o755); err != nil {
		b.Fatal(err)
	}
	cmd := command(s.data, *binary, append([]string{"worker", "--staging", "file://" + s.data + "/staging", "--events", "dir://",
		"--catalog", "sqlite://" + s.data + "/catalog.db", "--bucket", bucket, "--signing-key", "file://" + s.data + "/signing-key.asc",
		"--public-url", "http://127.0.0.1:8080", "--create", "auto", "--cache", s.data + "/cache", "--ops-listen", "127.0.0.1:0"}, s.more...)...)
	cmd.Env = append(cmd.Env, s3test.Env()...)
	log, err := os.Create(s.data + ".log")
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	b.Cleanup(s.kill)
	if s.up, err = proctest.Start(cmd); err != nil {
		b.Fatal(err)
	}
}

// A meter is a proxy in front of a store that counts what is asked and sent.
type meter struct {
	mu     sync.Mutex
	counts traffics
}

// traffics are requests by their operation and what they are for.
type traffics map[string]traffic

type traffic struct {
	requests int
	bytes    int64 // sent to the store
}

// before returns the URL of a bucket behind the meter.
func (m *meter) before(b *testing.B, bucket string) string {
	b.Helper()
	u, err := url.Parse(bucket)
	if err != nil {
		b.Fatal(err)
	}
	query := u.Query()
	behind, err := url.Parse(query.Get("endpoint"))
	if err != nil {
		b.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.count(r)
		pass.ServeHTTP(w, r)
	}))
	b.Cleanup(proxy.Close)
	query.Set("endpoint", proxy.URL)
	u.RawQuery = query.Encode()
	return u.String()
}

func (m *meter) count(r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := r.URL.Path
	if q := r.URL.Query(); q.Has("list-type") {
		path = "/" + q.Get("prefix")
	}
	what := s3Operation(r) + " " + purpose(path)
	c := m.counts[what]
	c.requests++
	c.bytes += max(r.ContentLength, 0)
	m.counts[what] = c
}

// reset returns what was counted and begins at zero.
func (m *meter) reset() traffics {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.counts
	m.counts = traffics{}
	return old
}

// s3Operation returns what a request asks, in S3's words.
func s3Operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPut && q.Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") != "":
		return "UploadPartCopy"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return "UploadPart"
	case r.Method == http.MethodPut:
		return "PutObject"
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "CreateMultipartUpload"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "CompleteMultipartUpload"
	case r.Method == http.MethodGet && q.Has("list-type"):
		return "ListObjectsV2"
	default:
		return map[string]string{http.MethodGet: "GetObject", http.MethodHead: "HeadObject", http.MethodDelete: "DeleteObject"}[r.Method]
	}
}

const pages = "pages"

// purpose returns what an object of a bucket is.
func purpose(path string) string {
	name := filepath.Base(path)
	switch {
	case strings.HasSuffix(name, ".html") || strings.HasSuffix(name, ".atom") || name == "index.json" || strings.Contains(path, "/p/"):
		return pages
	case strings.HasSuffix(name, ".deb") || strings.HasSuffix(name, ".rpm"):
		return "package"
	case isIndex(path):
		return "index"
	case strings.Contains(path, "/dists/") && strings.HasPrefix(name, "Packages"):
		return "index under its plain name"
	case name == "InRelease" || strings.HasPrefix(name, "Release") || strings.HasPrefix(name, "repomd.xml"):
		return "pointer and signatures"
	default:
		return "other"
	}
}

// dear are the operations that S3 charges as writes, and lists as well.
var dear = map[string]bool{
	"PutObject": true, "UploadPart": true, "UploadPartCopy": true, "CreateMultipartUpload": true, "CompleteMultipartUpload": true, "ListObjectsV2": true,
}

// Prices of S3 Standard in us-east-1, in dollars.
const (
	dearRequest  = 0.005 / 1000
	cheapRequest = 0.0004 / 1000 // GET and HEAD; DELETE is free
	gbMonth      = 0.023
	keptMonths   = 7.0 / 30 // how long a superseded index stays by default
)

// said says what each of so many publishes took, and what S3 charges for it.
func (ts traffics) said(publishes int) string {
	var writes, reads int
	var sent, index int64
	for what, c := range ts {
		operation, of, _ := strings.Cut(what, " ")
		if of == pages {
			continue
		}
		sent += c.bytes
		if of == "index" { // that under its plain name is replaced, and not kept
			index += c.bytes
		}
		if dear[operation] {
			writes += c.requests
		} else if operation != "DeleteObject" {
			reads += c.requests
		}
	}
	each := float64(cmp.Or(publishes, 1))
	requests := (float64(writes)*dearRequest + float64(reads)*cheapRequest) / each
	stored := float64(index) / 1e9 / each * gbMonth * keptMonths
	return fmt.Sprintf("%.1f writes and lists, %.1f reads, %.2f MB sent (%.2f MB of them indexes); 1,000 publishes cost $%.3f of requests, $%.3f of superseded indexes",
		float64(writes)/each, float64(reads)/each, float64(sent)/1e6/each, float64(index)/1e6/each, 1000*requests, 1000*stored)
}
