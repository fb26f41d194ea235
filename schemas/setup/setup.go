// Package setup has the commands that set up a host for a repository. They are functions of settings.
package setup

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Placeholder is the default for the token in lines for a private repository.
const Placeholder = "TOKEN"

// Lines returns the commands, for a POSIX shell, that set up a client of a distribution and install a package, or only
// set it up if pkg is empty. Each but the last ends in "&&", so that they stop at the first that fails, with its exit code. A
// file that cannot be fetched is not written. The lines depend on the repository, its visibility, and the components and
// architectures of the distribution. Only a private repository needs a token.
//
// A token is never an argument of a command, which every user of a machine can read, and never in a file that other users can
// read.
func Lines(publicURL string, s catalog.Settings, distro layout.Distro, pkg, token string) []string {
	return clientSetup{url: publicURL, settings: s, distro: distro, name: layout.SourceName(s.Repository), pkg: pkg}.lines(token)
}

func (c clientSetup) lines(token string) []string {
	var steps []string
	if c.private() {
		steps = []string{"token=" + ShellWord(token)}
	}
	pkg := c.pkg
	switch c.distro.Client {
	case layout.Yum:
		steps = append(append(steps, c.yum()...), orElse("sudo yum install -y", pkg, "sudo yum makecache"))
	case layout.Dnf:
		steps = append(append(steps, c.yum()...), orElse("sudo dnf install -y", pkg, "sudo dnf makecache"))
	case layout.Zypper:
		steps = append(append(steps, c.zypper()...),
			orElse("sudo zypper --non-interactive --gpg-auto-import-keys install", pkg, "sudo zypper --non-interactive --gpg-auto-import-keys refresh "+c.alias()))
	case layout.AptList:
		steps = append(append(steps, c.aptList()...), "sudo apt-get update")
	default:
		steps = append(append(steps, c.apt()...), "sudo apt-get update")
	}
	if pkg != "" && (c.distro.Client == layout.Apt || c.distro.Client == layout.AptList) {
		steps = append(steps, "sudo apt-get install -y "+pkg)
	}
	for i := range steps[:len(steps)-1] {
		steps[i] += " &&"
	}
	return steps
}

// orElse returns the command that installs a package, or another one if there is no package.
func orElse(install, pkg, other string) string {
	if pkg == "" {
		return other
	}
	return install + " " + pkg
}

// SnapshotLines returns the commands that set up a client of a distribution, as [Lines] does, for the state of a repository that a snapshot
// has. On a host that is set up for the repository they replace its configuration; those of [Lines] take that back.
func SnapshotLines(publicURL string, s catalog.Settings, distro layout.Distro, id, token string) []string {
	return clientSetup{url: publicURL, settings: s, distro: distro, name: layout.SourceName(s.Repository), snapshot: id}.lines(token)
}

// A clientSetup makes the steps of [Lines].
type clientSetup struct {
	url      string // of the resolver
	snapshot string // identifier of the one that clients use; empty for the present state
	settings catalog.Settings
	distro   layout.Distro
	name     string // of the client's files
	pkg      string // to be installed
}

// keyring reports whether a keyring package owns the file of keys that these lines write.
func (c clientSetup) keyring() bool { return c.settings.Keyring != nil && c.settings.Keyring.On }

func (c clientSetup) private() bool { return c.settings.Visibility == catalog.Private }

// fetch returns the command that downloads a file of the repository. curl reads the token from its standard input, which no
// process list shows.
func (c clientSetup) fetch(key, path string) string {
	line := fmt.Sprintf("-fsSLo %s %s/%s", path, c.url, key)
	if c.private() {
		return `printf 'user = "%s:x"\n' "$token" | sudo curl -K - ` + line
	}
	return "sudo curl " + line
}

// place returns the key of an object of the repository, or of the one below the snapshot.
func (c clientSetup) place(key string) string {
	if c.snapshot == "" {
		return key
	}
	return layout.InSnapshot(c.settings.Repository, c.snapshot, key)
}

// alias returns the name of the repository in a .repo file.
func (c clientSetup) alias() string {
	if c.snapshot == "" {
		return c.name
	}
	return c.name + "-" + c.snapshot
}

// secret returns the command that writes a file with mode 0600. format has one "%s", for the token.
func secret(format, path string) string {
	return fmt.Sprintf(`printf '%s\n' "$token" | sudo install -D -m 600 /dev/stdin %s`, format, path)
}

// apt returns the steps for apt with deb822 sources. They add to the .sources file the architectures of the host that the
// repository has: for a foreign architecture that it lacks, apt would print a notice at each update. The published file names no
// architectures, because it is for hosts of all.
func (c clientSetup) apt() []string {
	path := "/etc/apt/sources.list.d/" + c.name + ".sources"
	var steps []string
	if c.keyring() {
		steps = []string{c.fetch(layout.GPGKeyKey(c.settings.Repository), layout.KeyringPath(c.settings.Repository, catalog.DEB))}
	}
	steps = append(append(steps, c.fetch(c.place(layout.SourcesKey(c.settings.Repository, c.distro.Distribution)), path)), c.addArchitecture()...)
	return append(append(steps,
		`sudo sed -i "/^Suites:/a Architectures: $(echo `+c.hostArchitectures()+`)" `+path,
	), c.aptAuth()...)
}

// hostArchitectures returns the command that prints the architecture of a host, and those of its foreign ones that the
// repository has.
func (c clientSetup) hostArchitectures() string {
	all := c.distro.Architectures
	if ds, ok := c.settings.Find(c.distro.Distribution); ok && len(ds.Architectures) > 0 {
		all = ds.Architectures
	}
	return `$(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE ` + ShellWord(strings.Join(all, "|")) + `)`
}

const foreign32 = ":i386"

// addArchitecture returns the step that adds i386 to a host of amd64, for a package that exists for 32-bit x86 only. It is
// the only foreign architecture whose programs every host of another one runs.
func (c clientSetup) addArchitecture() []string {
	if !strings.HasSuffix(c.pkg, foreign32) {
		return nil
	}
	return []string{`{ test "$(dpkg --print-architecture)" != amd64 || sudo dpkg --add-architecture i386; }`}
}

// Qualified returns the name of a package for apt-get install. If the package has one architecture, and not a common one, the
// name includes it: otherwise apt may choose a package of that name from elsewhere.
func Qualified(name string, f catalog.Format, architectures ...string) string {
	all := slices.Compact(slices.Sorted(slices.Values(architectures)))
	if f != catalog.DEB || len(all) != 1 || slices.Contains([]string{"all", "amd64", "arm64"}, all[0]) {
		return name
	}
	return name + ":" + all[0]
}

// aptList returns the steps for versions of apt that read no keys in their sources.
func (c clientSetup) aptList() []string {
	keyring := "/usr/share/keyrings/" + c.name + ".asc"
	if c.keyring() {
		keyring = layout.KeyringPath(c.settings.Repository, catalog.DEB)
	}
	d := c.distro.Distribution
	components := []string{layout.DefaultComponent}
	if ds, ok := c.settings.Find(d); ok && len(ds.Components) > 0 {
		components = ds.Components
	}
	steps := []string{c.fetch(layout.GPGKeyKey(c.settings.Repository), keyring)} // fails for a wrong token
	steps = append(append(steps, c.addArchitecture()...),
		fmt.Sprintf(`echo "deb [arch=$(echo %s | tr ' ' ,) signed-by=%s] %s/%s %s %s" | sudo tee /etc/apt/sources.list.d/%s.list >/dev/null`,
			c.hostArchitectures(), keyring, c.url, c.place(c.settings.Repository.String()+"/"+d.OS), d.Version, strings.Join(components, " "), c.name))
	return append(steps, c.aptAuth()...)
}

// aptAuth returns the step that gives apt the token for URLs below the repository. An entry without a scheme is for https only
// (apt_auth.conf(5)).
func (c clientSetup) aptAuth() []string {
	if !c.private() {
		return nil
	}
	machine := strings.TrimPrefix(c.url, "https://") + "/" + c.settings.Repository.String() + "/"
	return []string{secret("machine "+machine+" login %s password x", "/etc/apt/auth.conf.d/"+c.name+".conf")}
}

func (c clientSetup) yum() []string {
	path := layout.RepoPath(c.settings.Repository, layout.Yum)
	steps := []string{c.fetch(c.place(layout.RepoKey(c.settings.Repository, c.distro.Distribution)), path)}
	if c.private() {
		steps = append(steps, "sudo chmod 600 "+path,
			`printf '/^baseurl=/a %s\n' "username=$token" password=x | sudo sed -i -f - `+path)
	}
	return steps
}

func (c clientSetup) zypper() []string {
	path := layout.RepoPath(c.settings.Repository, layout.Zypper)
	steps := []string{c.fetch(c.place(layout.RepoKey(c.settings.Repository, c.distro.Distribution)), path)}
	if c.private() {
		steps = append(steps, secret(`username=%s\npassword=x`, "/etc/zypp/credentials.d/"+c.name),
			"sudo sed -i '/^baseurl=/s/$/?credentials="+c.name+"/' "+path)
	}
	return steps
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// ShellWord quotes a word for a shell.
func ShellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
