package publish_test

import (
	"fmt"
	"testing"
	"time"

	"repomill/testdata/rpmtest"
)

// BenchmarkPublishWithWithdrawn publishes a release of some 100 packages with many withdrawn ones: first by a process that has published
// nothing (first), then after a push, and after a withdrawal. Bytes and objects are what a publish writes.
func BenchmarkPublishWithWithdrawn(b *testing.B) {
	for _, withdrawn := range []int{0, 60_000, 1_000_000} {
		b.Run(fmt.Sprint(withdrawn), func(b *testing.B) {
			w := newWorld(b)
			w.push(w.rpm(el9, rpmtest.Spec{Name: "seed", Arch: el9.Arch}))
			w.copies("live", 100, "active", "primary_xml, filelists_xml, other_xml")
			w.copies("old", withdrawn, "yanked", "NULL, NULL, NULL")
			begin := time.Now()
			w.publish(el9)
			first := time.Since(begin)
			p := w.publisher()
			publishWith(b, p, el9)
			var pushed, yanked time.Duration
			var objects int
			for n := 0; b.Loop(); n++ {
				u := w.rpm(el9, rpmtest.Spec{Name: fmt.Sprint("pushed", n), Arch: el9.Arch})
				w.push(u)
				w.later()
				begin := time.Now()
				publishWith(b, p, el9)
				pushed += time.Since(begin)
				w.yank(u)
				w.bucket.Writes()
				w.later()
				begin = time.Now()
				publishWith(b, p, el9)
				yanked += time.Since(begin)
				objects += len(w.bucket.Writes())
			}
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(first.Seconds(), "s/first")
			b.ReportMetric(ms(pushed), "ms/push")
			b.ReportMetric(ms(yanked), "ms/yank")
			b.ReportMetric(float64(objects)/float64(b.N), "objects/yank")
		})
	}
}

// later sets the clock forward, so that a publish does not wait for its date.
func (w *world) later() { w.bucket.SetClock(w.bucket.Now().Add(2 * time.Second)) }

// copies adds n copies of the package seed, of other versions, in a state.
func (w *world) copies(name string, n int, state, fragments string) {
	w.t.Helper()
	if n == 0 {
		return
	}
	w.database(`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?3)
		INSERT INTO packages (distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, file, size, sha256, md5, uploaded_at, state,
			primary_xml, filelists_xml, other_xml, yanked_at, yank_reason, yanked_by)
		SELECT distribution_id, component, ?1 || printf('%06d', i / 10), printf('1.%02d-1', i % 10), printf('1.%02d-1', i % 10), arch, dir,
			CAST(?1 || printf('%06d 1.%02d', i / 10, i % 10) AS BLOB), printf('acme/tools/el/9/x86_64/%s%06d-1.%02d-1.x86_64.rpm', ?1, i / 10, i % 10),
			printf('%s%06d-1.%02d-1.x86_64.rpm', ?1, i / 10, i % 10), size, printf('%016x%016x%016x%016x', random(), random(), random(), random()), md5, uploaded_at, ?2,
			`+fragments+`, CASE ?2 WHEN 'yanked' THEN uploaded_at END, CASE ?2 WHEN 'yanked' THEN 'expired' ELSE '' END, 'retain'
		FROM packages, n WHERE name = 'seed'`, name, state, n)
}
