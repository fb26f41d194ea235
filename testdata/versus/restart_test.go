package versus_test

import (
	"fmt"
	"testing"

	"repomill/schemas/catalog"
)

// restartBar is the most CPU that the first publish after a restart may take, as a share of one more in a running process.
const restartBar = 2

// BenchmarkRestart publishes one package as soon as a process that follows a killed one is ready, and then more of them.
func BenchmarkRestart(b *testing.B) {
	for _, count := range sizes.rows {
		for _, r := range []catalog.Release{jammy, el9} {
			b.Run(fmt.Sprintf("%s=%d", r.Distribution.OS, count), func(b *testing.B) {
				for b.Loop() {
					small(b, r, count).restarts(b)
				}
			})
		}
	}
}

// restarts records what the first publish takes after a kill, and one more in the same process when it has nothing else to do.
func (p pushing) restarts(b *testing.B) {
	b.Helper()
	p.s.start(b)
	p.s.drained(b, map[string]int{p.r.String(): p.s.rows})
	p.next(b)
	p.s.idle(b)
	var firsts, starts, others []expense
	for range *runs {
		p.s.kill()
		p.s.start(b)
		starts = append(starts, expense{cpu: cpuOf(b, p.s.up.Cmd.Process.Pid)})
		firsts = append(firsts, p.s.during(b, func() { p.next(b) }))
		p.s.idle(b)
		e, _ := p.once(b)
		others = append(others, e)
	}
	p.s.stop(b)
	record(b, figure{who: ours, e: median(firsts), note: fmt.Sprintf("from ready to published; to be ready takes %s CPU", shown(median(starts).cpu))})
	record(b, figure{who: "one more in the running process", e: median(others), bar: restartBar})
}
