package command

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// systemd is a socket where a test reads what systemd would.
func systemd(t *testing.T, limit string) func() string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", limit)
	return func() string {
		t.Helper()
		if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestSupervised(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(server, http.NotFoundHandler()) //nolint:errcheck // until it is closed
	dead, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); dead.Close() })
	for _, tt := range []struct {
		name, limit string
		server      net.Listener
		want        []string
	}{
		{"a server that answers is alive", "30000", server, []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"}},
		{"a process without a server is alive", "30000", nil, []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"}},
		{"a server that hangs is not", "30000", dead, []string{"READY=1", "STOPPING=1"}},
		{"a unit without WatchdogSec wants no signs of life", "", server, []string{"READY=1", "STOPPING=1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := systemd(t, tt.limit)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- Supervised(ctx, tt.server) }()
			for i, want := range tt.want {
				if want == "STOPPING=1" {
					time.Sleep(100 * time.Millisecond) // three periods and more
					stop()
				}
				got := read()
				for want == "STOPPING=1" && got == "WATCHDOG=1" && len(tt.want) == 4 { // of before
					got = read()
				}
				if got != want {
					t.Errorf("message %d is %q, want %q", i, got, want)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("without systemd it returns at once", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "")
		if err := Supervised(t.Context(), server); err != nil {
			t.Error(err)
		}
	})
}
