package clients_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

// A judge reads a release as one kind of client does, and says what it finds wrong. It returns what it does
// when one more package has come, or nil.
type judge struct {
	name string
	read func(t *testing.T, s *site) (again func(t *testing.T, more realPackage))
}

// Real clients and mirrors of Debian packages.
func TestDEB(t *testing.T) {
	t.Parallel()
	s := newSite(t, jammy, packages.DebRows(size()))
	s.real = realPackages(t, makeDEB)
	s.push(t, s.real...)
	s.judge(t, find(t, makeDEB, more, false), map[string]int{"main/binary-amd64/Packages": 1, "main/binary-arm64/Packages": 1, "main/binary-all/Packages": 1},
		judge{"members begin and end with packages that are downloaded", readMembers},
		judge{"anybody makes the text that the pointer tells", readGunzip},
		judge{"apt sees every stanza", readApt},
		judge{"apt reads the bucket itself", readAptFolder},
		judge{"apt reads members that begin anywhere", readRecutDEB},
		judge{"reprepro sees every newest version, and mirrors some", readReprepro},
		judge{"aptly sees every version, and mirrors some", readAptly})
}

// Real clients and mirrors of RPM packages.
func TestRPM(t *testing.T) {
	t.Parallel()
	s := newSite(t, el9, packages.RPMRows(t, size()))
	s.real = realPackages(t, makeRPM)
	_, body := packages.BigRPM(t, 0)
	s.big = newReal(t, "big", body)
	s.push(t, append(s.real, s.big)...)
	s.judge(t, find(t, makeRPM, more, false), map[string]int{"primary": 2, "filelists": 2, "other": 2}, // the count, too
		judge{"members begin and end with packages that are downloaded", readMembers},
		judge{"a list of 100,000 files is a member of its own", readFileList},
		judge{"anybody makes the text that the pointer tells", readGunzip},
		judge{"dnf sees every package and file", readDnf},
		judge{"zypper sees every package", readZypper},
		judge{"dnf and zypper read members that begin anywhere", readRecutRPM},
		judge{"a mirror of reposync has our indexes and is installable", readReposync},
		judge{"createrepo_c writes what it reads", readCreaterepo})
}

// judge asks judges, pushes one more package, which makes so many new members in each index, and asks them
// again.
func (s *site) judge(t *testing.T, more realPackage, fresh map[string]int, judges ...judge) {
	again := make([]func(*testing.T, realPackage), len(judges))
	s.want = s.rows(t)
	t.Run("full size", func(t *testing.T) {
		for i, j := range judges {
			t.Run(j.name, func(t *testing.T) {
				t.Parallel()
				again[i] = j.read(t, s)
			})
		}
	})
	old := s.memberSums(t)
	s.push(t, more)
	if diff := cmp.Diff(fresh, newMembers(old, s.memberSums(t))); diff != "" {
		t.Errorf("new members after one more package (-want +got):\n%s", diff)
	}
	s.want = s.rows(t)
	t.Run("one more package", func(t *testing.T) {
		for i, j := range judges {
			if again[i] != nil {
				t.Run(j.name, func(t *testing.T) {
					t.Parallel()
					again[i](t, more)
				})
			}
		}
		t.Run("a reindex would change nothing", func(t *testing.T) {
			t.Parallel()
			proctest.Must(t, nil, s.program, "reindex", "--data", s.data, "--all", "--dry-run")
		})
	})
}

// newMembers counts the members of each index that were not there before.
func newMembers(old, now map[string]map[string]bool) map[string]int {
	count := map[string]int{}
	for name, sums := range now {
		for sum := range sums {
			if !old[name][sum] {
				count[name]++
			}
		}
	}
	return count
}

// memberSums returns the digests of the members of each index.
func (s *site) memberSums(t *testing.T) map[string]map[string]bool {
	t.Helper()
	sums := map[string]map[string]bool{}
	for _, x := range s.indexes(t) {
		sums[x.name] = map[string]bool{}
		for _, m := range x.members(t) {
			sums[x.name][m.sha256] = true
		}
	}
	return sums
}

// The other judges would prove little if members did not begin and end with the packages that they download.
func readMembers(t *testing.T, s *site) func(*testing.T, realPackage) {
	format, name := catalog.DEB, "main/binary-amd64/Packages"
	if s.release.Arch != "" {
		format, name = catalog.RPM, "primary"
	}
	var members [][]string // names of packages
	for _, m := range s.index(t, name).members(t) {
		if ns := names(format, m.text); len(ns) > 0 { // neither head nor tail
			members = append(members, ns)
		}
	}
	t.Logf("%s has %d members with packages", name, len(members))
	if least := size() / 300; len(members) < least {
		t.Fatalf("%d members have packages, want %d or more", len(members), least)
	}
	first, second, inside, border, last := s.real[0].name, s.real[1].name, s.real[2].name, s.real[3].name, s.real[4].name
	at := slices.IndexFunc(members, func(ns []string) bool { return ns[0] == border })
	if at < 1 {
		t.Fatalf("no member begins with %s", border)
	}
	before := members[at-1]
	got := [][]string{members[0], members[1][:1], before[len(before)-1:], members[len(members)-1]}
	if diff := cmp.Diff([][]string{{first}, {second}, {inside}, {last}}, got); diff != "" {
		t.Errorf("first member, begin of the second, end of the one before %s, last member (-want +got):\n%s", border, diff)
	}
	return nil
}
