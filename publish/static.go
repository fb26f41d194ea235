package publish

import (
	"bytes"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// statics renders the objects that follow from settings alone, besides the settings themselves: keys
// first, and then the configuration, of some distributions, that names them.
func (p *Publisher) statics(s catalog.Settings, of []catalog.Distribution) ([]pairFile, error) {
	all := []pairFile{{key: layout.GPGKeyKey(s.Repository), body: p.signer.Public()}}
	for _, k := range s.PackageKeys {
		if err := checkPublic(k); err != nil {
			return nil, err
		}
		all = append(all, pairFile{key: layout.PackageKeyKey(s.Repository, k.ID), body: []byte(k.Armor)})
	}
	format := formatIn(s)
	for _, d := range of {
		switch f, ok := format(d); {
		case !ok:
			return nil, fmt.Errorf("repository %s has no distribution %s", s.Repository, d)
		case f == catalog.DEB:
			all = append(all, pairFile{key: layout.SourcesKey(s.Repository, d), body: p.sources(s, d)})
		default:
			all = append(all, pairFile{key: layout.RepoKey(s.Repository, d), body: p.repo(s, d)})
		}
	}
	return all, nil
}

// checkPublic makes sure that a package key is one block of armour, of a public key.
func checkPublic(k catalog.PackageKey) error {
	const begin = "-----BEGIN PGP "
	if strings.HasPrefix(k.Armor, begin+"PUBLIC KEY BLOCK-----\n") && strings.Count(k.Armor, begin) == 1 {
		return nil
	}
	return fmt.Errorf("package key %s is not one armoured public key; register it again", k.ID)
}

// sources renders the deb822 configuration of apt (sources.list(5)), with the key in it.
func (p *Publisher) sources(s catalog.Settings, d catalog.Distribution) []byte {
	r := catalog.Release{Repository: s.Repository, Distribution: d}
	ds, _ := s.Find(d)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s for %s\n", r.Repository, d)
	fmt.Fprintf(&b, "Types: deb\nURIs: %s/%s/\nSuites: %s\nComponents: %s\nSigned-By:\n",
		p.publicURL, layout.OSDir(r), d.Version, strings.Join(ds.Components, " "))
	for line := range strings.Lines(string(p.signer.Public())) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.Bytes()
}

const (
	// unsigned is for packages without a registered key: the signed repomd.xml pins the SHA-256 of each.
	unsigned = "# packages need no signature of their own: the signed metadata pins the sha256 of every one\ngpgcheck=0\n"
	// checked is for repositories that take no package without a signature by a registered key.
	checked = "gpgcheck=1\n"
)

// repo renders the configuration of dnf, yum and zypper. Metadata and packages may have different keys. A repository
// has no modules: without module_hotfixes dnf refuses each package that was built from one (MODULARITYLABEL), and hides
// what a module of the system has under the same name. The others do not know the option, and pass it over.
func (p *Publisher) repo(s catalog.Settings, d catalog.Distribution) []byte {
	id := s.Repository.Owner + "_" + s.Repository.Name
	base := p.publicURL + "/" + s.Repository.String() + "/" + d.String()
	check, keys := unsigned, p.publicURL+"/"+layout.GPGKeyKey(s.Repository)
	for _, k := range s.PackageKeys {
		check = checked
		keys += "\n       " + p.publicURL + "/" + layout.PackageKeyKey(s.Repository, k.ID)
	}
	var b bytes.Buffer
	section := func(id, name, base string, enabled int) {
		fmt.Fprintf(&b, `[%s]
name=%s
baseurl=%s
enabled=%d
type=rpm-md
autorefresh=1
repo_gpgcheck=1
%sgpgkey=%s
sslverify=1
module_hotfixes=1
metadata_expire=300
`, id, name, base, enabled, check, keys)
	}
	section(id, s.Repository.String(), base+"/$basearch", 1)
	b.WriteString("\n")
	section(id+"-source", s.Repository.String()+" sources", base+"/"+layout.SRPMS, 0)
	return b.Bytes()
}
