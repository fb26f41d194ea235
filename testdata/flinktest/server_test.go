package flinktest_test

import (
	"net"
	"os"
	"testing"

	"repomill/testdata/flinktest"
)

// The job server takes 3 s to start and a good part of a GB: only those who ask for it get it.
func TestStart(t *testing.T) {
	if os.Getenv("REPOMILL_TEST_FLINK") == "" {
		t.Skip("Flink is tested by make test-flink")
	}
	s := flinktest.Start(t)
	t.Logf("%v: started in %v, %d MB resident", s.Version, s.Started, s.PeakMemory()>>20)
	conn, err := net.Dial("tcp", s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if s.PeakMemory() == 0 {
		t.Error("it uses no memory")
	}
}
