package layout_test

import (
	"net/url"
	"slices"
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// What old scripts and configuration management call a system, and what it reads.
func TestSystem(t *testing.T) {
	table := layout.DefaultTable()
	for _, tt := range []struct{ name, system, want string }{
		{"a distribution by its own name", "ubuntu/jammy", "ubuntu/jammy"},
		{"Ubuntu by its number", "ubuntu/22.04", "ubuntu/jammy"},
		{"a point release of Ubuntu", "ubuntu/24.04.3", "ubuntu/noble"},
		{"Debian by its number", "debian/12", "debian/bookworm"},
		{"a point release of Debian", "debian/13.8", "debian/trixie"},
		{"Mint by its name", "linuxmint/xia", "ubuntu/noble"},
		{"Mint by its number", "linuxmint/21.3", "ubuntu/jammy"},
		{"Pop!_OS", "pop/22.04", "ubuntu/jammy"},
		{"Kali by its day", "kali/2026.3", "kali/kali-rolling"},
		{"Kali by its codename", "kali/kali-rolling", "kali/kali-rolling"},
		{"CentOS", "centos/8", "el/8"},
		{"CentOS Stream", "centos-stream/9", "el/9"},
		{"RHEL with its minor version", "rhel/9.4", "el/9"},
		{"RHEL as lsb_release has it", "redhatenterpriseserver/7", "el/7"},
		{"RHEL as Chef has it", "redhat/8.10", "el/8"},
		{"Rocky", "rocky/10.1", "el/10"},
		{"Alma", "almalinux/9.5", "el/9"},
		{"Scientific Linux", "scientific/7", "el/7"},
		{"CloudLinux", "cloudlinux/8.10", "el/8"},
		{"Oracle Linux", "ol/9.5", "ol/9"},
		{"Oracle Linux as Chef has it", "oracle/8.9", "ol/8"},
		{"Amazon Linux 2", "amzn/2", "amazon/2"},
		{"Amazon Linux 2023 with its day", "amzn/2023.6.20260105", "amazon/2023"},
		{"Amazon Linux as Chef has it", "amazon/2023", "amazon/2023"},
		{"Fedora", "fedora/43", "fedora/43"},
		{"Leap", "opensuse-leap/15.6", "opensuse/15.6"},
		{"Leap as Chef has it", "opensuseleap/15.6", "opensuse/15.6"},
		{"Tumbleweed by its day", "opensuse-tumbleweed/20261128", "opensuse/tumbleweed"},
		{"SLES", "sles/15.5", "sles/15.5"},
		{"SLES with a service pack", "sles/15-sp5", "sles/15.5"},
		{"SLES for SAP", "sles_sap/15.6", "sles/15.6"},
		{"SLES as Chef has it", "suse/15.5", "sles/15.5"},
		{"a system that the table does not know", "acmeos/3.1", "acmeos/3.1"},
		{"a version that the table does not know", "ubuntu/zesty", "ubuntu/zesty"},
		{"Amazon Linux is no EL of that number", "amzn/9", "amzn/9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := distribution(tt.system)
			if got := table.System(d.OS, d.Version).String(); got != tt.want {
				t.Errorf("%s reads %s, want %s", tt.system, got, tt.want)
			}
		})
	}
}

// Every name that a distribution lists for systems is one that leads back to it, and no two distributions list one.
func TestSystemNames(t *testing.T) {
	table := layout.DefaultTable()
	of := map[string]string{}
	for _, distro := range table.All() {
		for _, name := range distro.SystemNames() {
			if other, ok := of[name]; ok {
				t.Errorf("%s is %s and %s", name, other, distro.Distribution)
			}
			of[name] = distro.Distribution.String()
			d := distribution(name)
			if got := table.System(d.OS, d.Version); got != distro.Distribution {
				t.Errorf("%s is a name of %s, and System says %s", name, distro.Distribution, got)
			}
		}
	}
	distro, rej := table.Lookup(distribution("el/9"))
	if rej != nil {
		t.Fatal(rej)
	}
	for _, name := range []string{"el/9", "rhel/9", "rocky/9", "cloudlinux/9"} {
		if !slices.Contains(distro.SystemNames(), name) {
			t.Errorf("%s is missing among %q", name, distro.SystemNames())
		}
	}
}

// A query names the system where the path does not.
func TestInstallPath(t *testing.T) {
	const folder = "install/repositories/acme/tools/"
	for _, tt := range []struct{ name, path, query, want string }{
		{"apt's sources", "config_file.list", "os=ubuntu&dist=jammy&source=script", folder + "ubuntu/jammy/config_file.list"},
		{"as lsb_release spells it", "config_file.list", "os=LinuxMint&dist=Xia", folder + "ubuntu/noble/config_file.list"},
		{"yum's configuration", "config_file.repo", "os=centos&dist=8&source=script", folder + "el/8/config_file.repo"},
		{"a base URL", "rpm_base_url", "os=redhat&dist=9.4&name=host.example.org", folder + "el/9/rpm_base_url"},
		{"a path of 2026", "rocky/9/config_file.repo", "", folder + "el/9/config_file.repo"},
		{"a path of 2026, and a query", "rocky/9/config_file.repo", "os=el&dist=8", folder + "el/9/config_file.repo"},
		{"a script, and a query", "script.deb.sh", "os=el&dist=8", folder + "script.deb.sh"},
		{"no system", "config_file.list", "", ""},
		{"no version", "config_file.list", "os=ubuntu", ""},
		{"a path for a name", "config_file.list", "os=../../acme&dist=jammy", ""},
		{"two names for one", "config_file.list", "os=ubuntu/jammy&dist=x", ""},
		{"a name that is encoded once more", "config_file.list", "os=ubuntu%252F&dist=jammy", ""},
		{"a line break", "config_file.list", "os=ubuntu%0d%0a&dist=jammy", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			ref, ok := layout.Parse(layout.InstallPath(folder+tt.path, query.Get))
			if want := (layout.Ref{Repository: tools, Key: tt.want}); ok != (tt.want != "") || ok && (ref != want || !ref.IsInstall()) {
				t.Errorf("got %+v, %v, want %q", ref, ok, tt.want)
			}
		})
	}
	ref, ok := layout.Parse("gpgkey/acme/3D645A26AB9FBD22.pub.gpg")
	if want := (layout.Ref{Repository: catalog.Repository{}, Key: "gpgkey/3D645A26AB9FBD22"}); !ok || ref != want {
		t.Errorf("a package key below its owner is %+v, %v", ref, ok)
	}
}
