package packagecloud

import (
	"encoding/xml"
	"errors"
	"path"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
)

// A details is a package, alone.
type details struct {
	fragment
	Repository          string         `json:"repository"`
	Size                string         `json:"size"` // in bytes; text, as JavaScript has no such integers
	Summary             *string        `json:"summary"`
	Description         *string        `json:"description"`
	Dependencies        []dependencies `json:"dependencies"`
	MD5                 *string        `json:"md5sum"`
	SHA1                *string        `json:"sha1sum"`
	SHA512              *string        `json:"sha512sum"`
	Licenses            []string       `json:"licenses"`
	RepositoryURL       string         `json:"repository_url"`
	VersionsURL         string         `json:"versions_url"`
	TotalDownloadsCount int64          `json:"total_downloads_count"`
	SelfURL             string         `json:"self_url"`
	PublishURL          string         `json:"publish_url,omitempty"` // of repomill alone: where the caller can wait for the verdict
}

// A dependencies is a list of relations to other packages.
type dependencies struct {
	Context      string   `json:"context"`
	Dependencies []string `json:"dependencies"`
}

// writeDetails answers with a package that a list has, and with what its index entry says of it.
func (h *handler) writeDetails(c call, status int, k catalog.ListedPackage) {
	whole, err := h.Catalog.PackageFile(c.Context(), k.Repository, k.Distribution, path.Base(k.Key))
	switch {
	case errors.Is(err, catalog.ErrNotFound): // it was withdrawn just now
		c.notFound()
	case err != nil:
		h.fault(c, err)
	default:
		k.Package = whole
		d := h.detailsOf(k, c.private())
		if d.TotalDownloadsCount, err = h.downloadsOf(c.Context(), k.Package); err != nil {
			h.fault(c, err)
			return
		}
		c.answer(status, d)
	}
}

func (h *handler) detailsOf(k catalog.ListedPackage, private bool) details {
	d := details{
		fragment: h.fragmentOf(k, private), Repository: k.Repository.Name, Size: strconv.FormatInt(k.File.Size, 10),
		Dependencies: []dependencies{}, Licenses: []string{}, RepositoryURL: "/api/v1/repos/" + k.Repository.String(),
	}
	d.SelfURL = d.PackageURL
	d.VersionsURL = d.RepositoryURL + "/package/" + string(k.Format) + "/" + k.Distribution.String() + "/" + escape(k.Name) + "/" + k.Arch + "/versions.json"
	if k.File.MD5 != "" {
		d.MD5 = &k.File.MD5
	}
	if k.Format == catalog.DEB {
		d.fromStanza(string(k.Stanza))
	} else {
		d.fromPrimary(k.Primary)
	}
	return d
}

// debContexts are the fields of a stanza that are shown as dependencies, as packagecloud documents them.
var debContexts = []string{"Depends", "Recommends", "Suggests", "Enhances", "Pre-Depends"}

// fromStanza reads a stanza of Packages, which has one line a field but for those that begin with a blank.
func (d *details) fromStanza(stanza string) {
	fields := map[string]string{}
	last := ""
	for line := range strings.Lines(stanza) {
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			last = strings.ToLower(name)
			fields[last] = strings.TrimSpace(value)
		} else if last != "" {
			if line = strings.TrimSpace(line); line == "." { // an empty line (Debian Policy, section 5.6.13)
				line = ""
			}
			fields[last] += "\n" + line
		}
	}
	if text := fields["description"]; text != "" {
		summary, _, _ := strings.Cut(text, "\n")
		d.Summary, d.Description = &summary, &text
	}
	for _, name := range debContexts {
		if value := fields[strings.ToLower(name)]; value != "" {
			list := strings.Split(value, ",")
			for i := range list {
				list[i] = strings.Join(strings.Fields(list[i]), " ")
			}
			d.Dependencies = append(d.Dependencies, dependencies{strings.ToLower(name), list})
		}
	}
}

// primary is what is shown of an entry of primary.xml.
type primary struct {
	Summary     string `xml:"summary"`
	Description string `xml:"description"`
	License     string `xml:"format>license"`
	Requires    []struct {
		Name  string `xml:"name,attr"`
		Flags string `xml:"flags,attr"`
		Epoch string `xml:"epoch,attr"`
		Ver   string `xml:"ver,attr"`
		Rel   string `xml:"rel,attr"`
	} `xml:"format>requires>entry"`
}

// comparisons are the operators of rpm by their names in primary.xml.
var comparisons = map[string]string{"EQ": "=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}

// fromPrimary reads an entry of primary.xml. Its prefixes are not bound outside of the whole file, so the decoder is lenient.
func (d *details) fromPrimary(entry []byte) {
	dec := xml.NewDecoder(strings.NewReader(string(entry)))
	dec.Strict = false
	var p primary
	if err := dec.Decode(&p); err != nil {
		return // shown without; the entry was rendered by this program, and indexes are checked elsewhere
	}
	d.Summary, d.Description = &p.Summary, &p.Description
	if p.License != "" {
		d.Licenses = []string{p.License}
	}
	var list []string
	for _, r := range p.Requires {
		s := r.Name
		if op := comparisons[r.Flags]; op != "" {
			s += " " + op + " "
			if r.Epoch != "" && r.Epoch != "0" {
				s += r.Epoch + ":"
			}
			s += r.Ver
			if r.Rel != "" {
				s += "-" + r.Rel
			}
		}
		list = append(list, s)
	}
	if len(list) > 0 {
		d.Dependencies = append(d.Dependencies, dependencies{"requires", list})
	}
}
