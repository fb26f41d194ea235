package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// The ballast takes no memory: it is only counted.
func TestBallastTakesNoMemory(t *testing.T) {
	resident := func() int64 {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Skip(err)
		}
		pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return pages * int64(os.Getpagesize())
	}
	before := resident()
	calmGC()
	if more := resident() - before; more > ballastSize/4 {
		t.Errorf("%d bytes more are resident", more)
	}
	if len(ballast) != ballastSize {
		t.Errorf("it has %d bytes", len(ballast))
	}
}
