package layout

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

//go:embed distributions.json
var builtin []byte

// A Distro is one entry of the distribution table.
type Distro struct {
	Distribution  catalog.Distribution
	Format        catalog.Format
	Architectures []string // base set, sorted: exists in every release from the first publish. Without "all", with "SRPMS"
	Client        Client
	Keys          []string // kinds of keys ([Distro.ReadsKey]) whose signatures of a repository its client verifies; empty: all
	Aliases       []string // other names, os/version: a rejection of one names the right one

	// DEB only.
	NoZstd bool // its dpkg, before 1.21.18, cannot unpack zstd. Ubuntu's can, from xenial on

	// RPM only.
	Multilib bool // its x86_64 systems install packages for 32-bit x86 too, and look for them in the directory x86_64
	I386     bool // it has systems of 32-bit x86, which read the directory i386

	RPM           string // version of its rpm, such as "4.11", if that decides what it reads
	StrongDigests bool   // its rpm, 6 or later, refuses a package that has MD5 and SHA-1 digests only
	RSAOnly       bool   // its rpm, 4.11, verifies RSA and DSA signatures only
}

// A Client is the program that installs packages on systems of a distribution.
type Client string

// The clients that are set up in different ways.
const (
	Apt     Client = "apt"      // 2.3.10 or later: reads .sources files with a key in them
	AptList Client = "apt-list" // older: one-line sources, the key in a file
	Dnf     Client = "dnf"
	Yum     Client = "yum"
	Zypper  Client = "zypper"
)

// A Table is the set of distributions that a repository may have.
type Table struct {
	distros []Distro
	byName  map[catalog.Distribution]int
}

// jsonDistro is a Distro in the form of distributions.json.
type jsonDistro struct {
	Name          string         `json:"name"` // os/version
	Format        catalog.Format `json:"format"`
	Architectures []string       `json:"architectures"` // omitted: the format's default
	Client        Client         `json:"client"`        // omitted: "apt" or "dnf"
	Aliases       []string       `json:"aliases"`
	Keys          []string       `json:"keys"` // kinds of keys whose signatures of a repository its client reads; omitted: all, or those that its rpm reads

	NoZstd   bool   `json:"no_zstd"`  // for DEB, with the meaning that Distro says
	Multilib bool   `json:"multilib"` // these are for RPM
	I386     bool   `json:"i386"`
	RPM      string `json:"rpm"` // version of its rpm, as "4.11"; may be omitted from 4.14 on, before 6
}

// DefaultTable returns the built-in distributions.
func DefaultTable() *Table {
	t := &Table{byName: map[catalog.Distribution]int{}}
	if err := t.Extend(bytes.NewReader(builtin)); err != nil {
		panic(err) // the embedded file is ours
	}
	return t
}

// Extend adds the distributions of a JSON file in the form of distributions.json. One with the name of an existing
// distribution replaces it. After an error the table must not be used.
func (t *Table) Extend(r io.Reader) error {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var entries []jsonDistro
	if err := dec.Decode(&entries); err != nil {
		return fmt.Errorf("it is not a list of distributions in JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it has more than one list of distributions")
	}
	for _, e := range entries {
		d, err := e.distro()
		if err != nil {
			return fmt.Errorf("distribution %q: %w", e.Name, err)
		}
		if i, ok := t.byName[d.Distribution]; ok {
			t.distros[i] = d
			continue
		}
		t.byName[d.Distribution] = len(t.distros)
		t.distros = append(t.distros, d)
	}
	return nil
}

func (e jsonDistro) distro() (Distro, error) {
	os, version, ok := strings.Cut(e.Name, "/")
	rpm, err := parseRPMVersion(e.RPM)
	if err != nil {
		return Distro{}, err
	}
	d := Distro{Distribution: catalog.Distribution{OS: os, Version: version}, Format: e.Format, Client: e.Client, Aliases: e.Aliases,
		NoZstd: e.NoZstd, Multilib: e.Multilib, I386: e.I386, RPM: e.RPM, StrongDigests: rpm.major >= 6, RSAOnly: rpm.before(rpmVersion{4, 12})}
	if rej := checkDistributionName(d.Distribution); !ok || rej != nil {
		return d, fmt.Errorf("name must be os/version in lower case")
	}
	d.Architectures = e.Architectures
	switch {
	case e.Format != catalog.DEB && e.Format != catalog.RPM:
		return d, fmt.Errorf("format must be %q or %q", catalog.DEB, catalog.RPM)
	case e.Format == catalog.DEB && (e.Multilib || e.I386 || e.RPM != ""):
		return d, fmt.Errorf("multilib, i386 and rpm are for rpm distributions only")
	case e.Format == catalog.RPM && e.NoZstd:
		return d, fmt.Errorf("no_zstd is for deb distributions only; the version of rpm says that of rpm")
	case len(d.Architectures) == 0 && e.Format == catalog.DEB:
		d.Architectures = []string{"amd64", "arm64"}
	case len(d.Architectures) == 0:
		d.Architectures = []string{"aarch64", "x86_64", SRPMS}
	}
	clients := []Client{Apt, AptList}
	if e.Format == catalog.RPM {
		clients = []Client{Dnf, Yum, Zypper}
	}
	if d.Client = cmp.Or(d.Client, clients[0]); !slices.Contains(clients, d.Client) {
		return d, fmt.Errorf("client of a %s distribution must be one of %q", e.Format, clients)
	}
	for _, a := range d.Architectures {
		if !ValidArch(a) || a == "all" || a == Noarch {
			return d, fmt.Errorf("architecture %q is not allowed", a)
		}
	}
	d.Architectures = slices.Sorted(slices.Values(d.Architectures))
	if d.Keys = e.Keys; d.RSAOnly && len(d.Keys) == 0 {
		d.Keys = []string{RSA}
	}
	return d, checkKeys(d.Keys)
}

// All returns the distributions in the order of their files.
func (t *Table) All() []Distro { return slices.Clone(t.distros) }

// Lookup returns the distribution of exactly this name, or a rejection that quotes the name to use instead.
func (t *Table) Lookup(d catalog.Distribution) (Distro, *catalog.Rejection) {
	if i, ok := t.byName[d]; ok {
		return t.distros[i], nil
	}
	return Distro{}, &catalog.Rejection{Reason: catalog.UnknownDistribution, Detail: t.hint(d)}
}

// alias returns the distribution that has d among its aliases, or d with fewer numbers: "rocky/9.4", "ubuntu/22.04.3".
func (t *Table) alias(d catalog.Distribution) (string, bool) {
	major, _, _ := strings.Cut(d.Version, ".")
	minor, _ := cutLast(d.Version, ".")
	for _, name := range []string{d.String(), d.OS + "/" + minor, d.OS + "/" + major} {
		for _, distro := range t.distros {
			if slices.Contains(distro.Aliases, name) || name == distro.Distribution.String() {
				return distro.Distribution.String(), true
			}
		}
	}
	return "", false
}
