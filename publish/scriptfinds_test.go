package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// What a script finds of a system whose os-release says this, where the repository has these distributions.
func TestScriptFindsTheDistribution(t *testing.T) {
	debs := []string{"debian/bookworm", "debian/trixie", "debian/sid", "ubuntu/noble"} // and ubuntu/jammy
	rpms := []string{"el/10", "fedora/43", "fedora/rawhide", "amazon/2023", "opensuse/15.6", "opensuse/tumbleweed", "sles/15.6"}
	for _, tt := range []struct {
		name, release string
		format        catalog.Format
		more          []string // distributions that only some repositories have
		env           []string
		want          string // empty: none
	}{
		{"Debian 13", trixie, catalog.DEB, nil, nil, "debian/trixie"},
		{"Debian without a codename", "ID=debian\nVERSION_ID=\"12\"\n", catalog.DEB, nil, nil, "debian/bookworm"},
		{"Debian unstable", "ID=debian\nVERSION_CODENAME=forky\n", catalog.DEB, nil, nil, "debian/sid"},
		{"Ubuntu 24.04", "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\n", catalog.DEB, nil, nil, "ubuntu/noble"},
		{"Mint", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=zena\nUBUNTU_CODENAME=noble\n", catalog.DEB, nil, nil, "ubuntu/noble"},
		{"Mint of Debian", "ID=linuxmint\nID_LIKE=debian\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n", catalog.DEB, nil, nil, "debian/bookworm"},
		{"a derivative with the codename of Debian", "ID=acmeos\nID_LIKE=debian\nVERSION_ID=3\nVERSION_CODENAME=trixie\n", catalog.DEB, nil, nil, "debian/trixie"},
		{"a derivative whose number is one of Debian's", "ID=acmeos\nID_LIKE=debian\nVERSION_ID=13\n", catalog.DEB, nil, nil, ""},
		{"Kali, where there is one for it", "ID=kali\nID_LIKE=debian\nVERSION_ID=\"2026.3\"\nVERSION_CODENAME=kali-rolling\n", catalog.DEB, []string{"kali/kali-rolling"}, nil, "kali/kali-rolling"},
		{"Kali, where there is none", "ID=kali\nID_LIKE=debian\nVERSION_CODENAME=kali-rolling\n", catalog.DEB, nil, nil, ""},
		{"any system, where there is that", "ID=kali\nID_LIKE=debian\nVERSION_CODENAME=kali-rolling\n", catalog.DEB, []string{"any/any"}, nil, "any/any"},
		{"Raspbian is not Debian", "ID=raspbian\nID_LIKE=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n", catalog.DEB, nil, nil, ""},
		{"an older Ubuntu than there is one for", "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=focal\nUBUNTU_CODENAME=focal\n", catalog.DEB, nil, nil, ""},
		{"the environment decides", trixie, catalog.DEB, nil, []string{"os=ubuntu", "dist=noble"}, "ubuntu/noble"},
		{"the environment in other words", trixie, catalog.DEB, nil, []string{"os=Ubuntu", "dist=22.04"}, "ubuntu/jammy"},
		{"the environment with what there is none for", trixie, catalog.DEB, nil, []string{"os=ubuntu", "dist=focal"}, ""},
		{"no os-release", "", catalog.DEB, nil, nil, ""},

		{"Rocky 9.4", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", catalog.RPM, nil, nil, "el/9"},
		{"RHEL 10.1", "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"10.1\"\n", catalog.RPM, nil, nil, "el/10"},
		{"CentOS Stream 9", "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\n", catalog.RPM, nil, nil, "el/9"},
		{"Oracle Linux, where there is one for it", "ID=\"ol\"\nVERSION_ID=\"9.5\"\nPLATFORM_ID=\"platform:el9\"\n", catalog.RPM, []string{"ol/9"}, nil, "ol/9"},
		{"Oracle Linux, where there is EL", "ID=\"ol\"\nVERSION_ID=\"9.5\"\nPLATFORM_ID=\"platform:el9\"\n", catalog.RPM, nil, nil, "el/9"},
		{"a derivative of RHEL", "ID=acmelinux\nID_LIKE=\"rhel fedora\"\nVERSION_ID=9.2\n", catalog.RPM, nil, nil, "el/9"},
		{"a derivative of Fedora with numbers of its own", "ID=acmelinux\nID_LIKE=\"fedora\"\nVERSION_ID=43\n", catalog.RPM, nil, nil, ""},
		{"a derivative of Fedora that says which", "ID=nobara\nID_LIKE=fedora\nVERSION_ID=43\nPLATFORM_ID=\"platform:f43\"\n", catalog.RPM, nil, nil, "fedora/43"},
		{"Fedora before its release", "ID=fedora\nVERSION=\"45 (Rawhide)\"\nVERSION_ID=45\n", catalog.RPM, nil, nil, "fedora/rawhide"},
		{"Amazon Linux 2023", "ID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\nPLATFORM_ID=\"platform:al2023\"\n", catalog.RPM, nil, nil, "amazon/2023"},
		{"Leap", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n", catalog.RPM, nil, nil, "opensuse/15.6"},
		{"Tumbleweed", "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\nVERSION_ID=\"20261128\"\n", catalog.RPM, nil, nil, "opensuse/tumbleweed"},
		{"SLES", "ID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.6\"\n", catalog.RPM, nil, nil, "sles/15.6"},
		{"SLES of another service pack", "ID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.7\"\n", catalog.RPM, nil, nil, ""},
		{"any system of RPM, where there is that", "ID=acmelinux\nVERSION_ID=1\n", catalog.RPM, []string{"rpm_any/rpm_any"}, nil, "rpm_any/rpm_any"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			distributions := append(debs, tt.more...)
			if tt.format == catalog.RPM {
				distributions = append(rpms, tt.more...)
			}
			s := newScript(t, tt.format, publicURL, unchanged, distributions...)
			if tt.release != "" {
				s.write(t, "usr/lib/os-release", tt.release)
			}
			if strings.Contains(tt.name, "unstable") {
				s.write(t, "etc/debian_version", "forky/sid\n")
			}
			out, code := s.run(t, tt.env, "--dry-run")
			switch {
			case tt.want == "" && (code != 3 || !strings.Contains(out, "sudo os=OS dist=VERSION sh") || !strings.Contains(out, "\nacme/tools:   "+distributions[0]+"\n")):
				t.Errorf("want code 3, the distributions that there are, and how to choose one; got %d: %s", code, out)
			case tt.want != "" && (code != 0 || !strings.HasPrefix(out, "acme/tools: packages for "+tt.want)):
				t.Errorf("want %s, got code %d: %s", tt.want, code, out)
			}
		})
	}
}

// Older entries of the repository are out of action, and those of others as they were.
func TestScriptDisablesOlderEntries(t *testing.T) {
	const debian = "deb https://deb.debian.org/debian trixie main\n"
	for _, tt := range []struct {
		name   string
		format catalog.Format
		before map[string]string
		after  map[string]string // of what was before, and of what is kept
	}{
		{
			"packagecloud's file", catalog.DEB,
			map[string]string{"etc/apt/sources.list.d/acme_tools.list": "# by packagecloud\ndeb [signed-by=/usr/share/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/debian/ trixie main\n"},
			map[string]string{"etc/apt/sources.list.d/acme_tools.list.bak": "# by packagecloud\ndeb [signed-by=/usr/share/keyrings/acme_tools-archive-keyring.gpg] https://packages.example.org/acme/tools/debian/ trixie main\n"},
		},
		{
			"lines among others", catalog.DEB,
			map[string]string{"etc/apt/sources.list": debian + "deb https://rmt_1:@packages.example.org/acme/tools/debian trixie main\n deb-src http://packages.example.org/priv/rmt_1/acme/tools/debian/trixie trixie main\ndeb https://packages.example.org/acme/tools2/debian trixie main\n"},
			map[string]string{
				"etc/apt/sources.list":     debian + "# deb https://rmt_1:@packages.example.org/acme/tools/debian trixie main\n#  deb-src http://packages.example.org/priv/rmt_1/acme/tools/debian/trixie trixie main\ndeb https://packages.example.org/acme/tools2/debian trixie main\n",
				"etc/apt/sources.list.bak": debian + "deb https://rmt_1:@packages.example.org/acme/tools/debian trixie main\n deb-src http://packages.example.org/priv/rmt_1/acme/tools/debian/trixie trixie main\ndeb https://packages.example.org/acme/tools2/debian trixie main\n",
			},
		},
		{
			"others alone", catalog.DEB,
			map[string]string{"etc/apt/sources.list.d/other.list": debian + "# deb https://packages.example.org/acme/tools/debian trixie main\ndeb https://packagesXexample.org/acme/tools/debian trixie main\n"},
			map[string]string{"etc/apt/sources.list.d/other.list": debian + "# deb https://packages.example.org/acme/tools/debian trixie main\ndeb https://packagesXexample.org/acme/tools/debian trixie main\n"},
		},
		{
			"a stanza among others, and a copy that was kept before", catalog.DEB,
			map[string]string{
				"etc/apt/sources.list.d/all.sources":     "Types: deb\nURIs: https://deb.debian.org/debian\nSuites: trixie\n\nTypes: deb\nURIs:\n https://Packages.example.org/acme/tools/debian/trixie\nSuites: trixie\nSigned-By:\n -----BEGIN\n .\n",
				"etc/apt/sources.list.d/all.sources.bak": "before",
			},
			map[string]string{
				"etc/apt/sources.list.d/all.sources":       "Types: deb\nURIs: https://deb.debian.org/debian\nSuites: trixie\n\n# Types: deb\n# URIs:\n#  https://Packages.example.org/acme/tools/debian/trixie\n# Suites: trixie\n# Signed-By:\n#  -----BEGIN\n#  .\n",
				"etc/apt/sources.list.d/all.sources.bak":   "before",
				"etc/apt/sources.list.d/all.sources.1.bak": "Types: deb\nURIs: https://deb.debian.org/debian\nSuites: trixie\n\nTypes: deb\nURIs:\n https://Packages.example.org/acme/tools/debian/trixie\nSuites: trixie\nSigned-By:\n -----BEGIN\n .\n",
			},
		},
		{
			"packagecloud's .repo", catalog.RPM,
			map[string]string{"etc/yum.repos.d/acme-tools.repo": "[acme_tools]\nname=acme_tools\nbaseurl=https://packages.example.org/acme/tools/el/9/$basearch\n[acme_tools-source]\nbaseurl=https://packages.example.org/acme/tools/el/9/SRPMS\n"},
			map[string]string{"etc/yum.repos.d/acme-tools.repo.bak": "[acme_tools]\nname=acme_tools\nbaseurl=https://packages.example.org/acme/tools/el/9/$basearch\n[acme_tools-source]\nbaseurl=https://packages.example.org/acme/tools/el/9/SRPMS\n"},
		},
		{
			"a section among others", catalog.RPM,
			map[string]string{"etc/yum.repos.d/all.repo": "# all\n[one]\nbaseurl=https://example.org/\n\n[mine]\nname=x\nbaseurl = https://example.org/\n  https://t:@packages.example.org/acme/tools/el/9/x86_64\nenabled=1\n[two]\nname=https://packages.example.org/acme/tools/\nbaseurl=https://example.org/\n"},
			map[string]string{
				"etc/yum.repos.d/all.repo":     "# all\n[one]\nbaseurl=https://example.org/\n\n# [mine]\n# name=x\n# baseurl = https://example.org/\n#   https://t:@packages.example.org/acme/tools/el/9/x86_64\n# enabled=1\n[two]\nname=https://packages.example.org/acme/tools/\nbaseurl=https://example.org/\n",
				"etc/yum.repos.d/all.repo.bak": "# all\n[one]\nbaseurl=https://example.org/\n\n[mine]\nname=x\nbaseurl = https://example.org/\n  https://t:@packages.example.org/acme/tools/el/9/x86_64\nenabled=1\n[two]\nname=https://packages.example.org/acme/tools/\nbaseurl=https://example.org/\n",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.format, publicURL, unchanged, "debian/trixie")
			env := []string{"os=debian", "dist=trixie"}
			if tt.format == catalog.RPM {
				env = []string{"os=el", "dist=9"}
			}
			for name, text := range tt.before {
				s.write(t, name, text)
			}
			for range 2 {
				s.mustRun(t, env)
			}
			got := s.files(t)
			for name := range got {
				got[name] = strings.TrimPrefix(got[name], "-rw-r--r--\n")
			}
			for _, written := range []string{"etc/apt/keyrings/acme_tools-archive-keyring.gpg", "etc/apt/sources.list.d/acme_tools.sources", "etc/yum.repos.d/acme_tools.repo"} {
				delete(got, written)
			}
			if diff := cmp.Diff(tt.after, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be done is refused by a code of its own, in words, and nothing is written.
func TestScriptRefuses(t *testing.T) {
	private := func(s *catalog.Settings) { s.Visibility = catalog.Private }
	for _, tt := range []struct {
		name   string
		change func(*catalog.Settings)
		env    []string
		args   []string
		code   int
		says   string
	}{
		{"half of a distribution", unchanged, []string{"os=debian"}, nil, 2, "give both os= and dist="},
		{"an option that there is not", unchanged, nil, []string{"--force"}, 2, "usage: script.deb.sh"},
		{"a folder that is not there", unchanged, nil, []string{"--root", "/dev/null"}, 2, "--root"},
		{"a private repository without a token", private, nil, nil, 2, "username=TOKEN"},
		{"a token with a blank", private, []string{"username=rmt_1 login x"}, nil, 2, "letters, digits"},
		{"a token with a line break", private, []string{"username=rmt_1\nmachine x"}, nil, 2, "letters, digits"},
		{"a password with a quote", private, []string{"password=a'b"}, nil, 2, "letters, digits"},
		{"a name that is a command", unchanged, []string{"os=$(touch pwned)", "dist=`touch pwned`"}, nil, 3, "for touchpwned/touchpwned"},
		{"a name that is a pattern", unchanged, []string{"os=*", "dist=*"}, nil, 3, "it has no packages"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			s := newScript(t, catalog.DEB, publicURL, tt.change, "debian/trixie")
			s.write(t, "etc/os-release", trixie)
			out, code := s.run(t, tt.env, tt.args...)
			if code != tt.code || !strings.Contains(out, tt.says) || len(s.files(t)) != 1 {
				t.Errorf("want code %d and %q, got %d: %s\n%v", tt.code, tt.says, code, out, s.files(t))
			}
			if _, err := os.Stat("pwned"); err == nil {
				t.Error("the shell ran what the environment says")
			}
		})
	}
}

// A URL that is full of shell stays a URL.
func TestScriptEscapesSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	const url = "https://packages.example.org/'$(touch pwned)`touch pwned`\\x\"^[a"
	for f, file := range map[catalog.Format]string{catalog.DEB: "etc/apt/sources.list.d/acme_tools.sources", catalog.RPM: "etc/yum.repos.d/acme_tools.repo"} {
		s := newScript(t, f, url, unchanged, "debian/trixie")
		s.write(t, "etc/yum.repos.d/other.repo", "[x]\nbaseurl="+url+"/acme/tools/el/8/x86_64\n")
		s.write(t, "etc/apt/sources.list", "deb "+url+"/acme/tools/debian trixie main\n")
		env := []string{"os=debian", "dist=trixie"}
		if f == catalog.RPM {
			env = []string{"os=el", "dist=9"}
		}
		s.mustRun(t, env)
		if got := s.files(t); !strings.Contains(got[file], url+"/acme/tools/") || len(got) != map[catalog.Format]int{catalog.DEB: 4, catalog.RPM: 3}[f] {
			t.Errorf("%s: %v", f, got)
		}
	}
	if paths, err := filepath.Glob("*"); err != nil || len(paths) > 0 {
		t.Errorf("the shell ran what the URL says: %q, %v", paths, err)
	}
}

// apt before 1.1 reads no deb822 and no Signed-By, and before 1.5 one file with tokens.
func TestScriptForOldApt(t *testing.T) {
	s := newScript(t, catalog.DEB, publicURL, func(s *catalog.Settings) { s.Visibility = catalog.Private }, "debian/trixie")
	s.write(t, "etc/os-release", trixie)
	s.write(t, "etc/apt/auth.conf", "machine example.org login a password b\nmachine packages.example.org/acme/tools/ login old password x\n")
	for version, source := range map[string]string{"1.0.9.8": "etc/apt/sources.list.d/acme_tools.list", "1.2.35": "etc/apt/sources.list.d/acme_tools.sources"} {
		s.write(t, "var/lib/dpkg/status", "Package: apt\nStatus: install ok installed\nVersion: "+version+"\nArchitecture: amd64\nMaintainer: x\nDescription: x\n\n")
		s.mustRun(t, []string{"password=rmt_1"})
		files := s.files(t)
		if files[source] == "" {
			t.Errorf("%s: %v", version, files)
		}
		want := "-rw-------\nmachine example.org login a password b\nmachine packages.example.org/acme/tools/ login x password rmt_1\n"
		if diff := cmp.Diff(want, files["etc/apt/auth.conf"]); diff != "" {
			t.Errorf("%s: auth.conf (-want +got):\n%s", version, diff)
		}
		if version == "1.0.9.8" && (files["etc/apt/trusted.gpg.d/acme_tools.gpg"] == "" || strings.Contains(files[source], "signed-by")) {
			t.Errorf("%s: %v", version, files)
		}
	}
}
