package versus_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
)

var (
	full     = flag.Bool("versus.full", false, "measure at the sizes of RESULTS.md")
	runs     = flag.Int("versus.runs", 3, "take the median of so many")
	n        = flag.Int("versus.n", 0, "packages in a repository; default 1,000, or 20,000 with -versus.full")
	rows     = flag.String("versus.rows", "", "packages in repositories that are rows only, such as 100000,1000000; default 5000, or 100000 with -versus.full")
	junkFlag = flag.String("versus.junk", "", "files that are no packages and wait in another repository; default 1000, or 10000,100000,1000000 with -versus.full")
	many     = flag.Int("versus.releases", 0, "releases that get a package each at the same time; default 100, or 1,000 with -versus.full")
	binary   = flag.String("versus.binary", "", "the repomill to measure; built if empty")
	plotTo   = flag.String("versus.plot", "", "file for a plot (SVG) of what one more package costs, by the sizes of -versus.rows")
	dir      = flag.String("versus.dir", "", "where to put everything; default a new temporary folder")
)

// sizes are what is measured.
var sizes struct {
	packages int   // in a repository of files
	rows     []int // packages in repositories of rows
	big      int   // packages with 100,000 files
	queued   int   // packages in each of six releases
	releases int   // that get a package each at the same time
	pushes   int   // of one package each, for one figure of a running process, whose CPU is counted in steps of 10 ms
	junk     []int // files that wait beside pushes
	latency  int   // pushes, one at a time; 50 times as many under load
	bytes    int64 // of one large package
	large    int   // times that package is measured
}

// work is the folder of everything, the benchmark's own and removed at its end.
var work string

// packages is what everybody publishes.
var packages = corpus.Corpus{Seed: 4}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "versus:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if flag.Lookup("test.bench").Value.String() == "" {
		return m.Run(), nil
	}
	if err := setSizes(); err != nil {
		return 0, err
	}
	if work, err = os.MkdirTemp(*dir, "versus"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(work)
	defer endGPG()
	if *binary == "" {
		*binary = filepath.Join(work, "repomill")
		if err := proctest.Build(*binary, "repomill/pipelines/repomill"); err != nil {
			return 0, err
		}
	}
	code = m.Run()
	printTable(os.Stdout)
	if grown := curves(figures); *plotTo != "" && len(grown) > 0 {
		return code, os.WriteFile(*plotTo, []byte(plot(grown)), 0o644)
	}
	return code, nil
}

func setSizes() error {
	s := &sizes
	s.packages, s.big, s.queued, s.pushes, s.latency, s.bytes, s.large = cmp.Or(*n, 1000), 3, 1000, 4, 20, 256<<20, 3
	list, junk := cmp.Or(*rows, "5000"), cmp.Or(*junkFlag, "1000")
	s.releases = cmp.Or(*many, 100)
	if *full {
		s.packages, s.big, s.queued, s.pushes, s.latency, s.bytes, s.large = cmp.Or(*n, 20_000), 100, 14_000, 10, 100, 1<<30, 5
		list, junk = cmp.Or(*rows, "100000"), cmp.Or(*junkFlag, "10000,100000,1000000")
		s.releases = cmp.Or(*many, 1000)
	}
	var err error
	if s.rows, err = sizeList("rows", list); err == nil {
		s.junk, err = sizeList("junk", junk)
	}
	return err
}

// sizeList reads the value of a flag.
func sizeList(name, list string) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 {
			return nil, fmt.Errorf("-versus.%s %s: use numbers, such as 100000,1000000", name, list)
		}
		all = append(all, size)
	}
	return all, nil
}
