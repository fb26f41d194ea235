package client

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var (
	statusTools = catalog.Repository{Owner: "acme", Name: "tools"}
	statusTime  = time.Date(2026, 11, 29, 23, 59, 0, 0, time.UTC)
)

// placed is what a release, "os/version[/arch]", has of hello in a version and an architecture.
func placed(release, component, version, arch string, state catalog.PackageState, minutes int) catalogdb.Placement {
	r, err := catalog.ParseRelease("acme/tools/" + release)
	if err != nil {
		panic(err)
	}
	p := catalogdb.Placement{Release: r, Package: catalog.Package{Repository: statusTools, Distribution: r.Distribution, Component: component,
		Name: "hello", Version: version, Arch: arch, State: state, SortKey: []byte(version)}}
	if minutes >= 0 {
		at := statusTime.Add(time.Duration(minutes) * time.Minute)
		p.Visible, p.Came, p.Since = true, int64(minutes)+10, &at
	}
	return p
}

func phasedAt(p catalogdb.Placement, percent int) catalogdb.Placement {
	p.Phase = &percent
	return p
}

func other(place, component, arch, newest string, n int) catalogdb.OtherVersions {
	os, version, _ := strings.Cut(place, "/")
	return catalogdb.OtherVersions{Place: catalog.Place{Repository: statusTools, Distribution: catalog.Distribution{OS: os, Version: version}, Component: component},
		Name: "hello", Arch: arch, Newest: newest, Active: n}
}

func pushedAs(object string, state catalog.UploadState) catalogdb.PushedUpload {
	return catalogdb.PushedUpload{Verdict: catalog.Verdict{Object: "acme/tools/" + object, State: state, Received: statusTime, Reason: "malformed", Detail: "it ends early"}}
}

func statusSettings(distributions ...string) catalog.Settings {
	s := catalog.Settings{Repository: statusTools}
	for _, d := range distributions {
		os, version, _ := strings.Cut(d, "/")
		ds := catalog.DistributionSettings{Distribution: catalog.Distribution{OS: os, Version: version}, Format: catalog.DEB, Components: []string{"extra", "main"}, Architectures: []string{"amd64"}}
		if os == "el" {
			ds.Format, ds.Components, ds.Architectures = catalog.RPM, nil, []string{"aarch64", "x86_64"}
		}
		s.Distributions = append(s.Distributions, ds)
	}
	return s
}

// A report says where a package is out and why not elsewhere; it counts the places that have the name, for all architectures of it.
func TestStatusOfAPackage(t *testing.T) {
	const active, yanked, claimed = catalog.Active, catalog.Yanked, catalog.Claimed
	everywhere := statusSettings("el/9", "ubuntu/jammy", "ubuntu/noble")
	yankedOne := placed("ubuntu/noble", "main", "1.0", "amd64", yanked, -1)
	yankedOne.Went, yankedOne.Package.Yank = 9, &catalog.Yank{Reason: "bad", By: "kim", At: statusTime}
	for _, tt := range []struct {
		fact, target, pattern string
		found                 catalogdb.Located
		uploads               []catalogdb.PushedUpload
		places, out           int
		want                  string
	}{
		{"out everywhere, with equal states together", "acme/tools", "hello", catalogdb.Located{Settings: everywhere, Placements: []catalogdb.Placement{
			placed("el/9/aarch64", "", "1.0", "noarch", active, 2), placed("el/9/x86_64", "", "1.0", "noarch", active, 2),
			placed("ubuntu/jammy", "main", "1.0", "amd64", active, 0), placed("ubuntu/jammy", "main", "1.0", "arm64", active, 1), placed("ubuntu/noble", "extra", "1.0", "arm64", active, 0),
			placed("ubuntu/noble", "extra", "1.0", "amd64", active, 0),
		}}, nil, 3, 3, `out: hello 1.0 noarch, since 2026-11-30 00:01:00 UTC
  el/9@12
out: hello 1.0 amd64 arm64, since 2026-11-29 23:59:00 to 2026-11-30 00:00:00 UTC
  ubuntu/jammy@11        ubuntu/noble/extra@10
out in 3 places, everywhere where the name is
`},
		{"a directory that is late", "acme/tools/el", "hello=1.0", catalogdb.Located{Settings: everywhere,
			Releases:   []catalogdb.ReleaseState{{Release: placed("el/9/x86_64", "", "", "", "", -1).Release, Revision: catalog.Revision{Number: 8}, Published: 7, Fault: "no key"}},
			Placements: []catalogdb.Placement{placed("el/9/aarch64", "", "1.0", "noarch", active, 2), placed("el/9/x86_64", "", "1.0", "noarch", active, -1)}}, nil, 1, 0,
			`out: hello 1.0 noarch, since 2026-11-30 00:01:00 UTC
  el/9@12
waiting: hello 1.0 noarch: its release is not published yet; the last publish
    failed: no key
  el/9
out in 0 of 1 place where the name is
`},
		{"each reason", "acme/tools", "hello=1.0", catalogdb.Located{Settings: everywhere,
			Placements: []catalogdb.Placement{placed("ubuntu/jammy", "main", "1.0", "amd64", claimed, -1), yankedOne},
			Others:     []catalogdb.OtherVersions{other("ubuntu/jammy", "extra", "amd64", "0.9", 1), other("ubuntu/jammy", "main", "arm64", "0.9", 3), other("ubuntu/jammy", "main", "all", "0.8", 1)}},
			[]catalogdb.PushedUpload{pushedAs("ubuntu/noble/hello_1.0_amd64.deb", catalog.Rejected), pushedAs("ubuntu/noble/hello_1.0_arm64.deb", catalog.Rejected), pushedAs("el/9/hello-1.0-1.x86_64.rpm", catalog.Received),
				pushedAs("ubuntu/noble/hello_1.0_arm64.deb", catalog.Received), pushedAs("ubuntu/plucky/hello_1.0_amd64.deb", catalog.Rejected), pushedAs("ubuntu/noble/hello_1.0.deb", catalog.Rejected)}, 3, 0,
			`claimed: hello 1.0 amd64: its bytes are being stored
  ubuntu/jammy
rejected: hello 1.0 arm64: malformed: it ends early
  ubuntu/noble
yanked: hello 1.0 amd64: 2026-11-29 by kim: bad
  ubuntu/noble@9
absent: nothing of that name was published or pushed here
  el/9
absent: hello: it has 0.9
  ubuntu/jammy/extra
absent: hello arm64: it has 3 other versions, the newest is 0.9
  ubuntu/jammy
out in 0 of 3 places where the name is
`},
		{"a version for all architectures replaces those of some", "acme/tools/ubuntu/jammy/main", "hello=1.0", catalogdb.Located{Settings: everywhere,
			Placements: []catalogdb.Placement{placed("ubuntu/jammy", "main", "1.0", "all", active, 0), placed("ubuntu/jammy", "extra", "1.0", "all", active, -1)},
			Others:     []catalogdb.OtherVersions{other("ubuntu/jammy", "main", "amd64", "0.9", 1)}}, nil, 1, 1,
			"out: hello 1.0 all, since 2026-11-29 23:59:00 UTC\n  ubuntu/jammy@10\nout in 1 place, everywhere where the name is\n"},
		{"an architecture alone", "acme/tools/el/9/x86_64", "hello=1:1.0-1:x86_64", catalogdb.Located{Settings: everywhere,
			Placements: []catalogdb.Placement{placed("el/9/x86_64", "", "1:1.0-1", "x86_64", active, 0)},
			Others:     []catalogdb.OtherVersions{other("el/9", "", "aarch64", "1:0.9-1", 1)}},
			[]catalogdb.PushedUpload{pushedAs("el/9/hello-1.0-1.x86_64.rpm", catalog.Rejected)}, 1, 1,
			"out: hello 1:1.0-1 x86_64, since 2026-11-29 23:59:00 UTC\n  el/9@10\nout in 1 place, everywhere where the name is\n"},
		{"a package in a phase, and one of a release train", "acme/tools", "hello=1.0", catalogdb.Located{Settings: statusSettings("ubuntu/jammy", "ubuntu/noble"),
			Placements: []catalogdb.Placement{phasedAt(placed("ubuntu/jammy", "main", "1.0", "amd64", active, 0), 10), placed("ubuntu/noble", "main", "1.0", "amd64", catalog.Reserved, -1)}}, nil, 2, 1,
			"out: hello 1.0 amd64, since 2026-11-29 23:59:00 UTC: 10 % of the hosts upgrade\n    to it\n  ubuntu/jammy@10\nheld: hello 1.0 amd64: it waits for a release train; repomill train list shows\n    those that are open\n  ubuntu/noble\nout in 1 of 2 places where the name is\n"},
		{"a name that is nowhere", "acme/tools/ubuntu/noble", "hello", catalogdb.Located{Settings: everywhere}, nil, 0, 0,
			"absent: nothing of that name was published or pushed here\n  ubuntu/noble\n"},
		{"one of several versions is enough, with its last one yanked", "acme/tools/ubuntu/noble", "hello=1.*", catalogdb.Located{Settings: everywhere,
			Placements: []catalogdb.Placement{yankedOne, placed("ubuntu/noble", "main", "1.1", "amd64", active, 0)}}, nil, 1, 1,
			"out: hello 1.1 amd64, since 2026-11-29 23:59:00 UTC\n  ubuntu/noble@10\nyanked: hello 1.0 amd64: 2026-11-29 by kim: bad\n  ubuntu/noble@9\nout in 1 place, everywhere where the name is\n"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			p, err := catalog.ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			w := lookup{tt.target, p}.locate(tt.found, tt.uploads)
			var got strings.Builder
			w.print(&got)
			if diff := cmp.Diff(tt.want, got.String()); diff != "" || w.places != tt.places || w.out != tt.out {
				t.Errorf("out in %d of %d, want %d of %d (-want +got):\n%s", w.out, w.places, tt.out, tt.places, diff)
			}
		})
	}
}

// A report on 60 distributions fits on a screen of 80 columns.
func TestStatusFitsOnAScreen(t *testing.T) {
	var names []string
	var found catalogdb.Located
	for i := range 60 {
		name := fmt.Sprintf("opensuse/15.%d", i)
		names = append(names, name)
		for _, arch := range []string{"amd64", "arm64"} {
			found.Placements = append(found.Placements, placed(name, "main", "1.0", arch, catalog.Active, i%7))
		}
	}
	found.Settings = statusSettings(names...)
	var text strings.Builder
	lookup{"acme/tools", catalog.Pattern{Name: "hello"}}.locate(found, nil).print(&text)
	if n := strings.Count(text.String(), "\n"); n > 24 {
		t.Errorf("%d lines:\n%s", n, &text)
	}
	for line := range strings.Lines(text.String()) {
		if len(line) > 81 {
			t.Errorf("%d characters: %s", len(line)-1, line)
		}
	}
	for _, name := range names {
		if strings.Count(text.String(), name+"@") != 1 {
			t.Errorf("%s is not there once", name)
		}
	}
}
