package mysqltest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // to ask the server

	"repomill/testdata/proctest"
)

// A Server is a mariadbd on a data directory of its own, reached by a socket alone. The user root has no password.
type Server struct {
	dir     string
	options []string
	process *os.Process   // nil while it does not run
	ended   chan struct{} // closed when the process is gone
	output  *bytes.Buffer // of the process; to be read when it is gone
}

// NewServer starts a server that ends with the test. Options are as on mariadbd's command line, and win
// over ours. Without mariadbd the test is skipped.
func NewServer(t testing.TB, options ...string) *Server {
	t.Helper()
	use(t)
	s, err := start(shared.template, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// start makes a data directory like another and starts a server on it.
func start(template string, options ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "mysqltest") // short: a socket's path holds 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, options: options}
	if err = os.CopyFS(s.data(), os.DirFS(template)); err == nil {
		err = s.start()
	}
	if err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// end ends the server and removes its data.
func (s *Server) end() {
	s.kill()
	os.RemoveAll(s.dir) //nolint:errcheck // a temporary directory
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Socket returns where the server listens.
func (s *Server) Socket() string { return filepath.Join(s.dir, "s") }

// startTimeout is how long a server may take to begin, also on a busy machine.
const startTimeout = 3 * time.Minute

// start starts the server and waits until it answers.
func (s *Server) start() error {
	args := []string{"--no-defaults", "--datadir=" + s.data(), "--socket=" + s.Socket(), "--pid-file=" + filepath.Join(s.dir, "pid"),
		"--skip-networking", "--skip-name-resolve", "--max-connections=300", "--max-allowed-packet=64M",
		"--innodb-buffer-pool-size=64M", logFileSize, "--innodb-flush-log-at-trx-commit=2", // what was committed outlives the process
		"--innodb-file-per-table=0", "--sync-frm=0", // a table is made in 3 ms instead of 30
		"--sql-mode=", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"}
	cmd := exec.Command(tool("mariadbd"), slices.Concat(args, asRoot(), s.options)...)
	s.output = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = s.output, s.output
	proctest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mariadbd: %w", err)
	}
	s.ended = make(chan struct{})
	go func() {
		cmd.Wait() //nolint:errcheck // it is killed
		close(s.ended)
	}()
	s.process = cmd.Process
	return s.await()
}

// await waits until the server answers.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	db, err := s.open("")
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mariadbd ended: %s", s.output)
		case <-ctx.Done():
			s.kill()
			return fmt.Errorf("mariadbd does not answer: %w: %s", err, s.output)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) open(database string) (*sql.DB, error) {
	return sql.Open("mysql", "root@unix("+s.Socket()+")/"+database)
}

// Kill ends the server as kill -9 does. What was committed is there after [Server.Restart].
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.kill()
}

func (s *Server) kill() {
	if s.process == nil {
		return
	}
	s.process.Kill() //nolint:errcheck // it may be gone
	<-s.ended
	s.process = nil
}

// Stop shuts the server down in order: it closes the connections of its clients.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	select {
	case <-s.ended:
		s.process = nil
	case <-time.After(startTimeout):
		s.kill()
		t.Errorf("mariadbd did not stop: %s", s.output)
	}
}

// Restart starts the server again on the same data, with other options besides if there are any.
func (s *Server) Restart(t testing.TB, options ...string) {
	t.Helper()
	s.kill()
	s.options = append(s.options, options...)
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Revive starts a server that was killed again, on the same data, and returns when it answers. It may be called by any goroutine.
func (s *Server) Revive() error {
	if s.process != nil {
		return nil
	}
	return s.start()
}

// Exec runs statements as root, outside of any database.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	db, err := s.open("")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// databases counts those that were made, to name them.
var databases atomic.Int64

// Database makes an empty database and returns its URL, as --catalog takes it. It is dropped when the
// test ends.
func (s *Server) Database(t testing.TB) (rawURL string) {
	t.Helper()
	name := fmt.Sprintf("test%d", databases.Add(1))
	s.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		if s.process != nil {
			s.Exec(t, "DROP DATABASE IF EXISTS "+name)
		}
	})
	return s.URL(name)
}

// URL returns the URL of a database, as --catalog takes it.
func (s *Server) URL(database string) string {
	return "mysql://root@localhost/" + database + "?" + url.Values{"socket": {s.Socket()}}.Encode()
}

// AtPort returns the URL of a database whose server is reached through a port of this machine, such as that of a proxy.
func AtPort(socketURL, port string) string {
	database := strings.TrimPrefix(socketURL[:strings.Index(socketURL, "?")], "mysql://root@")
	return "mysql://root@127.0.0.1:" + port + database[strings.Index(database, "/"):]
}
