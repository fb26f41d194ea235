package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"repomill/testdata/proctest"
)

// asCommand is set in the process that is the resolver.
const asCommand = "RESOLVER_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A process is a resolver of its own, which can be killed.
type process struct {
	*proctest.Process
	url, ops string
}

// spawn starts a resolver with an environment until the test ends or kills it. Asked for the port of an
// earlier one, it listens there.
func (w *world) spawn(t *testing.T, address string, env []string, more ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], w.flags(append(more, "--listen", address)...)...)
	cmd.Env = append([]string{asCommand + "=1"}, env...)
	p := &process{Process: proctest.Begin(t, cmd)}
	err := p.Await(p.Stderr, func(log string) bool {
		listen, ops, ok := serving(log)
		p.url, p.ops = "http://"+listen, "http://"+ops
		return ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// serving returns the addresses that a resolver's log says it serves.
func serving(log string) (listen, ops string, ok bool) {
	for line := range strings.Lines(log) {
		var l struct {
			Msg, Listen string
			OpsListen   string `json:"ops_listen"`
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "serving" {
			return l.Listen, l.OpsListen, true
		}
	}
	return "", "", false
}

// dial opens a connection to it, for a while.
func (p *process) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}
