package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// A dpkgHost is a host of one architecture, with foreign ones: its dpkg and apt keep all they know in a folder.
type dpkgHost struct {
	aptRoot
	bin string
}

func newDpkgHost(t *testing.T, native string, foreign ...string) dpkgHost {
	t.Helper()
	proctest.Need(t, "dpkg", "sh", "curl", "sed", "tee")
	h := dpkgHost{newApt(t, native, foreign...), proctest.OpenDir(t)}
	h.Write(t, "available", "")
	h.Write(t, "arch", strings.Join(append([]string{native}, foreign...), "\n")+"\n")
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Fatal(err)
	}
	// dpkg knows its own architecture from its build.
	script := strings.NewReplacer("DPKG", dpkg+" --admindir="+h.Dir+" --force-not-root", "NATIVE", native).Replace(`#!/bin/sh
case $1 in
--print-architecture) echo NATIVE;;
--print-foreign-architectures) DPKG $1 | sed /^NATIVE$/d;;
*) exec DPKG "$@";;
esac
`)
	if err := os.WriteFile(filepath.Join(h.bin, "dpkg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	// apt asks dpkg for the architectures, as it does on a host.
	text, err := os.ReadFile(h.Dir + "/apt.conf")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "APT::Architectures {")
	h.Write(t, "apt.conf", string(text[:at])+`Dir::Bin::dpkg "`+h.bin+`/dpkg";`+string(text[at+strings.Index(string(text[at:]), "};")+2:]))
	return h
}

// paste runs printed lines as if this were the host, and returns what they say.
func (h dpkgHost) paste(t *testing.T, lines string) proctest.Answer {
	t.Helper()
	lines = strings.NewReplacer("sudo ", "", "/etc/apt/sources.list.d/", h.Dir+"/etc/sources.list.d/", "/usr/share/keyrings/", h.Dir+"/etc/").Replace(lines)
	return proctest.Run(t, append(h.Env(), "PATH="+h.bin+":"+os.Getenv("PATH")), "sh", "-c", lines)
}

// What is printed installs what there is on each host that can have it: also what is for a foreign architecture only.
func TestPrintedLinesInstallForForeignArchitectures(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	only := newDEB(t, debtest.Spec{Name: "only32", Arch: "i386"})
	both32, both64 := newDEB(t, debtest.Spec{Name: "both", Arch: "i386"}), newDEB(t, debtest.Spec{Name: "both", Arch: "amd64"})
	arm := newDEB(t, debtest.Spec{Name: "arm32", Arch: "armhf"})
	for _, distribution := range []string{"ubuntu/jammy", "ubuntu/focal"} { // a .sources file, and a line
		s.publish(t, "acme/only/"+distribution, only)
		s.publish(t, "acme/both/"+distribution, both32, both64)
		s.publish(t, "acme/arm/"+distribution, arm)
		for _, tt := range []struct {
			name, repository, pkg, native, foreign string
			want                                   string // the file that is fetched; "": none, and it fails
			has                                    string // the host's foreign architectures behind that
		}{
			{"32 bit only, on a host that has no foreign architecture", "only", "", "amd64", "", "only32_1.0_i386.deb", "i386"},
			{"32 bit only, on a host that has it", "only", "only32", "amd64", "i386", "only32_1.0_i386.deb", "i386"},
			{"32 bit only, on a host of 32 bit", "only", "", "i386", "", "only32_1.0_i386.deb", ""},
			{"32 bit only, on a host whose foreign architecture is another", "only", "", "amd64", "armhf", "only32_1.0_i386.deb", "armhf i386"},
			{"32 bit only, on a host that does not run it", "only", "", "arm64", "", "", ""},
			{"two architectures, on a host of the first", "both", "", "amd64", "", "both_1.0_amd64.deb", ""},
			{"two architectures, on a host of both", "both", "both", "amd64", "i386", "both_1.0_amd64.deb", "i386"},
			{"two architectures, on a host of 32 bit", "both", "both", "i386", "", "both_1.0_i386.deb", ""},
			{"ARM only, on a host that has it", "arm", "", "arm64", "armhf", "arm32_1.0_armhf.deb", "armhf"},
			{"ARM only, on a host that has it not", "arm", "", "arm64", "", "", ""},
		} {
			args := []string{"hint", "--data", s.data, "acme/" + tt.repository + "/" + distribution}
			if tt.pkg != "" {
				args = append(args, tt.pkg)
			}
			hint := repomill(t, args...)
			_, lines, _ := strings.Cut(hint.Stdout, ":\n")
			h := newDpkgHost(t, tt.native, strings.Fields(tt.foreign)...)
			a := h.paste(t, lines)
			var got []string
			for _, path := range entries(t, h.Dir+"/cache/archives") {
				if strings.HasSuffix(path, ".deb") {
					got = append(got, path)
				}
			}
			if strings.Join(got, " ") != tt.want || (a.Code == 0) != (tt.want != "") {
				t.Errorf("%s, %s: fetched %q, want %q; from\n%s\n%v", distribution, tt.name, got, tt.want, lines, a)
			}
			if bad := proctest.AptComplaints(a); tt.want != "" && len(bad) > 0 {
				t.Errorf("%s, %s: apt complains: %q", distribution, tt.name, bad)
			}
			known := h.Run(t, h.bin+"/dpkg", "--print-foreign-architectures")
			if has := strings.Join(strings.Fields(known.Stdout), " "); has != tt.has {
				t.Errorf("%s, %s: the host has the foreign architectures %q, want %q", distribution, tt.name, has, tt.has)
			}
		}
	}
}
