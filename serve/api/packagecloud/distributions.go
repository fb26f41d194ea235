package packagecloud

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// numbersJSON has packagecloud's numbers of distributions, which CI has in its configuration: those up to 227 as its API
// listed them in 2021, and later ones as public download URLs show them (distro_version_id=N).
//
//go:embed numbers.json
var numbersJSON []byte

// numbers are the numbers of distributions, and the reverse.
type numbers struct {
	of   map[string]int // by os/version
	name map[int]string
}

// newNumbers returns packagecloud's numbers, and for the distributions of the table that have none a number from their name,
// which is the same in every version and on every server.
func newNumbers(table *layout.Table) numbers {
	n := numbers{name: map[int]string{}}
	if err := json.Unmarshal(numbersJSON, &n.of); err != nil {
		panic(err) // the embedded file is ours
	}
	for _, d := range table.All() {
		if name := d.Distribution.String(); n.of[name] == 0 {
			n.of[name] = ownNumber(name)
		}
	}
	for name, number := range n.of {
		n.name[number] = name
	}
	return n
}

// ownNumber is beyond all of packagecloud's, and fits into 32 bits with a sign.
func ownNumber(name string) int {
	return 1_000_000 + int(crc32.ChecksumIEEE([]byte(name))%1_000_000_000)
}

// find returns the distribution that a caller names by number, or by os/version, which is accepted in its place.
func (h *handler) findDistribution(id string) (layout.Distro, error) {
	name := id
	if number, err := strconv.Atoi(id); err == nil {
		known := false
		if name, known = h.numbers.name[number]; !known {
			return layout.Distro{}, fmt.Errorf("%d is not the number of a distribution: GET /api/v1/distributions.json lists them", number)
		}
	}
	os, version, _ := strings.Cut(name, "/")
	d, rej := h.Table.Lookup(catalog.Distribution{OS: os, Version: version})
	switch {
	case rej != nil && name != id:
		return d, fmt.Errorf("%s is the number of %s at packagecloud: %s", id, name, rej.Detail)
	case rej != nil:
		return d, fmt.Errorf("%s", rej.Detail)
	}
	return d, nil
}

type jsonVersion struct {
	ID            int    `json:"id"`
	DisplayName   string `json:"display_name"`
	IndexName     string `json:"index_name"`
	VersionNumber string `json:"version_number"`
}

type jsonDistribution struct {
	DisplayName string        `json:"display_name"`
	IndexName   string        `json:"index_name"`
	Versions    []jsonVersion `json:"versions"`
}

// distributions lists the distributions that packages can be pushed to, by package type.
func (h *handler) distributions(c call) {
	list := map[string][]jsonDistribution{"deb": {}, "rpm": {}}
	for _, d := range h.Table.All() {
		kind := string(d.Format)
		i := slices.IndexFunc(list[kind], func(o jsonDistribution) bool { return o.IndexName == d.Distribution.OS })
		if i < 0 {
			i = len(list[kind])
			list[kind] = append(list[kind], jsonDistribution{DisplayName: systemName(d.Distribution.OS), IndexName: d.Distribution.OS})
		}
		list[kind][i].Versions = append(list[kind][i].Versions, h.version(d))
	}
	c.answer(http.StatusOK, list)
}

func (h *handler) version(d layout.Distro) jsonVersion {
	v := jsonVersion{ID: h.numbers.of[d.Distribution.String()], IndexName: d.Distribution.Version, VersionNumber: versionNumber(d)}
	v.DisplayName = v.IndexName
	if v.VersionNumber != v.IndexName {
		v.DisplayName = v.VersionNumber + " " + v.IndexName
	}
	return v
}

var startsWithNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)*$`)

// versionNumber returns the number of a distribution that is called by a codename, from its aliases: package_cloud accepts it
// in the place of the name.
func versionNumber(d layout.Distro) string {
	if startsWithNumber.MatchString(d.Distribution.Version) {
		return d.Distribution.Version
	}
	for _, a := range d.Aliases {
		if os, number, _ := strings.Cut(a, "/"); os == d.Distribution.OS && startsWithNumber.MatchString(number) {
			return number
		}
	}
	return d.Distribution.Version
}

// systemNames are the names of operating systems, as people write them.
var systemNames = map[string]string{
	"amazon": "Amazon Linux", "any": "Any deb-based distribution.", "debian": "Debian", "el": "Enterprise Linux", "fedora": "Fedora",
	"kali": "Kali Linux", "ol": "Oracle Linux", "opensuse": "openSUSE", "raspbian": "Raspbian", "rpm_any": "Any rpm-based distribution.",
	"sles": "SUSE Linux Enterprise Server", "ubuntu": "Ubuntu",
}

func systemName(os string) string {
	if name, ok := systemNames[os]; ok {
		return name
	}
	return os
}

// gem is the version of packagecloud-ruby that a client says it is.
var gem = regexp.MustCompile(`packagecloud-ruby ([0-9]+)\.([0-9]+)\.([0-9]+)`)

// gemVersion answers packagecloud-ruby, which gives up unless the server names its own minor version: every version of it works
// with this API.
func (h *handler) gemVersion(c call) {
	version := map[string]string{"major": "1", "minor": "1", "patch": "1"}
	if m := gem.FindStringSubmatch(c.UserAgent()); m != nil {
		maps.Copy(version, map[string]string{"major": m[1], "minor": m[2], "patch": m[3]})
	}
	c.answer(http.StatusOK, version)
}

// token returns the token of the caller. There are no accounts with passwords: a caller with a token gets it back, and one
// without gets none.
func (h *handler) token(c call) {
	credential, _ := api.Credential(c.Request) // it passed the gate
	c.answer(http.StatusOK, map[string]string{"token": credential})
}
