package layout

import (
	"strings"

	"repomill/schemas/catalog"
)

// installs is the folder of what sets clients up, by repository. Its first segment is a reserved owner.
const installs = installOwner + "/" + installFolder

const installOwner, installFolder = "install", "repositories"

// The files of a repository, and those of one of its distributions, that set clients up.
const (
	scriptDEB, scriptRPM         = "script.deb.sh", "script.rpm.sh"
	gpgKeyURLList, gpgKeyURLRepo = "gpg_key_url.list", "gpg_key_url.repo"

	configFileList, configFileRepo = "config_file.list", "config_file.repo"
	rpmBaseURL                     = "rpm_base_url"
)

func installDir(r catalog.Repository) string { return installs + "/" + r.String() }

// ScriptKey returns the key of the script that sets a host up for a repository, such as
// "install/repositories/acme/tools/script.deb.sh".
func ScriptKey(r catalog.Repository, f catalog.Format) string {
	if f == catalog.DEB {
		return installDir(r) + "/" + scriptDEB
	}
	return installDir(r) + "/" + scriptRPM
}

// GPGKeyURLKey returns the key of the text that is the URL of a repository's public keys.
func GPGKeyURLKey(r catalog.Repository, f catalog.Format) string {
	if f == catalog.DEB {
		return installDir(r) + "/" + gpgKeyURLList
	}
	return installDir(r) + "/" + gpgKeyURLRepo
}

// ConfigFileKey returns the key of the configuration that packagecloud's clients fetch for a distribution: one-line
// sources of apt, or a .repo file.
func ConfigFileKey(r catalog.Repository, d catalog.Distribution, f catalog.Format) string {
	if f == catalog.DEB {
		return installDir(r) + "/" + d.String() + "/" + configFileList
	}
	return installDir(r) + "/" + d.String() + "/" + configFileRepo
}

// BaseURLKey returns the key of the text that is the base URL of an RPM distribution.
func BaseURLKey(r catalog.Repository, d catalog.Distribution) string {
	return installDir(r) + "/" + d.String() + "/" + rpmBaseURL
}

// IsInstall reports whether the object is one that sets clients up ([ScriptKey] and its like). Old scripts fetch these
// without following redirects.
func (r Ref) IsInstall() bool { return strings.HasPrefix(r.Key, installs+"/") }

// InstallPath returns the path of a file for a distribution, whose name clients give in a query:
//
//	install/repositories/owner/name/config_file.list with os=ubuntu and dist=jammy is
//	install/repositories/owner/name/ubuntu/jammy/config_file.list
//
// It returns other paths as they are. What a client gave is checked by [Parse].
func InstallPath(path string, query func(name string) string) string {
	dir, file := cutLast(path, "/")
	if !distributionFile(file) || !strings.HasPrefix(path, installs+"/") || strings.Count(path, "/") != 4 {
		return path
	}
	return dir + "/" + spelled(query("os")) + "/" + spelled(query("dist")) + "/" + file
}

// spelled returns a name as lsb_release spells it in the form of os-release: "Ubuntu", "Linux Mint".
func spelled(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

func distributionFile(s string) bool {
	return s == configFileList || s == configFileRepo || s == rpmBaseURL
}

// installRef returns the object of a path below [installs], given its segments.
func installRef(p []string) (ref Ref, ok bool) {
	if len(p) < 5 || p[0] != installOwner || p[1] != installFolder || !plainSegments(p) {
		return Ref{}, false
	}
	r := catalog.Repository{Owner: p[2], Name: p[3]}
	if CheckRepository(r) != nil {
		return Ref{}, false
	}
	switch rest := p[4:]; {
	case len(rest) == 1 && (rest[0] == scriptDEB || rest[0] == scriptRPM || rest[0] == gpgKeyURLList || rest[0] == gpgKeyURLRepo):
		return Ref{Repository: r, Key: installDir(r) + "/" + rest[0]}, true
	case len(rest) == 3 && distributionFile(rest[2]):
		d := defaultTable().System(rest[0], rest[1])
		return Ref{Repository: r, Key: installDir(r) + "/" + d.String() + "/" + rest[2]}, checkDistributionName(d) == nil
	}
	return Ref{}, false
}

// ScriptKeyringPath returns the path of the file in which install scripts, packagecloud's too, keep the public keys of a
// repository for apt, without armour.
func ScriptKeyringPath(r catalog.Repository) string {
	return "/etc/apt/keyrings/" + SourceName(r) + "-archive-keyring.gpg"
}
