package html

import (
	"cmp"
	"slices"
	"strings"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// A setUp is how systems of one distribution are set up and install a package, in three ways.
type setUp struct {
	ID         string // of the element
	Name       string // os/version
	Client     string // the program
	Archs      string
	Number     string // of the version, if its name is none
	Components string // of DEB, if there are others than main
	Others     []string
	Open       bool // it is the only one, and shown
	Empty      bool // there is nothing to install yet
	Script     string
	Hand       string
	Container  string
	Build      string // the command that builds a container of a private repository
	Config     *link  // the file of configuration
}

// A link is a text with a target.
type link struct{ Text, Link string }

// setUps returns what the front page says of each distribution.
func (d drawing) setUps(f model.Front) []setUp {
	all := make([]setUp, 0, len(f.Distributions))
	for _, dist := range f.Distributions {
		all = append(all, d.setUp(f, dist))
	}
	return all
}

func (d drawing) setUp(f model.Front, dist model.Distribution) setUp {
	distro := withClient(dist)
	c := clientOf(f, distro, dist)
	s := setUp{ID: "install-" + c.id(), Name: c.id(), Client: string(programOf(distro.Client)), Archs: strings.Join(archs(dist.Settings.Architectures), ", "),
		Others: distro.Aliases, Empty: dist.Package == "", Open: len(f.Distributions) == 1}
	if !slices.Equal(dist.Settings.Components, []string{layout.DefaultComponent}) {
		s.Components = strings.Join(dist.Settings.Components, ", ")
	}
	s.Number = number(distro)
	s.Script = d.scriptLine(f.Repository, distro.Format)
	if len(c.packages) > 0 {
		s.Script += "\n" + install(distro.Client, strings.Join(c.packages, " "))
	}
	s.Hand = strings.Join(setup.Lines(d.publicURL, c.settings, distro, strings.Join(c.packages, " "), setup.Placeholder), "\n")
	s.Container = d.container(c)
	if f.Private {
		s.Build = "docker build --secret id=token,src=FILE ."
	}
	key := layout.RepoKey(f.Name, distro.Distribution)
	if distro.Client == layout.Apt {
		key = layout.SourcesKey(f.Name, distro.Distribution)
	}
	if distro.Client != layout.AptList { // which reads no such file
		s.Config = &link{key[strings.LastIndexByte(key, '/')+1:], d.to(key)}
	}
	return s
}

// number returns the number of a version that has a name: "22.04" for ubuntu/jammy.
func number(d layout.Distro) string {
	for _, alias := range d.Aliases {
		version, ok := strings.CutPrefix(alias, d.Distribution.OS+"/")
		if ok && strings.Trim(version, "0123456789.") == "" && d.Format == catalog.DEB {
			return version
		}
	}
	return ""
}

// withClient returns a distribution with its client, also if the table no longer has it.
func withClient(dist model.Distribution) layout.Distro {
	distro := dist.Distro
	if distro.Distribution.OS == "" {
		distro.Distribution = dist.Settings.Distribution
	}
	distro.Format = cmp.Or(distro.Format, dist.Settings.Format)
	if distro.Client == "" {
		distro.Client = clientFor(distro.Distribution, distro.Format)
	}
	return distro
}

// clientFor returns the client of a distribution by the built-in table, or else by the format of its packages.
func clientFor(d catalog.Distribution, f catalog.Format) layout.Client {
	if distro, rej := table.Lookup(d); rej == nil && distro.Format == f {
		return distro.Client
	}
	if f == catalog.DEB {
		return layout.Apt
	}
	return layout.Dnf
}

var table = layout.DefaultTable()

// programOf returns the client as people call it.
func programOf(c layout.Client) layout.Client {
	if c == layout.AptList {
		return layout.Apt
	}
	return c
}

// install returns the command that installs packages. Systems of amd64 run programs of i386, and have to be set up for that first.
func install(c layout.Client, packages string) string {
	switch {
	case c == layout.Yum:
		return "sudo yum install " + packages
	case c == layout.Dnf:
		return "sudo dnf install " + packages
	case c == layout.Zypper:
		return "sudo zypper install " + packages
	case needsI386(packages):
		return "sudo " + addI386 + " && sudo apt-get update && sudo apt-get install " + packages
	default:
		return "sudo apt-get install " + packages
	}
}

const addI386 = "dpkg --add-architecture i386"

func needsI386(packages string) bool {
	return strings.Contains(packages+" ", ":i386 ") || strings.Contains(packages, ":i386=")
}

// archs returns architectures without that of source packages.
func archs(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == layout.SRPMS })
}

// scriptLine returns the command that runs the script of a repository, which knows the distribution of its host.
func (d drawing) scriptLine(r model.Repository, f catalog.Format) string {
	url := d.publicURL + "/" + layout.ScriptKey(r.Name, f)
	if r.Private {
		return "curl -fsSL -u " + setup.Placeholder + ": " + url + " | sudo username=" + setup.Placeholder + " bash"
	}
	return "curl -fsSL " + url + " | sudo bash"
}

// A clientOfPage has what commands for one distribution are made of.
type clientOfPage struct {
	settings catalog.Settings
	distro   layout.Distro
	packages []string // to install: the keyring package, and another one
}

func clientOf(f model.Front, distro layout.Distro, dist model.Distribution) clientOfPage {
	s := catalog.Settings{Repository: f.Name, Visibility: catalog.Public, Distributions: []catalog.DistributionSettings{dist.Settings}}
	if f.Private {
		s.Visibility = catalog.Private
	}
	c := clientOfPage{distro: distro}
	if f.Keyring {
		s.Keyring = &catalog.KeyringPackage{On: true}
		c.packages = append(c.packages, layout.KeyringName(f.Name, distro.Format))
	}
	if dist.Package != "" && !slices.Contains(c.packages, dist.Package) {
		c.packages = append(c.packages, dist.Package)
	}
	c.settings = s
	return c
}

func (c clientOfPage) id() string { return c.distro.Distribution.String() }

func (c clientOfPage) private() bool { return c.settings.Visibility == catalog.Private }

func (c clientOfPage) repository() catalog.Repository { return c.settings.Repository }
