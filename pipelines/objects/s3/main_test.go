package s3_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets many tests run at a time: most of them wait for the SDK to ask once more.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
