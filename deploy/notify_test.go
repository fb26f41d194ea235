package deploy_test

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
)

// Services whose units have Type=notify and WatchdogSec= send what systemd waits for.
func TestServicesNotify(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	s := mysqltest.NewServer(t)
	c.catalog = s.Database(t)
	c.notify = filepath.Join(proctest.OpenDir(t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: c.notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	next := func() string {
		if err := socket.SetReadDeadline(time.Now().Add(proctest.Limit)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := socket.Read(b)
		if err != nil {
			t.Fatalf("no message: %v", err)
		}
		return string(b[:n])
	}
	for _, service := range []struct {
		name  string
		start func() *process
	}{
		{"worker", func() *process { p, _ := c.worker(); return p }},
		{"resolver", func() *process { return c.resolver() }},
		{"api", func() *process { return c.api(c.apiUser(s)).process }},
	} {
		p := service.start()
		if got := next(); got != "READY=1" {
			t.Errorf("%s: the first message is %q", service.name, got)
		}
		if got := next(); got != "WATCHDOG=1" {
			t.Errorf("%s: the second message is %q", service.name, got)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("%s ended with %d", service.name, code)
		}
		got := next()
		for got == "WATCHDOG=1" {
			got = next()
		}
		if got != "STOPPING=1" {
			t.Errorf("%s: the last message is %q", service.name, got)
		}
	}
}
