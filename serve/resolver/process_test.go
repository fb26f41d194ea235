package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
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
	cmd      *exec.Cmd
	url, ops string
	log      *output
}

// spawn starts a resolver with an environment until the test ends or kills it. Asked for the port of an
// earlier one, it listens there.
func (w *world) spawn(t *testing.T, address string, env []string, more ...string) *process {
	t.Helper()
	p := &process{log: &output{}}
	p.cmd = exec.Command(os.Args[0], w.flags(append(more, "--listen", address)...)...)
	p.cmd.Env = append([]string{asCommand + "=1"}, env...)
	p.cmd.Stderr, p.cmd.SysProcAttr = p.log, dieWithUs()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		for line := range strings.Lines(p.log.String()) {
			var l struct {
				Msg, Listen string
				OpsListen   string `json:"ops_listen"`
			}
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "serving" {
				p.url, p.ops = "http://"+l.Listen, "http://"+l.OpsListen
				return p
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the resolver does not start:\n%s", p.log)
	return nil
}

// kill ends it as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
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
