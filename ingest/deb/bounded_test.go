package deb_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"repomill/ingest/deb"
	"repomill/testdata/debtest"
)

// manyFiles is an archive of n members of which the last is a hard link to none. Before it gives that one out, it measures.
type manyFiles struct {
	i, n int
	buf  []byte
	heap int64 // bytes in use, before the last
}

func (m *manyFiles) Read(p []byte) (int, error) {
	if len(m.buf) == 0 {
		if m.i == m.n {
			return 0, io.EOF
		}
		e := entry{name: fmt.Sprintf("./f%07d", m.i)}
		if m.i++; m.i == m.n {
			e = hardlink("./a", "./none")
			m.heap = heapInUse()
		}
		m.buf = block(e)
	}
	n := copy(p, m.buf)
	m.buf = m.buf[n:]
	return n, nil
}

func heapInUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// An archive may have any number of members: names are kept of half a million, and no more is asked of the others.
func TestNamesThatAreKeptAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads an archive of 300 MB")
	}
	for n, good := range map[int]bool{1000: false, 600_000: true} {
		before := heapInUse()
		many := &manyFiles{n: n}
		header := fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", "data.tar", 0, 0, 0, "100644", n*512)
		p, err := deb.Peek(io.MultiReader(bytes.NewReader(debtest.Ar(debianBinary, controlTar)), bytes.NewReader([]byte(header)), many))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, p.Body()); (err == nil) != good {
			t.Errorf("%d members: %v", n, err)
		}
		if used := many.heap - before; used > 32<<20 {
			t.Errorf("%d members take %d bytes", n, used)
		} else {
			t.Logf("%d members take %d KiB", n, used>>10)
		}
	}
}
