package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// staticKeys returns the keys of a release's static objects: those that follow from settings alone. They
// are the settings themselves, the public keys, and the configuration that clients install.
func staticKeys(r catalog.Release) []string {
	return []string{layout.SettingsKey(r.Repository), layout.GPGKeyKey(r.Repository), configKey(r)}
}

func configKey(r catalog.Release) string {
	if r.Arch == "" {
		return layout.SourcesKey(r.Repository, r.Distribution)
	}
	return layout.RepoKey(r.Repository, r.Distribution)
}

// writeStatics replaces the static objects that are not as they should be. They go before the pointer,
// so that a release which is visible can be used.
func (p *Publisher) writeStatics(ctx context.Context, snap *catalogdb.Snapshot, old published) error {
	settings, err := json.MarshalIndent(snap.Settings, "", "  ")
	if err != nil {
		return err
	}
	config := p.sources(snap)
	if snap.Release.Arch != "" {
		config = p.repo(snap.Release)
	}
	bodies := [][]byte{append(settings, '\n'), p.signer.Public(), config}
	for i, key := range staticKeys(snap.Release) {
		if old.versions[key] != "" && bytes.Equal(bodies[i], old.statics[key]) {
			continue
		}
		if _, err := p.bucket.Swap(ctx, old.versions[key], layout.ObjectOf(key), bytes.NewReader(bodies[i])); err != nil {
			return err
		}
	}
	return nil
}

// sources renders the deb822 configuration of apt (sources.list(5)), with the key in it.
func (p *Publisher) sources(snap *catalogdb.Snapshot) []byte {
	r := snap.Release
	ds, _ := snap.Settings.Find(r.Distribution)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s for %s\n", r.Repository, r.Distribution)
	fmt.Fprintf(&b, "Types: deb\nURIs: %s/%s/\nSuites: %s\nComponents: %s\nSigned-By:\n",
		p.publicURL, layout.OSDir(r), r.Distribution.Version, strings.Join(ds.Components, " "))
	for line := range strings.Lines(string(p.signer.Public())) {
		if line = strings.TrimRight(line, "\n"); line == "" {
			line = "."
		}
		b.WriteString(" " + line + "\n")
	}
	return b.Bytes()
}

// repo renders the configuration of dnf, yum and zypper. The signed repomd.xml pins the SHA-256 of
// every package, so that packages need no signature of their own.
func (p *Publisher) repo(r catalog.Release) []byte {
	id := r.Repository.Owner + "_" + r.Repository.Name
	base := p.publicURL + "/" + r.Repository.String() + "/" + r.Distribution.String()
	key := p.publicURL + "/" + layout.GPGKeyKey(r.Repository)
	var b bytes.Buffer
	section := func(id, name, base string, enabled int) {
		fmt.Fprintf(&b, `[%s]
name=%s
baseurl=%s
enabled=%d
type=rpm-md
autorefresh=1
repo_gpgcheck=1
# packages need no signature of their own: the signed metadata pins the sha256 of every one
gpgcheck=0
gpgkey=%s
sslverify=1
metadata_expire=300
`, id, name, base, enabled, key)
	}
	section(id, r.Repository.String(), base+"/$basearch", 1)
	b.WriteString("\n")
	section(id+"-source", r.Repository.String()+" sources", base+"/"+layout.SRPMS, 0)
	return b.Bytes()
}
