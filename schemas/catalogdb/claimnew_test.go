package catalogdb_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// claimTogether makes the same claims in two repositories, together and one after the other, and compares all that there is of them.
func claimTogether(t *testing.T, db *catalogdb.DB) {
	decided := 0
	for seed := range uint64(4) {
		p := claimPair{t: t, db: db, seed: seed}
		for n := range p.at {
			p.at[n] = catalog.Repository{Owner: fmt.Sprintf("o%d-%d", seed, n), Name: "tools"}
			for _, r := range []catalog.Release{jammy, noble, el9} {
				r.Repository = p.at[n]
				declare(t, db, r)
				if r.Distribution == jammy.Distribution {
					declareComponent(t, db, r, "contrib")
				}
			}
		}
		for round := range 3 {
			decided += p.round(round)
		}
	}
	if decided == 0 {
		t.Error("no claim was made together")
	}
}

// A claimPair is two repositories that get the same claims.
type claimPair struct {
	t    *testing.T
	db   *catalogdb.DB
	seed uint64
	at   [2]catalog.Repository
}

// A pairedClaim is a claim without its repository.
type pairedClaim struct {
	pkg   catalog.Package
	train bool
	after int // what becomes of it at the end of the round
}

// random returns claims of few identities, so that many meet.
func (p *claimPair) random(round int) (claims []pairedClaim) {
	rnd := rand.New(rand.NewPCG(p.seed, uint64(round)))
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	for i := range 30 + rnd.IntN(30) {
		r := []catalog.Release{jammy, jammy, jammy, jammy, noble, el9, {Distribution: catalog.Distribution{OS: "ubuntu", Version: "undeclared"}}}[rnd.IntN(7)]
		name := pick("a", "b", "c") + pick("", fmt.Sprint(round), fmt.Sprint(round+1))
		k := deb(r, name, pick("1", "2"))
		if r.Arch != "" {
			k = rpm(r, name, "1-1", pick("x86_64", "noarch", "ppc64"))
		} else {
			k.Component, k.Arch = pick("main", "contrib", "main", "contrib", "undeclared"), pick("amd64", "amd64", "amd64", "all", "mips")
		}
		k.File = file(pick("bytes", "bytes", "bytes", "other bytes"))
		k.Pusher = catalog.Pusher{User: pick("kim", "", "lee"), Job: fmt.Sprint(i % 3)}
		if rnd.IntN(3) == 0 {
			k.Needs = []catalog.Need{{Name: "lib", From: "1", Until: "2"}, {Name: "lib" + name, From: "1", Until: "1"}}
		}
		if rnd.IntN(20) == 0 {
			k.Variant = "0123" // of a repository that is not mutable
		}
		claims = append(claims, pairedClaim{pkg: k, train: k.Variant == "" && rnd.IntN(4) == 0, after: rnd.IntN(4)})
	}
	held := deb(jammy, "held", "1") // by the train; later rounds have the same bytes in another component
	if round > 0 {
		held.Component = "contrib"
	}
	return append(claims, pairedClaim{pkg: held, train: round == 0, after: 1})
}

// An answer is what a claim is answered.
type answer struct {
	Holder  catalog.Package
	Claimed bool
	Err     string
}

// round makes claims in both repositories, and returns how many were made together.
func (p *claimPair) round(round int) (together int) {
	p.t.Helper()
	claims := p.random(round)
	var answers [2][]answer
	var dumps [2][]string
	for n, at := range p.at {
		var all []catalogdb.NewClaim
		var packages []catalog.Package
		var uploads []catalog.Upload
		var tokens []string
		for i, c := range claims {
			k := c.pkg
			k.Repository = at
			u := uploadOf(k)
			name := fmt.Sprintf("%d-%d.deb", round, i)
			if c.train {
				name = layout.StagedTrainName("aaaaaaaaaaaaaaaaaaaaaaaaaa", "1", name)
			}
			u.Object = at.String() + "/" + k.Distribution.String() + "/" + name
			token, state, err := p.db.Take(p.t.Context(), u, lease, start)
			if err != nil || state != catalog.Received {
				p.t.Fatalf("take %s: %s, %v", u, state, err)
			}
			nc, err := catalogdb.MakeClaim(k, u)
			if err != nil {
				p.t.Fatal(err)
			}
			all, packages, uploads, tokens = append(all, nc), append(packages, k), append(uploads, u), append(tokens, token)
		}
		made := make([]bool, len(all))
		if n == 0 {
			var err error
			if made, err = p.db.ClaimNew(p.t.Context(), all); err != nil {
				p.t.Fatal(err)
			}
		}
		for i, k := range packages {
			a := answer{Holder: k, Claimed: made[i]}
			if made[i] {
				together++
			} else if holder, claimed, err := p.db.Claim(p.t.Context(), k, uploads[i]); err != nil {
				a.Err = errorKind(err)
			} else {
				a.Holder, a.Claimed = holder, claimed
			}
			if !a.Claimed { // a row has no fragments
				a.Holder.Stanza, a.Holder.Primary, a.Holder.Filelists, a.Holder.Other, a.Holder.Needs = nil, nil, nil, nil, nil
			}
			a.Holder.Repository, a.Holder.Key = p.at[0], ""
			answers[n] = append(answers[n], a)
		}
		dumps[n] = p.dump(at)
		p.finish(at, claims, packages, uploads, tokens, answers[n])
	}
	if diff := cmp.Diff(answers[1], answers[0]); diff != "" {
		p.t.Errorf("seed %d, round %d: answers (-one after the other +together):\n%s", p.seed, round, diff)
	}
	if diff := cmp.Diff(dumps[1], dumps[0]); diff != "" {
		p.t.Errorf("seed %d, round %d: rows (-one after the other +together):\n%s", p.seed, round, diff)
	}
	return together
}

// errorKind returns what of an error does not name the repository.
func errorKind(err error) string {
	if rej, ok := errors.AsType[*catalog.Rejection](err); ok {
		return string(rej.Reason)
	}
	if errors.Is(err, catalogdb.ErrNotFound) {
		return "not found"
	}
	return "another"
}

// finish makes some claimed packages active, withdraws some of these, and leaves others, so that the next claims meet rows of all states.
func (p *claimPair) finish(at catalog.Repository, claims []pairedClaim, packages []catalog.Package, uploads []catalog.Upload, tokens []string, answers []answer) {
	p.t.Helper()
	for i, c := range claims {
		if !answers[i].Claimed || c.after == 0 {
			continue
		}
		k := packages[i]
		s := catalogdb.Stored{Upload: uploads[i], Token: tokens[i], Package: k}
		if k.Format == catalog.RPM {
			s.Dirs = layout.RPMDirs(k, distro(el9).Architectures)
		}
		activate(p.t, p.db, s)
		if c.after == 3 && !c.train {
			w := catalogdb.PackageSelector{Repository: at, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Component: k.Component, Arch: k.Arch}
			if _, err := p.db.Yank(p.t.Context(), w, catalog.Yank{Reason: "test", At: start}, start); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

// dump returns all rows of packages with what they need and the uploads that claim them, without the name of the repository.
func (p *claimPair) dump(at catalog.Repository) (lines []string) {
	p.t.Helper()
	err := p.db.Member(p.t.Context(), func(q catalogdb.Querier) error {
		lines = nil
		for _, query := range []string{
			`SELECT d.os, d.version, k.component, k.name, k.canonical, k.arch, k.variant, k.dir, k.sha256, k.state, k.pushed_by, k.pushed_job, k.source, k.embargo, k.size,
				COALESCE(LENGTH(k.stanza), 0), COALESCE(LENGTH(k.primary_xml), 0), '' FROM packages k JOIN distributions d ON d.id = k.distribution_id
				JOIN repositories p ON p.id = d.repository_id WHERE p.owner = ? ORDER BY 1, 2, 3, 4, 5, 6, 7`,
			`SELECT d.os, d.version, k.component, k.name, k.canonical, k.arch, n.name, n.from_version, n.until_version, '', '', '', '', '', '', '', '', '' FROM exact_needs n
				JOIN packages k ON k.id = n.package_id JOIN distributions d ON d.id = n.distribution_id
				JOIN repositories p ON p.id = d.repository_id WHERE p.owner = ? ORDER BY 1, 2, 3, 4, 5, 6, 7`,
			`SELECT SUBSTR(u.object, LENGTH(p.owner) + 1), u.state, u.pushed_by, u.pushed_job, k.component, k.name, k.canonical, k.arch, k.sha256, '', '', '', '', '', '', '', '', ''
				FROM uploads u JOIN packages k ON k.id = u.package_id JOIN distributions d ON d.id = k.distribution_id
				JOIN repositories p ON p.id = d.repository_id WHERE p.owner = ? ORDER BY 1`,
		} {
			rows, err := q.QueryContext(p.t.Context(), query, at.Owner)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var columns [18]string
				dest := make([]any, len(columns))
				for i := range columns {
					dest[i] = &columns[i]
				}
				if err := rows.Scan(dest...); err != nil {
					return err
				}
				lines = append(lines, fmt.Sprint(columns))
			}
			if err := rows.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return lines
}
