package proctest

import (
	"flag"
	"runtime"
	"strconv"
)

// WaitTogether lets so many tests of a package run at a time for each processor, unless -parallel says how many: for tests that wait for
// processes, disks and clocks most of their time. It is called before the tests run.
func WaitTogether(perProcessor int) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.GOMAXPROCS(0))) //nolint:errcheck // it is a number
	}
}
