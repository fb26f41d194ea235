package proctest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Tool builds the program of a module below testdata that has it as a tool, and returns its path. Go keeps the program, and
// builds it again only when its sources change. The module's folder is relative to that of repomill's go.mod.
func Tool(dir, name string) (path string, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the folder of go.mod: %w", err)
	}
	cmd := exec.Command("go", "-C", filepath.Join(strings.TrimSpace(string(root)), dir), "tool", "-n", name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("build %s: %w: %s", dir, err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// A Server is a program that serves on a socket in a folder of its own. A test may kill it and start it again: its folder stays.
type Server struct {
	Transport *http.Transport // its connections all lead there

	dir, program string
	args         []string
	log          *Output
	process      *Process // nil while it is down
}

// Serve runs a server until the test ends. Its first argument is a folder, in which it listens on the file socket; args
// follow. Serve returns a transport whose connections all lead there.
func Serve(t testing.TB, program string, args ...string) *http.Transport {
	t.Helper()
	return NewServer(t, program, args...).Transport
}

// NewServer is [Serve] for a server that is to be killed.
func NewServer(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "serve-") //nolint:usetesting // a socket's path is at most 107 bytes long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{dir: dir, program: program, args: args, log: new(Output)}
	s.Transport = &http.Transport{DialContext: s.dial}
	t.Cleanup(s.Transport.CloseIdleConnections)
	t.Cleanup(func() { s.end(t) })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Server) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "socket"))
}

// Start starts a server that is down, and returns when it listens.
func (s *Server) Start(ctx context.Context) (err error) {
	cmd := exec.Command(s.program, append([]string{s.dir}, s.args...)...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if s.process, err = Start(cmd); err != nil {
		return err
	}
	name := filepath.Base(s.program)
	for late := time.After(Limit); ; {
		conn, err := s.dial(ctx, "", "")
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.process.Done:
			return fmt.Errorf("%s ended before it listened: %w\n%s", name, s.process.Err, Tail(s.log.String()))
		case <-late:
			return fmt.Errorf("%s does not listen: %w\n%s", name, err, Tail(s.log.String()))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Kill ends the server with SIGKILL. Requests that it was answering break.
func (s *Server) Kill() error {
	p := s.process
	if s.process = nil; p == nil {
		return nil
	}
	return p.Kill()
}

// end ends the server with the test, in the middle of which it must not have ended by itself.
func (s *Server) end(t testing.TB) {
	if s.process == nil {
		return
	}
	select {
	case <-s.process.Done:
		t.Errorf("%s ended in the middle of the test: %v\n%s", filepath.Base(s.program), s.process.Err, Tail(s.log.String()))
	default:
		s.Kill() //nolint:errcheck // it may be ending
	}
}
