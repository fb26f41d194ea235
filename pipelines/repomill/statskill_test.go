package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// A process that is killed between its transactions, or in one, has counted whole batches: the next one counts the rest.
func TestKilledStatisticsCountNothingTwice(t *testing.T) {
	t.Parallel()
	s, logs := newSite(t), t.TempDir()
	file := newDEB(t, debtest.Spec{Version: "1.0", Arch: "amd64"})
	s.publish(t, "acme/kill/ubuntu/jammy", file)
	const files = 1_600 // more than three batches
	for n := range files {
		line := fmt.Sprintf("192.0.2.1 - - [29/Nov/2026:%02d:%02d:10 +0000] \"GET /acme/kill/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb HTTP/1.1\" 200 %d \"-\" \"curl/7.%d\"\n",
			n/60%24, n%60, len(file.body), n)
		if err := os.WriteFile(filepath.Join(logs, fmt.Sprint(n)), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proctest.Start(exec.Command(path, "stats", "run", logs, "--data", s.data))
	if err != nil {
		t.Fatal(err)
	}
	proctest.Until(t, "a batch is counted", func() string { return strings.Join(s.statistics(t, "--json"), "\n") }, func(rows string) bool {
		select {
		case <-p.Done: // it was quick: the next run has nothing to do
			return true
		default:
			return strings.Contains(rows, "hello")
		}
	})
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed after %v", s.statistics(t, "--json"))
	s.does(t, 0, "", "stats", "run", logs)
	want := []string{fmt.Sprintf(`{"downloads":%d,"package":"hello","repository":"acme/kill"}`, files)}
	if diff := cmp.Diff(want, s.statistics(t, "--json")); diff != "" {
		t.Errorf("downloads (-want +got):\n%s", diff)
	}
}
