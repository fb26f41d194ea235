//go:build linux

package serve_test

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/serve"
	"repomill/serve/cloudfront"
	"repomill/testdata/proctest"
)

const (
	benchClients = 8    // connections, kept alive
	benchBlock   = 2000 // requests to one server before it is the other's turn
	benchPaths   = 1000
	benchServers = "REPOMILL_BENCH_SERVERS" // set in the process that serves
)

func TestMain(m *testing.M) {
	if os.Getenv(benchServers) != "" {
		serveBench()
		return
	}
	os.Exit(m.Run())
}

// BenchmarkResolver compares the resolver with a bare net/http redirect, in turns, over connections that
// are kept alive. The servers are a process of their own, whose CPU time is what is reported; x-bare is
// how many redirects per CPU second there are for one of the bare handler.
func BenchmarkResolver(b *testing.B) {
	s := startBench(b)
	public := func(i int) string { return fmt.Sprintf("/%shello_%d_amd64.deb", pool, i%benchPaths) }
	private := func(i int) string { return fmt.Sprintf("/acme/secret/el/9/x86_64/hello-%d-1.x86_64.rpm", i%benchPaths) }
	fresh := func(i int) string {
		return fmt.Sprintf("/acme/secret/el/9/x86_64/hello-%d-%d.x86_64.rpm", i, time.Now().UnixNano())
	}
	for _, bm := range []struct {
		name, server string
		target       func(i int) string
	}{
		{"public, ECDSA", "ecdsa", public},
		{"public, RSA", "rsa", public},
		{"private, ECDSA, signed before", "ecdsa", private},
		{"private, RSA, signed before", "rsa", private},
		{"private, ECDSA, signed each time", "ecdsa", fresh},
		{"bare against itself", "bare", public},
	} {
		b.Run(bm.name, func(b *testing.B) {
			bare, ours := s.dial(b, "bare"), s.dial(b, bm.server)
			for i := range benchPaths {
				ours[0].redirected(b, bm.target(i)) // signatures are warm
			}
			var reference, measured load
			b.ResetTimer()
			for done := 0; done < b.N; done += benchBlock {
				n := min(benchBlock, b.N-done)
				reference.add(s.drive(b, bare, n, done, public))
				measured.add(s.drive(b, ours, n, done, bm.target))
			}
			b.StopTimer()
			b.ReportMetric(0, "ns/op") // of both together: no use
			b.ReportMetric(measured.cpuPer(), "cpu-us/op")
			b.ReportMetric(reference.cpuPer(), "bare-cpu-us/op")
			b.ReportMetric(reference.cpuPer()/measured.cpuPer(), "x-bare")
			b.ReportMetric(measured.rate(), "req/s")
			b.ReportMetric(reference.rate(), "bare-req/s")
			b.ReportMetric(measured.p99(), "p99-us")
			b.ReportMetric(reference.p99(), "bare-p99-us")
		})
	}
}

// A load is what some requests cost.
type load struct {
	took, cpu time.Duration // of the wall clock, and of the serving process
	each      []time.Duration
}

func (l *load) add(more load) {
	l.took, l.cpu, l.each = l.took+more.took, l.cpu+more.cpu, append(l.each, more.each...)
}

func (l *load) cpuPer() float64 { return float64(l.cpu.Microseconds()) / float64(len(l.each)) }
func (l *load) rate() float64   { return float64(len(l.each)) / l.took.Seconds() }
func (l *load) p99() float64 {
	slices.Sort(l.each)
	return float64(l.each[len(l.each)*99/100].Microseconds())
}

// A bench is the process of the servers.
type bench struct {
	cmd       *exec.Cmd
	addresses map[string]string
}

func startBench(b *testing.B) *bench {
	b.Helper()
	s := &bench{cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), benchServers+"=yes")
	proctest.DieWithParent(s.cmd)
	s.cmd.Stderr = os.Stderr
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); _ = s.cmd.Wait() })
	if err := json.NewDecoder(stdout).Decode(&s.addresses); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *bench) dial(b *testing.B, name string) (clients []*client) {
	b.Helper()
	for range benchClients {
		conn, err := net.Dial("tcp", s.addresses[name])
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		clients = append(clients, &client{conn: conn, r: bufio.NewReader(conn)})
	}
	return clients
}

// drive sends n requests, from the one with number first on, by all clients at once.
func (s *bench) drive(b *testing.B, clients []*client, n, first int, target func(int) string) load {
	b.Helper()
	each := make([]time.Duration, n)
	before, began := s.cpu(b), time.Now()
	var wg sync.WaitGroup
	for c, client := range clients {
		wg.Go(func() {
			for i := c; i < n; i += len(clients) {
				sent := time.Now()
				client.redirected(b, target(first+i))
				each[i] = time.Since(sent)
			}
		})
	}
	wg.Wait()
	return load{took: time.Since(began), cpu: s.cpu(b) - before, each: each}
}

// cpu is what the serving process has used so far (proc_pid_schedstat: nanoseconds on a CPU), of all threads.
func (s *bench) cpu(b *testing.B) (total time.Duration) {
	b.Helper()
	tasks := fmt.Sprintf("/proc/%d/task", s.cmd.Process.Pid)
	threads, err := os.ReadDir(tasks)
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range threads {
		text, err := os.ReadFile(tasks + "/" + t.Name() + "/schedstat")
		if err != nil {
			b.Fatal(err)
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}

// A client is one connection that reads no more of an answer than it must.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

func (c *client) redirected(b *testing.B, target string) {
	if _, err := c.conn.Write([]byte("GET " + target + " HTTP/1.1\r\nHost: packages.example.org\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\nAuthorization: Bearer " + goodToken + "\r\n\r\n")); err != nil {
		b.Error(err)
		return
	}
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil || first && !bytes.HasPrefix(line, []byte("HTTP/1.1 302 ")) {
			b.Errorf("%s: got %q, %v", target, line, err)
			return
		}
		if len(line) == 2 { // the end of the headers; there is no body
			return
		}
	}
}

// serveBench serves until its standard input ends, and first prints where.
func serveBench() {
	elliptic := mustKey()
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	signed := benchResolver(elliptic)
	location := httptest.NewRecorder()
	signed.ServeHTTP(location, httptest.NewRequest(http.MethodGet, "/"+debKey, nil))
	addresses := map[string]string{}
	for name, h := range map[string]http.Handler{"bare": bareRedirect(location.Header().Get("Location")), "ecdsa": signed, "rsa": benchResolver(old)} {
		addresses[name] = httptest.NewServer(h).Listener.Addr().String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		panic(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// bareRedirect is the least that a handler can do.
func bareRedirect(location string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Location"] = []string{location}
		h["Content-Length"] = []string{"0"}
		w.WriteHeader(http.StatusFound)
	})
}

// benchResolver counts its answers as the command does.
func benchResolver(key crypto.Signer) http.Handler {
	signer, err := cloudfront.NewSigner(&url.URL{Scheme: "https", Host: "d111.cloudfront.net"}, keyID, key)
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.DiscardHandler)
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests"}, []string{"status", "visibility"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "duration"}, []string{"kind"})
	return serve.NewResolver(serve.ResolverConfig{
		Signer: signer, Settings: newSettings(newBucket(), log, time.Now), Log: log, Now: time.Now,
		Observe: func(a serve.Answer) {
			requests.WithLabelValues(strconv.Itoa(a.Status), string(a.Visibility)).Inc()
			duration.WithLabelValues("redirect").Observe(a.Took.Seconds())
		},
	})
}
