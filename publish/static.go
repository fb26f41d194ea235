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

// A static is an object that follows from settings alone: the settings themselves, the public key, and
// the configuration that clients install.
type static struct {
	key     string
	body    []byte
	version layout.Version
}

// readStatics reads a release's static objects as they are, before the settings are read.
func readStatics(ctx context.Context, b Bucket, r catalog.Release) ([]static, error) {
	keys := []string{layout.SettingsKey(r.Repository), layout.GPGKeyKey(r.Repository), configKey(r)}
	statics := make([]static, len(keys))
	for i, key := range keys {
		body, meta, err := readSmall(ctx, b, key)
		if err != nil {
			return nil, err
		}
		statics[i] = static{key, body, meta.Version}
	}
	return statics, nil
}

func configKey(r catalog.Release) string {
	if r.Arch == "" {
		return layout.SourcesKey(r.Repository, r.Distribution)
	}
	return layout.RepoKey(r.Repository, r.Distribution)
}

// writeStatics replaces the static objects that are not as they should be. They go before the pointer,
// so that a release which is visible can be used.
func (p *Publisher) writeStatics(ctx context.Context, snap *catalogdb.Snapshot, old []static) error {
	settings, err := json.MarshalIndent(snap.Settings, "", "  ")
	if err != nil {
		return err
	}
	config := p.sources(snap)
	if snap.Release.Arch != "" {
		config = p.repo(snap.Release)
	}
	for i, body := range [][]byte{append(settings, '\n'), p.signer.Public(), config} {
		if bytes.Equal(body, old[i].body) && old[i].version != "" {
			continue
		}
		if _, err := p.bucket.Swap(ctx, old[i].version, layout.ObjectOf(old[i].key), bytes.NewReader(body)); err != nil {
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
