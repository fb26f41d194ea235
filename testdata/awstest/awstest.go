// Package awstest runs what tests need of AWS and of Google's machines.
package awstest

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

// Emulator runs ministack (on PyPI, with cryptography beside it) until the test ends, and returns its URL. It skips the test
// if there is none. services are those to run, such as "s3,sts"; empty for all.
func Emulator(t testing.TB, services string) (endpoint string) {
	t.Helper()
	program, err := exec.LookPath("ministack")
	if err != nil {
		t.Skip("SKIPPED: there is no ministack on this machine; deploy/install-test-tools gets it, or pip install ministack cryptography")
	}
	address := porttest.Free(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program) //nolint:noctx // the cleanup ends it
	cmd.Env = append(os.Environ(), "BIND_HOST=127.0.0.1", "GATEWAY_PORT="+port, "MINISTACK_HOST=127.0.0.1", "IOT_MTLS_ENABLED=0", "HOME="+t.TempDir())
	if services != "" {
		cmd.Env = append(cmd.Env, "SERVICES="+services)
	}
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
	proctest.Eventually(t, "ministack answers", func() bool {
		r, err := http.Get("http://" + address + "/_ministack/health") //nolint:noctx // it is near
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	return "http://" + address
}
