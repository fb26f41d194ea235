package catalogdb_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/mysqltest"
)

// A recoveryTwin is a catalog, of two with the same history: one recovers in batches, the other one row after the other in one transaction.
type recoveryTwin struct {
	database
	db      *catalogdb.DB
	batches bool
}

// A recoveryHistory has the same happen to twins, at random.
type recoveryHistory struct {
	*rand.Rand
	t       *testing.T
	release catalog.Release
	all     []catalog.Package // in all bytes
	twins   []recoveryTwin
	step    int
}

// TestRecoveryInBatches compares catalogs after random histories, and recoveries of random releases.
func TestRecoveryInBatches(t *testing.T) {
	histories := map[bool]uint64{false: 16, true: 2}[testing.Short()]
	onBoth(t, func(t *testing.T, e database) {
		if e.driver == "mysql" {
			histories = min(histories, 2)
		}
		for seed := range histories {
			for kind, r := range map[string]catalog.Release{"DEB": jammy, "mutable": jammy, "RPM": el9} {
				t.Run(fmt.Sprint(kind, seed), func(t *testing.T) {
					h := newRecoveryHistory(t, e.driver, kind, r, seed)
					for range 3 {
						for range h.IntN(25) {
							h.act()
						}
						h.recover()
					}
				})
			}
		}
	})
}

func newRecoveryHistory(t *testing.T, driver, kind string, r catalog.Release, seed uint64) *recoveryHistory {
	h := &recoveryHistory{Rand: rand.New(rand.NewPCG(seed, 17)), t: t, release: r}
	for _, batches := range []bool{true, false} {
		var e database
		if driver == "mysql" {
			e = onMySQL(mysqltest.Start(t))
		} else {
			e = onSQLite(t.TempDir() + "/catalog.db")
		}
		twin := recoveryTwin{e, open(t, e.url), batches}
		switch {
		case kind == "mutable":
			declareMutable(t, twin.db, r)
		case r.Arch != "":
			declare(t, twin.db, r, "i386")
		default:
			declare(t, twin.db, r)
		}
		if r.Arch == "" {
			if _, err := twin.db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(r), Component: "contrib"}, start); err != nil {
				t.Fatal(err)
			}
		}
		h.twins = append(h.twins, twin)
	}
	for _, name := range []string{"a", "b", "c"} {
		for _, version := range []string{"1", "2"} {
			if r.Arch != "" {
				for _, arch := range []string{"noarch", "x86_64", "i686"} {
					k := rpm(r, name, version, arch)
					h.all = append(h.all, k, otherRPM(k))
				}
				continue
			}
			for _, component := range []string{"main", "contrib"} {
				k := inComponent(deb(r, name, version), component)
				for _, k := range []catalog.Package{k, other(k)} {
					if kind == "mutable" {
						k.Variant = layout.VariantOf(k.File.SHA256)
						k.Key = layout.PoolKey(k)
					}
					k.Needs = []catalog.Need{{Name: "needed", From: version, Until: version}}
					h.all = append(h.all, k)
				}
			}
		}
	}
	return h
}

func otherRPM(k catalog.Package) catalog.Package {
	k.File, k.Primary = file("other "+k.Name+k.Version+k.Arch), []byte("<package>other</package>\n")
	return k
}

// act has one thing happen to both, which has the same result.
func (h *recoveryHistory) act() {
	h.step++
	k, now := h.all[h.IntN(len(h.all))], after(time.Duration(h.step)*time.Minute)
	what, percent := h.IntN(7), h.IntN(101)
	var said []string
	for _, twin := range h.twins {
		said = append(said, fmt.Sprint(h.do(twin.db, what, k, percent, now)))
	}
	if said[0] != said[1] {
		h.t.Errorf("step %d: %q and %q", h.step, said[0], said[1])
	}
}

func (h *recoveryHistory) do(db *catalogdb.DB, what int, k catalog.Package, percent int, now time.Time) error {
	ctx := h.t.Context()
	switch what {
	case 0, 1, 2:
		u := uploadOf(k)
		u.Object, u.Generation = fmt.Sprint(u.Object, "-", h.step), fmt.Sprint(now.UnixMicro())
		token, _, err := db.Take(ctx, u, lease, now)
		if err != nil {
			return err
		}
		holder, _, err := db.Claim(ctx, k, u)
		if err != nil || holder.File != k.File || what == 0 {
			return err
		}
		return db.Activate(ctx, []catalogdb.Stored{{Upload: u, Token: token, Package: k, Dirs: []string{"SRPMS", "aarch64", "i386", "x86_64"}}}, now)
	case 3:
		y := record
		y.At = now
		_, err := db.Yank(ctx, selectorOf(k), y, now)
		return err
	case 4:
		_, err := db.Unyank(ctx, selectorOf(k), now)
		return err
	case 5:
		if k.Format == catalog.RPM {
			return nil
		}
		ctx = catalog.WithActor(ctx, catalog.Actor{User: "kim", Why: "a test"})
		_, err := db.PhaseSelected(ctx, selection(h.t, "acme/tools", []string{k.Name}), catalog.Phasing{Percent: percent}, now, func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) { return f.All, nil })
		return err
	default:
		return db.Publish(ctx, h.release, stateOf(h.t, db, h.release).Revision.Number, now)
	}
}

// recover has both catalogs recover the same random release, or rebuild it from a revision of their own.
func (h *recoveryHistory) recover() {
	h.step++
	now := after(time.Duration(h.step) * time.Minute)
	rows, size := h.published(), 1+h.IntN(8)
	own := h.IntN(4) == 0
	var counts []catalogdb.Recovered
	var dumps []string
	for _, twin := range h.twins {
		pair := catalog.Revision{Number: int64(100 * h.step), Nonce: "ffffffffffffffff"}
		take := twin.db.Recover
		if own {
			take, pair = twin.db.Rebuild, stateOf(h.t, twin.db, h.release).Revision
		}
		rowsAtOnce := 1 << 30
		if twin.batches {
			rowsAtOnce = size
		}
		back := catalogdb.SetRecovery(rowsAtOnce, !twin.batches)
		got, err := take(h.t.Context(), h.release, published(rows...), pair, now)
		back()
		if err != nil {
			h.t.Fatalf("step %d: %v", h.step, err)
		}
		counts, dumps = append(counts, got), append(dumps, stateDump(h.t, twin.database))
	}
	if counts[0] != counts[1] {
		h.t.Errorf("step %d: %+v in batches, and %+v", h.step, counts[0], counts[1])
	}
	if diff := cmp.Diff(strings.Split(dumps[1], "\n"), strings.Split(dumps[0], "\n")); diff != "" {
		h.t.Errorf("step %d, %d rows at once (-one by one +in batches):\n%s", h.step, size, diff)
	}
}

// published returns rows that a release may have had: of each identity at most one.
func (h *recoveryHistory) published() (rows []catalog.Package) {
	seen := map[string]bool{}
	for _, i := range h.Perm(len(h.all)) {
		k := h.all[i]
		id := fmt.Sprint(k.Component, k.Name, k.Version, k.Arch, k.Variant)
		if k.Format == catalog.RPM && k.Arch == "i686" && h.IntN(2) == 0 {
			k.Multilib = true
		}
		if k.Format == catalog.RPM && k.Arch == "i686" && !k.Multilib || seen[id] || h.IntN(3) == 0 {
			continue
		}
		switch h.IntN(4) {
		case 0:
			k = withdrawn(k)
		case 1:
			if k.Format == catalog.DEB {
				k.Stanza = catalog.WithPhase(k.Stanza, h.IntN(101))
			}
		}
		seen[id] = true
		rows = append(rows, k)
	}
	slices.SortStableFunc(rows, func(a, b catalog.Package) int { return strings.Compare(string(a.State), string(b.State)) }) // those that were withdrawn come last
	return rows
}

// stateDump returns all that a recovery changes, without ids and nonces, in an order that does not depend on ids.
func stateDump(t *testing.T, e database) string {
	t.Helper()
	const of = `k.component, k.name, k.version, k.arch, k.variant`
	var lines []string
	e.do(t, func(db *sql.DB) {
		for _, query := range []string{
			`SELECT 'package', ` + of + `, k.dir, k.sort_key, k.object_key, k.file, k.size, k.sha256, k.md5, k.uploaded_at, k.state, k.stanza, k.primary_xml, k.filelists_xml, k.other_xml,
				k.pushed_by, k.yanked_at, k.yank_reason, k.yanked_by, k.removed, k.signer, k.source, k.phase, k.embargo FROM packages k`,
			`SELECT 'span', r.arch, ` + of + `, v.came, v.went, v.came_at, v.went_at FROM visibility v JOIN packages k ON k.id = v.package_id JOIN releases r ON r.id = v.release_id`,
			`SELECT 'need', ` + of + `, n.name, n.from_version, n.until_version FROM exact_needs n JOIN packages k ON k.id = n.package_id`,
			`SELECT 'unyank', ` + of + `, n.at FROM unyanks n JOIN packages k ON k.id = n.package_id`,
			`SELECT 'upload', u.object, u.state, u.outcome, u.reason, u.detail, u.finished_at, ` + of + ` FROM uploads u LEFT JOIN packages k ON k.id = u.package_id`,
			`SELECT 'phase', f.component, f.source, f.percentage, f.revision, f.steps FROM phases f`,
			`SELECT 'release', r.arch, r.revision, r.published_revision, r.generation FROM releases r`,
			`SELECT 'issued', r.arch, p.revision, p.published_at FROM publications p JOIN releases r ON r.id = p.release_id`,
			`SELECT 'foreign', r.arch, p.revision FROM foreign_pairs p JOIN releases r ON r.id = p.release_id`,
			`SELECT 'recovery', done FROM recoveries`,
			`SELECT 'page', name, version, at, whole FROM page_requests`,
			`SELECT 'audit', action, target, detail, at FROM audit`,
		} {
			rows, err := db.Query(query)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			dumpRows(t, &b, "", rows)
			lines = append(lines, strings.Split(b.String(), "\n")...)
		}
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
