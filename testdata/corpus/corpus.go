// Package corpus makes large collections of packages for benchmarks. Package i of a corpus is always the
// same, byte for byte, so that figures of different days and of different tools are about the same work.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A Corpus is an endless row of packages, numbered from 0, in both formats. Another seed gives other ones.
// One name in ten has three versions, the others have one; a name keeps its architecture.
type Corpus struct {
	Seed uint64
}

// Of each block of packages the last ones are later versions of the first one's name.
const (
	block    = 12
	perBlock = 10 // names in a block
)

// A member is what both formats know of a package.
type member struct {
	name    string
	version string // upstream's
	arch    int    // index into debArchs and rpmArchs
	rand    *rand.Rand
}

func (c Corpus) member(i int) member {
	b, place := i/block, i%block
	update := max(0, place-perBlock+1)
	if update > 0 {
		place = 0
	}
	n := b*perBlock + place
	r := rand.New(rand.NewPCG(c.Seed, uint64(n)))
	m := member{
		name:    fmt.Sprintf("%s%s-%06d", pick(r, prefixes), pick(r, words), n),
		version: fmt.Sprintf("%d.%d.%d", r.IntN(4), r.IntN(30), update),
		arch:    n % 3,
	}
	m.rand = rand.New(rand.NewPCG(c.Seed+1, uint64(i)))
	return m
}

// pick returns one of list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// sentence returns n words.
func sentence(r *rand.Rand, n int) string {
	s := pick(r, words)
	for range n - 1 {
		s += " " + pick(r, words)
	}
	return s
}

// epoch is when all packages were built.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var prefixes = []string{"", "", "", "lib", "python3-", "golang-", "node-", "ruby-"}

var words = []string{
	"access", "agent", "archive", "audit", "backend", "balance", "batch", "binary", "bridge", "broker", "buffer", "bundle", "cache", "channel",
	"client", "cluster", "codec", "collector", "compiler", "config", "connector", "console", "container", "control", "converter", "crypto",
	"daemon", "dashboard", "database", "debugger", "decoder", "delivery", "device", "dispatch", "domain", "driver", "editor", "encoder",
	"engine", "event", "exporter", "filter", "firewall", "format", "gateway", "graph", "handler", "health", "image", "importer", "index",
	"ingest", "kernel", "keyring", "language", "ledger", "library", "listener", "loader", "logger", "mailer", "manager", "matrix", "memory",
	"message", "meter", "migrate", "mirror", "monitor", "network", "notifier", "object", "observer", "parser", "password", "payload", "planner",
	"plugin", "policy", "portal", "printer", "profile", "protocol", "proxy", "query", "queue", "record", "registry", "relay", "render",
	"report", "resolver", "router", "runtime", "sampler", "scanner", "schedule", "schema", "search", "secret", "sensor", "server", "session",
	"shell", "signal", "socket", "solver", "source", "storage", "stream", "switch", "syntax", "system", "table", "template", "terminal",
	"thread", "ticket", "token", "tracer", "transfer", "tunnel", "update", "validator", "vector", "viewer", "watcher", "widget", "worker",
}

// writeAll writes the files of packages [from, to) into a folder, which it makes, and returns their paths.
func writeAll(t testing.TB, dir string, from, to int, build func(i int) (name string, body []byte)) []string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		name, body := build(i)
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, body, 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
