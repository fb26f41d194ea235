package publish

import (
	"bytes"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// clientFiles renders the keys and configuration that clients install or import.
type clientFiles struct {
	keys      *Keys
	publicURL string // under which clients reach the keys of the bucket, without a slash at its end
	table     *layout.Table
	snapshot  string // identifier of the snapshot that they are for; empty: what is published
}

// clientFiles returns a renderer with the present keys.
func (p *Publisher) clientFiles() clientFiles {
	return clientFiles{keys: p.keys.Load(), publicURL: p.publicURL, table: p.table}
}

// statics renders the objects that depend on settings and keys only: first the keys, and then, for the releases of, the configuration
// that names them and the copies beside RPM metadata. An RPM release without an architecture means all of its distribution.
func (c clientFiles) statics(s catalog.Settings, of []catalog.Release) ([]pairFile, error) {
	k, public := c.keys, c.keys.public
	all := []pairFile{{key: layout.InstanceKeyKey, body: public}, {key: layout.GPGKeyKey(s.Repository), body: public}}
	for _, vendor := range s.PackageKeys {
		if err := checkPublic(vendor); err != nil {
			return nil, err
		}
		all = append(all, pairFile{key: layout.SharedKeyKey(vendor.ID), body: []byte(vendor.Armor)},
			pairFile{key: layout.PackageKeyKey(s.Repository, vendor.ID), body: []byte(vendor.Armor)})
	}
	for _, r := range of {
		d := r.Distribution
		switch ds, ok := s.Find(d); {
		case !ok:
			return nil, fmt.Errorf("repository %s has no distribution %s", s.Repository, d)
		case ds.Format == catalog.DEB:
			all = append(all, pairFile{key: layout.SourcesKey(s.Repository, d), body: c.sources(s, d)})
		default:
			for _, arch := range archesOf(s, r) {
				r.Arch = arch
				all = append(all, pairFile{key: layout.MetadataKeyKey(r), body: public})
				all = append(all, k.hintFiles(r)...)
			}
			all = append(all, pairFile{key: layout.RepoKey(s.Repository, d), body: c.repo(s, d)})
		}
	}
	return all, nil
}

func archesOf(s catalog.Settings, r catalog.Release) []string {
	if r.Arch != "" {
		return []string{r.Arch}
	}
	ds, _ := s.Find(r.Distribution)
	return ds.Architectures
}

// checkPublic returns an error unless a package key is one armoured block with a public key.
func checkPublic(k catalog.PackageKey) error {
	const begin = "-----BEGIN PGP "
	if strings.HasPrefix(k.Armor, begin+"PUBLIC KEY BLOCK-----\n") && strings.Count(k.Armor, begin) == 1 {
		return nil
	}
	return fmt.Errorf("package key %s is not one armoured public key; register it again", k.ID)
}

// sources renders the deb822 configuration of apt (sources.list(5)), with the key in it. If the repository has a keyring package, it
// names the key file of that package instead, because apt never updates a key in a .sources file. A host must use only one of the
// two: apt fails if two entries for one URL name different keys.
//
// It names no architectures. A host with a foreign architecture that the release lacks (i386) prints "Skipping acquire" at each
// update, but with "Architectures: amd64 arm64" every host would fetch both. Only the host knows its architecture: the lines of
// repomill hint add it. Empty indexes do not help. An empty one of i386 silences apt 2.6 and 3.3, for 200 bytes more in each
// InRelease and one more request on such hosts; but a host with i386 only would get no error that the release has no packages for
// it. An empty one of amd64v3 does harm: apt 3.3 with that variant reads it instead of that of amd64, and loses the packages of
// amd64; without it, apt reads that of amd64 and prints nothing.
func (c clientFiles) sources(s catalog.Settings, d catalog.Distribution) []byte {
	r := catalog.Release{Repository: s.Repository, Distribution: d}
	ds, _ := s.Find(d)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s for %s%s\n", r.Repository, d, c.asOf())
	keyring := s.Keyring != nil && s.Keyring.On
	path := layout.KeyringPath(s.Repository, catalog.DEB)
	if keyring {
		fmt.Fprintf(&b, "# the key file is kept up to date by the package %s; before it is installed:\n# curl -fsSLo %s %s/%s\n",
			layout.KeyringName(s.Repository, catalog.DEB), path, c.publicURL, layout.GPGKeyKey(s.Repository))
	}
	fmt.Fprintf(&b, "Types: deb\nURIs: %s/%s/\nSuites: %s\nComponents: %s\nSigned-By:",
		c.publicURL, c.place(r.Repository, layout.OSDir(r)), d.Version, strings.Join(ds.Components, " "))
	if keyring {
		fmt.Fprintf(&b, " %s\n", path)
		return b.Bytes()
	}
	b.WriteString("\n")
	for line := range strings.Lines(string(c.keys.public)) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.Bytes()
}

const (
	// unsigned is for repositories without package keys: the signed repomd.xml pins the SHA-256 of each package.
	unsigned = "# packages need no signature of their own: the signed metadata pins the sha256 of every one\ngpgcheck=0\n"
	// checked is for repositories with package keys. Workers reject packages that clients would then refuse, unless
	// --require-signed none is set. Clients check signatures in that case, too, because a key was registered for that.
	checked = "gpgcheck=1\n"
)

// keyURLs returns the URLs of the keys for clients of RPM distributions. dnf5 fetches them without the credentials of a private
// repository (librepo's issue 351), so the keys of a private one are outside of it.
func (c clientFiles) keyURLs(s catalog.Settings) []string {
	metadata := layout.GPGKeyKey(s.Repository)
	key := func(id string) string { return layout.PackageKeyKey(s.Repository, id) }
	if s.Visibility == catalog.Private {
		metadata, key = layout.InstanceKeyKey, layout.SharedKeyKey
	}
	urls := []string{c.publicURL + "/" + metadata}
	for _, k := range s.PackageKeys {
		urls = append(urls, c.publicURL+"/"+key(k.ID))
	}
	return urls
}

// RepoFile returns the .repo file of an RPM distribution, as it is published.
func (p *Publisher) RepoFile(s catalog.Settings, d catalog.Distribution) []byte {
	return p.clientFiles().repo(s, d)
}

// repo renders the configuration of dnf, yum and zypper. Metadata and packages may have different keys. A repository has no modules:
// without module_hotfixes, dnf refuses each package that was built from a module (MODULARITYLABEL), and hides packages of the same
// name as those of a module of the system. yum and zypper ignore the option.
func (c clientFiles) repo(s catalog.Settings, d catalog.Distribution) []byte {
	id := s.Repository.Owner + "_" + s.Repository.Name
	base, title := c.publicURL+"/"+c.place(s.Repository, s.Repository.String()+"/"+d.String()), s.Repository.String()
	if c.snapshot != "" { // a host may have both
		id, title = id+"-"+c.snapshot, title+c.asOf()
	}
	check, keys := unsigned, strings.Join(c.keyURLs(s), "\n       ")
	if len(s.PackageKeys) > 0 {
		check = checked
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
	section(id, title, base+"/$basearch", 1)
	b.WriteString("\n")
	section(id+"-source", title+" sources", base+"/"+layout.SRPMS, 0)
	return b.Bytes()
}
