package layout

import (
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// systems are names of systems, as ID of os-release or lsb_release has them, that read the packages of another os under the
// same version. Names with versions of their own are aliases in distributions.json.
var systems = map[string]string{
	"alma": "el", "almalinux": "el", "centos": "el", "centos-stream": "el", "circle": "el", "cloudlinux": "el", "eurolinux": "el", "miraclelinux": "el",
	"redhat": "el", "redhatenterprise": "el", "redhatenterpriselinux": "el", "redhatenterpriseserver": "el", "rhel": "el", "rocky": "el",
	"scientific": "el", "springdale": "el", "virtuozzo": "el",
	"oracle": "ol", "oracleserver": "ol", "oraclelinux": "ol",
	"amazon": "amazon", "amazonami": "amazon", "amzn": "amazon",
	"opensuse-leap": "opensuse", "opensuseleap": "opensuse", "opensuseproject": "opensuse",
	"sles_sap": "sles", "sled": "sles", "suse": "sles", "suselinux": "sles",
	"neon": "ubuntu", "pop": "ubuntu",
}

// rolling are names of systems whose version is a day.
var rolling = map[string]catalog.Distribution{
	"opensuse-tumbleweed": {OS: "opensuse", Version: "tumbleweed"},
	"opensusetumbleweed":  {OS: "opensuse", Version: "tumbleweed"},
	"kali":                {OS: "kali", Version: "kali-rolling"},
}

// System returns the distribution whose packages a system reads, by the names that it has for itself, in lower case:
// el/9 for rocky 9.4 and sles/15.5 for sles 15-SP5. Names that the table does not know are returned as they are: a
// repository may have such a distribution.
func (t *Table) System(os, version string) catalog.Distribution {
	d := catalog.Distribution{OS: os, Version: version}
	if _, known := t.byName[d]; known {
		return d
	}
	if roll, ok := rolling[os]; ok {
		return roll
	}
	for _, d := range []catalog.Distribution{d, {OS: systems[os], Version: version}} {
		use, ok := t.alias(d)
		if os, version, cut := strings.Cut(use, "/"); ok && cut {
			return catalog.Distribution{OS: os, Version: version}
		}
	}
	return d
}

// SystemNames returns what systems that read a distribution call themselves, as os/version, sorted and without repeats: its
// own name, its aliases, and the names that [Table.System] maps to it. A "*" is any version. Point releases of them are
// left out.
func (d Distro) SystemNames() []string {
	names := append([]string{d.Distribution.String()}, d.Aliases...)
	for system, os := range systems {
		if os == d.Distribution.OS {
			names = append(names, system+"/"+d.Distribution.Version)
		}
	}
	for system, to := range rolling {
		if to == d.Distribution {
			names = append(names, system+"/*")
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
