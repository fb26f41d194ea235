package versus_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/proctest"
)

// The releases that are measured.
var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

// target returns where packages of a release are pushed.
func target(r catalog.Release) string { return r.Repository.String() + "/" + r.Distribution.String() }

// A site is the data folder of a repomill up, and its process while it runs.
type site struct {
	data string
	up   *proctest.Process
	rows int      // that it begins with, if it was seeded
	more []string // flags
	next int      // the package that is pushed next; no two pushes are of the same one
}

// newSite makes a data folder with a signing key of RSA-4096.
func newSite(b *testing.B, name string) *site {
	b.Helper()
	s := &site{data: filepath.Join(work, name)}
	signer, err := sign.Generate("bench", 4096, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	armored, err := signer.Private()
	if err != nil {
		b.Fatal(err)
	}
	write(b, s.data, "signing-key.asc", string(armored))
	if err := os.Chmod(filepath.Join(s.data, "signing-key.asc"), 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

// ofRows makes a site one whose first packages are rows alone. No contents can be read of them, and a process that tries does nothing else.
func (s *site) ofRows(count int) {
	s.rows, s.next, s.more = count, count, []string{"--contents-max-size", "0"}
}

// staging returns the folder into which the packages of a release go.
func (s *site) staging(r catalog.Release) string { return filepath.Join(s.data, "staging", target(r)) }

// start starts the process and waits until it is ready.
func (s *site) start(b *testing.B) {
	b.Helper()
	cmd := command(s.data, *binary, proctest.UpArgs(s.data, s.more...)...)
	log, err := os.Create(s.data + ".log")
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	b.Cleanup(s.kill)
	if s.up, _, err = proctest.Up(cmd); err != nil {
		b.Fatalf("%v; its log ends with\n%s", err, s.logEnd())
	}
}

// kill ends the process, if it still runs when the benchmark ends.
func (s *site) kill() {
	if s.up != nil {
		s.up.Kill() //nolint:errcheck // it may have ended
		s.up = nil
	}
}

func (s *site) logEnd() string {
	log, err := os.ReadFile(s.data + ".log")
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}

// stop ends the process and returns what it took from its start.
func (s *site) stop(b *testing.B) expense {
	b.Helper()
	e := expense{peak: peakOf(s.up.Cmd.Process.Pid)}
	if err := s.up.Stop(); err != nil {
		b.Fatalf("%v; its log ends with\n%s", err, s.logEnd())
	}
	e.cpu = s.up.Cmd.ProcessState.UserTime() + s.up.Cmd.ProcessState.SystemTime()
	s.up = nil
	return e
}

// during returns what the process takes while do runs.
func (s *site) during(b *testing.B, do func()) expense {
	b.Helper()
	before, start := cpuOf(b, s.up.Cmd.Process.Pid), time.Now()
	do()
	return expense{cpu: cpuOf(b, s.up.Cmd.Process.Pid) - before, wall: time.Since(start), peak: peakOf(s.up.Cmd.Process.Pid)}
}

// drained waits until no upload is left, and each of these releases shows so many packages.
func (s *site) drained(b *testing.B, want map[string]int) {
	b.Helper()
	db, err := catalogdb.Open("sqlite://" + filepath.Join(s.data, "catalog.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for end := time.Now().Add(30 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		done, err := isDrained(b.Context(), db, want)
		if err != nil {
			b.Fatalf("%v; the log ends with\n%s", err, s.logEnd())
		}
		if done {
			return
		}
	}
	b.Fatalf("not published: %v; the log ends with\n%s", want, s.logEnd())
}

// idle waits until the process has done what it does beside publishing, such as the pages of rows that it found: until it takes a tenth of a
// processor at most, for some seconds.
func (s *site) idle(b *testing.B) {
	b.Helper()
	const look = time.Second
	still, end := 0, time.Now().Add(time.Hour)
	for before := cpuOf(b, s.up.Cmd.Process.Pid); still < 3; {
		if time.Now().After(end) {
			b.Fatalf("the process does not come to rest; its log ends with\n%s", s.logEnd())
		}
		time.Sleep(look)
		now := cpuOf(b, s.up.Cmd.Process.Pid)
		still++
		if now-before > look/10 {
			still = 0
		}
		before = now
	}
}

func isDrained(ctx context.Context, db *catalogdb.DB, want map[string]int) (bool, error) {
	backlog, err := db.Backlog(ctx)
	if err != nil || backlog > 0 {
		return false, err
	}
	states, err := db.Releases(ctx)
	if err != nil {
		return false, err
	}
	missing := len(want)
	for _, r := range states {
		count, ok := want[r.Release.String()]
		if !ok || r.Published != r.Revision.Number {
			continue
		}
		if got, err := db.Count(ctx, r.Release); err != nil {
			return false, err
		} else if got == count {
			missing--
		}
	}
	return missing == 0, nil
}

// push pushes one file as CI does, and returns what that took of the pushing process.
func (s *site) push(b *testing.B, r catalog.Release, file string) expense {
	b.Helper()
	return measure(b, command(work, *binary, "push", "--wait", "--timeout", "20m", "--staging", "file://"+filepath.Join(s.data, "staging"), target(r), file))
}

// objects returns the paths and sizes of the bucket's files for which keep holds.
func (s *site) objects(b *testing.B, below string, keep func(key string) bool) map[string]int64 {
	b.Helper()
	root := filepath.Join(s.data, "bucket", below)
	found := map[string]int64{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !keep(path) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			found[path] = info.Size()
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	return found
}

// indexDir returns the folder of a release's indexes, below the bucket.
func indexDir(r catalog.Release) string {
	if r.Arch != "" {
		return filepath.Join(r.String(), "repodata")
	}
	return filepath.Join(r.Repository.String(), r.Distribution.OS, "dists", r.Distribution.Version)
}

// isIndex reports whether an object is an index under the name that its content gives it.
func isIndex(path string) bool {
	return strings.Contains(path, "/by-hash/") || strings.HasSuffix(path, ".xml.gz") || strings.HasSuffix(path, ".xml.zst")
}
