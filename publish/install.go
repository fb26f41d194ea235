package publish

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// installs renders what sets clients up beyond the configuration of [clientFiles.statics]: install scripts, and what scripts
// and configuration management of packagecloud ask for. They follow from the settings, and are written with them alone.
func (c clientFiles) installs(s catalog.Settings) (all []pairFile, err error) {
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		if !slices.ContainsFunc(s.Distributions, func(ds catalog.DistributionSettings) bool { return ds.Format == f }) {
			continue
		}
		script, err := c.script(s, f)
		if err != nil {
			return nil, err
		}
		all = append(all, pairFile{key: layout.ScriptKey(s.Repository, f), body: script},
			pairFile{key: layout.GPGKeyURLKey(s.Repository, f), body: []byte(c.keyURLs(s)[0] + "\n")})
	}
	for _, ds := range s.Distributions {
		d := ds.Distribution
		if ds.Format == catalog.DEB {
			all = append(all, pairFile{key: layout.ConfigFileKey(s.Repository, d, catalog.DEB), body: c.list(s, d)})
			continue
		}
		all = append(all, pairFile{key: layout.ConfigFileKey(s.Repository, d, catalog.RPM), body: c.repo(s, d)},
			pairFile{key: layout.BaseURLKey(s.Repository, d), body: []byte(c.publicURL + "/" + s.Repository.String() + "/" + d.String() + "/$basearch\n")})
	}
	return all, nil
}

// list renders the configuration that packagecloud's script.deb.sh installs: it keeps the key where this says.
func (c clientFiles) list(s catalog.Settings, d catalog.Distribution) []byte {
	ds, _ := s.Find(d)
	r := catalog.Release{Repository: s.Repository, Distribution: d}
	entry := fmt.Sprintf("[signed-by=%s] %s/%s/ %s %s\n", layout.ScriptKeyringPath(s.Repository), c.publicURL, layout.OSDir(r), d.Version, strings.Join(ds.Components, " "))
	var b bytes.Buffer
	if s.Visibility != catalog.Public {
		fmt.Fprintf(&b, "# apt finds the token in /etc/apt/auth.conf.d/%s.conf: machine %s login TOKEN password x\n", layout.SourceName(s.Repository), c.machine(s.Repository))
	}
	fmt.Fprintf(&b, "# %s for %s\ndeb %sdeb-src %s", s.Repository, d, entry, entry)
	return b.Bytes()
}

// machine returns what entries of auth.conf call a repository: apt takes one without a scheme for https alone.
func (c clientFiles) machine(r catalog.Repository) string {
	return strings.TrimPrefix(c.publicURL, "https://") + "/" + r.String() + "/"
}
