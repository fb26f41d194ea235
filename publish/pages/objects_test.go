package pages_test

import (
	"bytes"
	"strings"
	"testing"

	"repomill/schemas/catalogdb"
)

// Pages may be large: they are replaced and removed like others.
func TestLargePagesAreReplaced(t *testing.T) {
	large := bytes.Repeat([]byte("<p>large</p>\n"), 900_000)
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	work := catalogdb.PageWork{Repository: tools, Front: true, Requests: []catalogdb.PageRequest{{Name: "hello"}}}
	var keys []string
	for key := range w.pages() {
		if !strings.HasPrefix(key, "assets/") {
			keys = append(keys, key)
			w.bucket.Put(key, large)
		}
	}
	if failed, _, err := m.Make(t.Context(), work); err != nil || len(failed) > 0 {
		t.Errorf("failed: %v, %v", failed, err)
	}
	for _, key := range keys {
		w.want(key, "!large")
	}
}

func TestAllPagesHaveTheirAssetsAgain(t *testing.T) {
	w := newWorld(t)
	w.push(pkg{jammy, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	var lost []string
	for key := range w.pages() {
		if strings.HasPrefix(key, "assets/") {
			lost = append(lost, key)
			w.bucket.Put(key, nil)
		}
	}
	w.ask()
	w.make(m)
	for _, key := range lost {
		if !w.has(key) {
			t.Errorf("there is no %s", key)
		}
	}
	if len(lost) == 0 {
		t.Error("there were no assets")
	}
}
