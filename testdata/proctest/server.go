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
// builds it again only when its sources change.
func Tool(dir, name string) (path string, err error) {
	cmd := exec.Command("go", "-C", dir, "tool", "-n", name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("build %s: %w: %s", dir, err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// Serve runs a server until the test ends. Its first argument is a folder, in which it listens on the file socket; args
// follow. Serve returns a transport whose connections all lead there.
func Serve(t testing.TB, program string, args ...string) *http.Transport {
	t.Helper()
	dir, err := os.MkdirTemp("", "serve-") //nolint:usetesting // a socket's path is at most 107 bytes long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	log := new(Output)
	cmd := exec.Command(program, append([]string{dir}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-p.Done:
			t.Errorf("%s ended in the middle of the test: %v\n%s", filepath.Base(program), p.Err, Tail(log.String()))
		default:
			p.Kill() //nolint:errcheck // it may be ending
		}
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "socket"))
	}
	for late := time.After(Limit); ; {
		conn, err := dial(t.Context(), "", "")
		if err == nil {
			conn.Close()
			break
		}
		select {
		case <-p.Done:
			t.Fatalf("%s ended before it listened: %v\n%s", filepath.Base(program), p.Err, Tail(log.String()))
		case <-late:
			t.Fatalf("%s does not listen: %v\n%s", filepath.Base(program), err, Tail(log.String()))
		case <-time.After(5 * time.Millisecond):
		}
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
