package soak_test

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// results are the columns of the table, a configuration each.
type results struct {
	mu      sync.Mutex
	columns []column
}

// A column is what became of one configuration: figures by the name of their line.
type column struct {
	name  string
	lines []line
}

type line struct{ name, figure string }

// add adds a configuration.
func (r *results) add(k *soaking, killed, wall time.Duration, lost int) {
	c := column{name: k.site.name}
	put := func(name string, figure any) { c.lines = append(c.lines, line{name, fmt.Sprint(figure)}) }
	put("kills", k.kills.Load())
	for _, phase := range phases {
		put("  "+phase, k.phases[phase])
	}
	put("kills of commands", k.commandKills.Load())
	put("freezes", k.freezes.Load())
	for _, v := range k.site.servers {
		put("kills of "+v.name, v.kills)
	}
	put("kills of a resolver of its own", k.resolverKills.Load())
	put("commands that met a killed server, and said so", k.excuses.Load())
	put("uploads", len(k.ledger.uploads))
	ends := map[string]int{}
	for _, u := range k.ledger.uploads {
		ends[cmp.Or(u.ended, "overwritten, never seen")]++
	}
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		put("  "+end, ends[end])
	}
	put("yanks, unyanks, reindexes", fmt.Sprintf("%d, %d, %d", k.yanks.Load(), k.unyanks.Load(), k.reindexes.Load()))
	ended := 0
	for _, n := range k.manager.done {
		ended += n
	}
	put("operations of a release manager", ended)
	for _, name := range slices.Sorted(maps.Keys(k.manager.done)) {
		put("  "+name, k.manager.done[name])
	}
	put("  found once in the audit log", k.manager.audited)
	put("snapshots read", k.manager.snapshotReads.Load())
	put("pointers read", k.reads.Load())
	put("  of them new", k.pointers.Load())
	put("objects read", k.objects.Load())
	d := k.site.door
	put("objects read through a resolver with a token", d.opened.Load())
	put("  requests that were refused, as they had to be", d.refused.Load())
	put("  requests repeated, because the resolver was down", d.again.Load())
	put("reads of pointers besides, and published states that explain all", fmt.Sprintf("%d, %d", k.watched.Load(), k.states))
	put("updates of apt and dnf, and downloads", fmt.Sprintf("%d, %d", k.clientReads.Load(), k.clientFiles.Load()))
	put("checks", k.checks.Load()+k.commands.Load())
	put("signatures judged by gpgv", k.gpgvs.Load())
	m := k.judge.mends[byReader]
	put("torn repomd.xml.asc, longest", fmt.Sprintf("%d, %s", m.count, m.worst.Round(10*time.Millisecond)))
	put("torn files met by checks", k.judge.mends[byCheck].count)
	put("slowest verdict", k.ledger.slowest.Round(10*time.Millisecond))
	put("violations", k.judge.total())
	put("uploads lost", lost)
	put("time of killing", killed.Round(time.Second))
	put("time in all", wall.Round(time.Second))
	put("CPU of repomill", k.cpu().Round(100*time.Millisecond))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.columns = append(r.columns, c)
}

// phases are what kills interrupt, in order.
var phases = []string{"during the start", "while a package was read", "between rows and pointer", "between pointer and verdict", "at rest, or before the lease"}

// cpu returns the CPU time of all processes of repomill that have ended.
func (k *soaking) cpu() time.Duration {
	spent := time.Duration(k.site.spent.Load())
	daemons := k.site.daemons
	if d := k.site.door.daemon; d != nil {
		daemons = append(slices.Clone(daemons), d)
	}
	for _, d := range daemons {
		d.mu.Lock()
		spent += d.spent
		d.mu.Unlock()
	}
	return spent
}

// print prints the table.
func (r *results) print(out io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.columns) == 0 {
		return
	}
	slices.SortFunc(r.columns, func(a, b column) int { return strings.Compare(b.name, a.name) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var names []string
	figures := map[string][]string{}
	fmt.Fprint(w, "\n")
	for i, c := range r.columns {
		fmt.Fprint(w, "\t", c.name)
		at := 0
		for _, l := range c.lines {
			if figures[l.name] == nil {
				names = slices.Insert(names, at, l.name)
				figures[l.name] = slices.Repeat([]string{"0"}, len(r.columns))
			}
			at = slices.Index(names, l.name) + 1
			figures[l.name][i] = l.figure
		}
	}
	fmt.Fprintln(w)
	for _, name := range names {
		fmt.Fprintf(w, "%s\t%s\n", name, strings.Join(figures[name], "\t"))
	}
	w.Flush() //nolint:errcheck // the standard output
	var use syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &use) == nil {
		fmt.Fprintf(out, "CPU of the soak itself, with Cloud Storage and Pub/Sub: %s\n", (time.Duration(use.Utime.Nano()) + time.Duration(use.Stime.Nano())).Round(100*time.Millisecond))
	}
}
