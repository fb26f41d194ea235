package html

import (
	"fmt"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// images are the base images of distributions, by os; "%s" is the version.
var images = map[string]string{
	"ubuntu": "ubuntu:%s", "debian": "debian:%s", "kali": "kalilinux/%s", "el": "almalinux:%s", "ol": "oraclelinux:%s", "fedora": "fedora:%s", "amazon": "amazonlinux:%s", "opensuse": "opensuse/leap:%s",
}

// image returns the base image of a distribution; empty if none is known.
func image(d catalog.Distribution) string {
	switch name, ok := images[d.OS]; {
	case d.String() == "opensuse/tumbleweed":
		return "opensuse/tumbleweed"
	case d.String() == "el/7":
		return "" // the mirrors of centos:7 are gone
	case ok:
		return fmt.Sprintf(name, d.Version)
	}
	return ""
}

// container returns lines of a Dockerfile.
func (d drawing) container(c clientOfPage) string {
	from := "# FROM an image of " + c.id()
	if name := image(c.distro.Distribution); name != "" {
		from = "FROM " + name
	}
	if c.private() {
		return from + "\n" + d.privateContainer(c)
	}
	return from + "\n" + d.publicContainer(c)
}

// publicContainer returns the lines for a public repository. The builder fetches the files, so that the image needs no program for
// that; apt needs certificates, which base images lack.
func (d drawing) publicContainer(c clientOfPage) string {
	var lines []string
	add := func(key, path string) {
		lines = append(lines, "ADD --chmod=644 "+d.publicURL+"/"+key+" "+path)
	}
	r, distribution, packages := c.repository(), c.distro.Distribution, strings.Join(c.packages, " ")
	if c.distro.Format == catalog.RPM {
		add(layout.RepoKey(r, distribution), layout.RepoPath(r, c.distro.Client))
		switch {
		case packages == "":
		case c.distro.Client == layout.Zypper:
			lines = append(lines, "RUN zypper --non-interactive --gpg-auto-import-keys install "+packages+" && zypper clean --all")
		default:
			name := string(c.distro.Client)
			lines = append(lines, "RUN "+name+" install -y "+packages+" && "+name+" clean all")
		}
		return strings.Join(lines, "\n")
	}
	if strings.HasPrefix(d.publicURL, "https:") {
		lines = append(lines, aptNeeds(c.forHTTPS()))
	}
	name, keyring := layout.SourceName(r), layout.KeyringPath(r, catalog.DEB)
	switch {
	case c.distro.Client == layout.AptList:
		if c.settings.Keyring == nil {
			keyring = "/usr/share/keyrings/" + name + ".asc"
		}
		add(layout.GPGKeyKey(r), keyring)
		lines = append(lines, fmt.Sprintf(`RUN echo "deb [signed-by=%s] %s/%s/%s %s %s" >/etc/apt/sources.list.d/%s.list`,
			keyring, d.publicURL, r, distribution.OS, distribution.Version, strings.Join(c.components(), " "), name))
	default:
		if c.settings.Keyring != nil {
			add(layout.GPGKeyKey(r), keyring)
		}
		add(layout.SourcesKey(r, distribution), "/etc/apt/sources.list.d/"+name+".sources")
	}
	if needsI386(packages) {
		lines = append(lines, "RUN "+addI386)
	}
	if packages != "" {
		lines = append(lines, "RUN apt-get update && apt-get install -y "+packages+" && rm -rf /var/lib/apt/lists/*")
	}
	return strings.Join(lines, "\n")
}

func aptNeeds(packages string) string {
	return "RUN apt-get update && apt-get install -y --no-install-recommends " + packages
}

// forHTTPS returns the packages with which apt reads https. apt before 1.5 has that in a package of its own, which later ones have as an
// empty one.
func (c clientOfPage) forHTTPS() string {
	if c.distro.Client == layout.AptList {
		return "apt-transport-https ca-certificates"
	}
	return "ca-certificates"
}

func (c clientOfPage) components() []string {
	if all := c.settings.Distributions[0].Components; len(all) > 0 {
		return all
	}
	return []string{layout.DefaultComponent}
}

// privateContainer returns the lines for a private repository: those of a host, in one step of the build that has the token from
// a file of the builder and leaves it in no layer.
func (d drawing) privateContainer(c clientOfPage) string {
	name := layout.SourceName(c.repository())
	var needs, secret string
	switch c.distro.Client {
	case layout.Zypper:
		needs, secret = "RUN zypper --non-interactive install curl sed", "/etc/zypp/credentials.d/"+name
	case layout.Dnf, layout.Yum:
		secret = layout.RepoPath(c.repository(), c.distro.Client)
	default:
		needs, secret = aptNeeds(c.forHTTPS()+" curl"), "/etc/apt/auth.conf.d/"+name+".conf"
	}
	steps := setup.Lines(d.publicURL, c.settings, c.distro, strings.Join(c.packages, " "), setup.Placeholder)
	steps[0] = "token=$(cat /run/secrets/token) &&"
	steps[len(steps)-1] += " &&"
	steps = append(steps, "rm "+secret)
	for i, step := range steps {
		steps[i] = strings.ReplaceAll(step, "sudo ", "")
	}
	lines := "RUN --mount=type=secret,id=token \\\n    " + strings.Join(steps, " \\\n    ")
	if needs != "" {
		lines = needs + "\n" + lines
	}
	return lines
}
