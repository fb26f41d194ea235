package client

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Placeholder stands for a token in lines for a private repository.
const Placeholder = "TOKEN"

// setupLines returns the commands, for a POSIX shell, that set a client of a distribution up and install a package,
// or only set it up if pkg is empty. Each but the last ends in "&&": the first that fails ends them with its exit code,
// and a file that cannot be fetched is not written. Of settings, the repository, its visibility and the distribution's
// components count; a repository that is not private needs no token.
//
// A token is in no command's arguments, which every user of a machine can read, and in no file that they can.
func setupLines(publicURL string, s catalog.Settings, distro layout.Distro, pkg, token string) []string {
	c := clientSetup{url: publicURL, settings: s, distro: distro, name: layout.SourceName(s.Repository), pkg: pkg}
	var steps []string
	if c.private() {
		steps = []string{"token=" + shellWord(token)}
	}
	switch distro.Client {
	case layout.Yum:
		steps = append(append(steps, c.yum()...), orElse("sudo yum install -y", pkg, "sudo yum makecache"))
	case layout.Dnf:
		steps = append(append(steps, c.yum()...), orElse("sudo dnf install -y", pkg, "sudo dnf makecache"))
	case layout.Zypper:
		steps = append(append(steps, c.zypper()...),
			orElse("sudo zypper --non-interactive --gpg-auto-import-keys install", pkg, "sudo zypper --non-interactive --gpg-auto-import-keys refresh "+c.name))
	case layout.AptList:
		steps = append(append(steps, c.aptList()...), "sudo apt-get update")
	default:
		steps = append(append(steps, c.apt()...), "sudo apt-get update")
	}
	if pkg != "" && (distro.Client == layout.Apt || distro.Client == layout.AptList) {
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

// A clientSetup makes the steps of [setupLines].
type clientSetup struct {
	url      string // of the resolver
	settings catalog.Settings
	distro   layout.Distro
	name     string // of the client's files
	pkg      string // to be installed
}

// keyring reports whether a package has the keys, in the place where these lines write them.
func (c clientSetup) keyring() bool { return c.settings.Keyring != nil && c.settings.Keyring.On }

func (c clientSetup) private() bool { return c.settings.Visibility == catalog.Private }

// fetch fetches a file of the repository. curl reads the token where no process list shows it.
func (c clientSetup) fetch(key, path string) string {
	line := fmt.Sprintf("-fsSLo %s %s/%s", path, c.url, key)
	if c.private() {
		return `printf 'user = "%s:x"\n' "$token" | sudo curl -K - ` + line
	}
	return "sudo curl " + line
}

// secret writes a file that only root reads. format has the token as its one "%s".
func secret(format, path string) string {
	return fmt.Sprintf(`printf '%s\n' "$token" | sudo install -D -m 600 /dev/stdin %s`, format, path)
}

// apt writes into the file which of the host's architectures the repository has: a host with a foreign one that it lacks
// would print a notice at each update. The file itself names none, because it is for hosts of all architectures.
func (c clientSetup) apt() []string {
	path := "/etc/apt/sources.list.d/" + c.name + ".sources"
	var steps []string
	if c.keyring() {
		steps = []string{c.fetch(layout.GPGKeyKey(c.settings.Repository), layout.KeyringPath(c.settings.Repository, catalog.DEB))}
	}
	steps = append(append(steps, c.fetch(layout.SourcesKey(c.settings.Repository, c.distro.Distribution), path)), c.addArchitecture()...)
	return append(append(steps,
		`sudo sed -i "/^Suites:/a Architectures: $(echo `+c.hostArchitectures()+`)" `+path,
	), c.aptAuth()...)
}

// hostArchitectures prints, in words, a host's own architecture and those of its foreign ones that the repository has.
func (c clientSetup) hostArchitectures() string {
	all := c.distro.Architectures
	if ds, ok := c.settings.Find(c.distro.Distribution); ok && len(ds.Architectures) > 0 {
		all = ds.Architectures
	}
	return `$(dpkg --print-architecture; dpkg --print-foreign-architectures | grep -xE ` + shellWord(strings.Join(all, "|")) + `)`
}

const foreign32 = ":i386"

// addArchitecture makes a host of amd64 take a package that there is for 32-bit x86 only. That is the one foreign
// architecture whose programs all hosts of another one run.
func (c clientSetup) addArchitecture() []string {
	if !strings.HasSuffix(c.pkg, foreign32) {
		return nil
	}
	return []string{`{ test "$(dpkg --print-architecture)" != amd64 || sudo dpkg --add-architecture i386; }`}
}

// qualified returns the name of a package for apt-get install, with its architecture if it has only one of which most hosts
// are not: without, apt may find a package of that name elsewhere.
func qualified(name string, f catalog.Format, architectures ...string) string {
	all := slices.Compact(slices.Sorted(slices.Values(architectures)))
	if f != catalog.DEB || len(all) != 1 || slices.Contains([]string{"all", "amd64", "arm64"}, all[0]) {
		return name
	}
	return name + ":" + all[0]
}

// aptList is for apt that reads no keys in its sources.
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
	steps := []string{c.fetch(layout.GPGKeyKey(c.settings.Repository), keyring)} // which a wrong token does not open
	steps = append(append(steps, c.addArchitecture()...),
		fmt.Sprintf(`echo "deb [arch=$(echo %s | tr ' ' ,) signed-by=%s] %s/%s/%s %s %s" | sudo tee /etc/apt/sources.list.d/%s.list >/dev/null`,
			c.hostArchitectures(), keyring, c.url, c.settings.Repository, d.OS, d.Version, strings.Join(components, " "), c.name))
	return append(steps, c.aptAuth()...)
}

// aptAuth gives apt the token for what is below the repository. Without a scheme the entry is for https alone
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
	steps := []string{c.fetch(layout.RepoKey(c.settings.Repository, c.distro.Distribution), path)}
	if c.private() {
		steps = append(steps, "sudo chmod 600 "+path,
			`printf '/^baseurl=/a %s\n' "username=$token" password=x | sudo sed -i -f - `+path)
	}
	return steps
}

func (c clientSetup) zypper() []string {
	path := layout.RepoPath(c.settings.Repository, layout.Zypper)
	steps := []string{c.fetch(layout.RepoKey(c.settings.Repository, c.distro.Distribution), path)}
	if c.private() {
		steps = append(steps, secret(`username=%s\npassword=x`, "/etc/zypp/credentials.d/"+c.name),
			"sudo sed -i '/^baseurl=/s/$/?credentials="+c.name+"/' "+path)
	}
	return steps
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// shellWord quotes a word for a shell.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
