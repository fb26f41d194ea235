package layout

import (
	"fmt"
	"strconv"
	"strings"
)

// An rpmVersion is the version of a distribution's rpm, major and minor. The zero value means that no feature is known to
// be missing.
type rpmVersion struct{ major, minor int }

// parseRPMVersion reads "4.11". Digits behind the minor version, as in "4.11.3", decide nothing and are refused.
func parseRPMVersion(s string) (v rpmVersion, err error) {
	if s == "" {
		return v, nil
	}
	major, minor, ok := strings.Cut(s, ".")
	if ok {
		v.major, err = strconv.Atoi(major)
	}
	if ok && err == nil {
		v.minor, err = strconv.Atoi(minor)
	}
	if !ok || err != nil || v.major < 4 || v.minor < 0 {
		return v, fmt.Errorf("rpm is %q, and should be its version as MAJOR.MINOR, such as 4.11", s)
	}
	return v, nil
}

// before reports that v is known and older than another version.
func (v rpmVersion) before(w rpmVersion) bool {
	return v != rpmVersion{} && (v.major < w.major || v.major == w.major && v.minor < w.minor)
}

// featureSince has the first version of rpm with a feature that a package may require as rpmlib(NAME), for the features
// since 4.11 (lib/rpmds.c of rpm). The versions in such requirements are not versions of rpm.
var featureSince = map[string]rpmVersion{
	"LargeFiles":       {4, 12},
	"RichDependencies": {4, 13},
	"PayloadIsZstd":    {4, 14},
	"CaretInVersions":  {4, 15},
}

// RPMLacks reports that the distribution's rpm is known not to have a feature of rpmlib(NAME).
func (d Distro) RPMLacks(feature string) bool {
	v, err := parseRPMVersion(d.RPM)
	return err == nil && v.before(featureSince[feature])
}
