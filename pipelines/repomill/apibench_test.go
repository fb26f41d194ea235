package main_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// These benchmarks run the role by itself on a folder, so that its cost is not that of publishing.

// startAPIBench starts the role on an empty folder.
func startAPIBench(b *testing.B) (cmd *exec.Cmd, staging, address, token string) {
	b.Helper()
	data := b.TempDir()
	staging = data + "/staging"
	if err := os.Mkdir(staging, 0o755); err != nil {
		b.Fatal(err)
	}
	path, err := program()
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range [][]string{{"migrate"}, {"repo", "create", "acme/bench"}} {
		if out, err := exec.Command(path, append(line, "--catalog", "sqlite://"+data+"/catalog.db")...).CombinedOutput(); err != nil && !strings.Contains(string(out), "recorded; no worker runs") {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	address = porttest.Free(b)
	token = apiToken(b, data, "all", "bench", "push")
	cmd = exec.Command(path, "api", "--catalog", "sqlite://"+data+"/catalog.db", "--staging", "file://"+staging,
		"--public-url", "https://packages.example", "--listen", address, "--ops-listen", "", "--log-level", "warn")
	cmd.Stderr = os.Stderr
	proctest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) //nolint:errcheck // it may have ended
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get("http://" + address + "/api/"); err == nil {
			resp.Body.Close()
			return cmd, staging, address, token
		}
	}
	b.Fatal("api is not ready")
	return nil, "", "", ""
}

func putBench(address, token, name string, body io.Reader, size int64) (int, error) {
	req, err := http.NewRequest(http.MethodPut, "http://"+address+"/api/v1/upload/acme/bench/ubuntu/jammy/"+name, body)
	if err != nil {
		return 0, err
	}
	req.ContentLength = size
	req.SetBasicAuth(token, "")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// spent returns the processor time of a process so far, and the most memory that it had.
func spent(b *testing.B, pid int) (cpu time.Duration, peakMiB float64) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))
	for _, f := range fields[12:14] { // utime and stime, in hundredths
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, high, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(high)[0])
	if err != nil {
		b.Fatal(err)
	}
	return cpu, float64(kib) / 1024
}

// BenchmarkAPILarge uploads 1.4 GB, and compares the processor time of the server with that of cp and sha256sum.
func BenchmarkAPILarge(b *testing.B) {
	benchLarge(b, func(address, token string, f io.Reader, size int64) error {
		if status, err := putBench(address, token, "large.deb", f, size); status != http.StatusAccepted || err != nil {
			return fmt.Errorf("%d, %w", status, err)
		}
		return nil
	})
}

// BenchmarkAPIForm is [BenchmarkAPILarge] by packagecloud's call, with the file first.
func BenchmarkAPIForm(b *testing.B) {
	benchLarge(b, func(address, token string, f io.Reader, size int64) error {
		kind, form := restClient("large.deb", []byte("\x00"), "ubuntu/jammy")
		before, behind, _ := strings.Cut(form, "\x00")
		req, err := http.NewRequest(http.MethodPost, "http://"+address+"/api/v1/repos/acme/bench/packages.json", io.MultiReader(strings.NewReader(before), f, strings.NewReader(behind)))
		if err != nil {
			return err
		}
		req.ContentLength = int64(len(form)) - 1 + size
		req.SetBasicAuth(token, "")
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Prefer", "respond-async")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated || err != nil {
			return fmt.Errorf("%d %s, %w", resp.StatusCode, text, err)
		}
		return nil
	})
}

// benchLarge measures the server while it receives a file.
func benchLarge(b *testing.B, send func(address, token string, f io.Reader, size int64) error) {
	b.Helper()
	const size = 1_400_000_000
	file := filepath.Join(b.TempDir(), "large.deb")
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{1}), size); err != nil {
		b.Fatal(err)
	}
	f.Close()
	for b.Loop() {
		cmd, staging, address, token := startAPIBench(b)
		before, _ := spent(b, cmd.Process.Pid)
		f, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		if err := send(address, token, f, size); err != nil {
			b.Fatal(err)
		}
		after, peak := spent(b, cmd.Process.Pid)
		reference := time.Duration(0)
		for _, line := range [][]string{{"cp", file, staging + "/copy"}, {"sha256sum", staging + "/copy"}} {
			c := exec.Command(line[0], line[1:]...)
			if err := c.Run(); err != nil {
				b.Fatal(err)
			}
			reference += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
		}
		b.ReportMetric(peak, "peak-MiB")
		b.ReportMetric((after - before).Seconds(), "cpu-s")
		b.ReportMetric((after-before).Seconds()/reference.Seconds(), "of-cp-and-sha256sum")
	}
}

// BenchmarkAPISmall uploads packages of 20 kB at a rate of 200 a second for some seconds.
func BenchmarkAPISmall(b *testing.B) {
	const rate, seconds = 200, 20
	body := bytes.Repeat([]byte("x"), 20_000)
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 32
	for b.Loop() {
		cmd, staging, address, token := startAPIBench(b)
		var good, bad atomic.Int64
		one := func(i int) {
			if status, err := putBench(address, token, fmt.Sprintf("a%d.deb", i), bytes.NewReader(body), int64(len(body))); status != http.StatusAccepted || err != nil {
				bad.Add(1)
				return
			}
			good.Add(1)
		}
		before, first := spent(b, cmd.Process.Pid)
		var g sync.WaitGroup
		jobs := make(chan int, rate)
		for range 16 {
			g.Go(func() {
				for i := range jobs {
					one(i)
				}
			})
		}
		start := time.Now()
		for i := range rate * seconds {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / rate)))
			jobs <- i
		}
		close(jobs)
		g.Wait()
		took := time.Since(start)
		after, peak := spent(b, cmd.Process.Pid)
		entries, err := os.ReadDir(staging + "/acme/bench/ubuntu/jammy")
		if err != nil || int64(len(entries)) != good.Load() || bad.Load() != 0 {
			b.Errorf("%d in staging, %d accepted, %d not, %v", len(entries), good.Load(), bad.Load(), err)
		}
		b.ReportMetric(float64(good.Load())/took.Seconds(), "uploads/s")
		b.ReportMetric((after-before).Seconds()/float64(good.Load())*1000, "cpu-ms/upload")
		b.ReportMetric(peak-first, "grown-MiB")
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Error(err)
		}
	}
}
