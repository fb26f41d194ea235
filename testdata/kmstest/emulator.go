package kmstest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"repomill/testdata/porttest"
	"repomill/testdata/proctest"
)

// Emulator runs ministack (on PyPI, with cryptography beside it) until the test ends, or skips the test if there is none.
// It makes nothing go wrong.
func Emulator(t testing.TB) *AWS {
	t.Helper()
	program, err := exec.LookPath("ministack")
	if err != nil {
		t.Skip("SKIPPED: there is no ministack on this machine; deploy/install-test-tools gets it, or pip install ministack cryptography")
	}
	address := porttest.Free(t)
	_, port, _ := net.SplitHostPort(address)
	var output bytes.Buffer
	cmd := exec.Command(program) //nolint:noctx // the cleanup ends it
	cmd.Env = append(os.Environ(), "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port, "SERVICES=kms", "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &output, &output
	proctest.DieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("ministack: %s", output.Bytes())
		}
	})
	a := &AWS{t: t}
	a.connect("http://" + address)
	proctest.Eventually(t, "ministack answers", func() bool {
		r, err := http.Get(a.Endpoint + "/_ministack/health") //nolint:noctx // it is near
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return a
}
