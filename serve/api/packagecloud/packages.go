package packagecloud

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"repomill/schemas/catalog"
)

// A fragment is a package in a list. Pointers are null where a package has no such thing.
type fragment struct {
	Name              string  `json:"name"`
	DistroVersion     string  `json:"distro_version"`
	CreatedAt         string  `json:"created_at"`
	Version           string  `json:"version"`
	Release           *string `json:"release"`
	Architecture      string  `json:"architecture"`
	Epoch             int64   `json:"epoch"`
	Scope             *string `json:"scope"`
	Private           bool    `json:"private"`
	Type              string  `json:"type"`
	Filename          string  `json:"filename"`
	UploaderName      string  `json:"uploader_name"`
	Indexed           bool    `json:"indexed"`
	SHA256            string  `json:"sha256sum"`
	RepositoryHTMLURL string  `json:"repository_html_url"`
	PackageURL        string  `json:"package_url"`
	DownloadsDetail   string  `json:"downloads_detail_url"`
	DownloadsSeries   string  `json:"downloads_series_url"`
	DownloadsCount    string  `json:"downloads_count_url"`
	PackageHTMLURL    string  `json:"package_html_url"`
	DownloadURL       string  `json:"download_url"`
	PromoteURL        string  `json:"promote_url"`
	DestroyURL        string  `json:"destroy_url"`
}

// fragmentOf describes a package as lists do.
func (h *handler) fragmentOf(k catalog.ListedPackage, private bool) fragment {
	v := splitVersion(k.Package)
	file := path.Base(k.Key)
	repo := "/api/v1/repos/" + k.Repository.String()
	dist := k.Distribution.String()
	self := repo + "/package/" + string(k.Format) + "/" + dist + "/" + escape(k.Name) + "/" + k.Arch + "/" + v.path(k.Format)
	f := fragment{
		Name: k.Name, DistroVersion: dist, CreatedAt: timestamp(k.Uploaded), Version: v.version, Architecture: k.Arch, Epoch: v.epoch,
		Private: private, Type: string(k.Format), Filename: file, UploaderName: uploader(k.Package), Indexed: k.Visible, SHA256: k.File.SHA256,
		RepositoryHTMLURL: "/" + k.Repository.String(), PackageURL: self + ".json",
		DownloadsDetail: self + "/stats/downloads/detail.json", DownloadsSeries: self + "/stats/downloads/series/daily.json", DownloadsCount: self + "/stats/downloads/count.json",
		PackageHTMLURL: "/" + k.Repository.String() + "/packages/" + dist + "/" + escape(file),
		PromoteURL:     repo + "/" + dist + "/" + escape(file) + "/promote.json", DestroyURL: repo + "/" + dist + "/" + escape(file),
	}
	f.DownloadURL = h.PublicURL + f.PackageHTMLURL + "/download"
	if v.release != "" {
		f.Release = &v.release
	}
	return f
}

// escape escapes a segment of a path as clients expect it back: a plus sign stays one.
func escape(s string) string { return url.PathEscape(s) }

// uploader returns who pushed a package, as its upload says.
func uploader(k catalog.Package) string {
	if k.Pusher.User != "" {
		return k.Pusher.User
	}
	return k.Repository.Owner
}

// A versionParts is a version in the parts that packagecloud shows.
type versionParts struct {
	epoch            int64
	version, release string
}

// splitVersion splits a version as listed, [epoch:]version[-release]. The release of a DEB package is its Debian revision.
func splitVersion(k catalog.Package) (v versionParts) {
	v.version = k.Version
	if epoch, rest, ok := strings.Cut(v.version, ":"); ok {
		if n, err := strconv.ParseInt(epoch, 10, 64); err == nil {
			v.epoch, v.version = n, rest
		}
	}
	if i := strings.LastIndexByte(v.version, '-'); i >= 0 {
		v.version, v.release = v.version[:i], v.version[i+1:]
	}
	return v
}

// path returns the version in a URL: without its epoch; for RPM the release is a segment of its own.
func (v versionParts) path(f catalog.Format) string {
	switch {
	case v.release == "":
		return escape(v.version)
	case f == catalog.RPM:
		return escape(v.version) + "/" + escape(v.release)
	default:
		return escape(v.version + "-" + v.release)
	}
}

// allPackages lists all packages of the repository.
func (h *handler) allPackages(c call) { h.list(c, catalog.PackageQuery{}) }

// search lists packages by a part of their file names, by type or distribution, and by architecture.
func (h *handler) search(c call) {
	v := c.URL.Query()
	q := catalog.PackageQuery{File: v.Get("q"), Arch: v.Get("arch")}
	if dist := v.Get("dist"); dist != "" { // which overrides the filter
		q.OS, q.OSVersion, _ = strings.Cut(dist, "/")
	} else {
		var ok bool
		if q.Format, ok = formatOf(v.Get("filter")); !ok {
			h.writeList(c, catalog.PackagePage{}) // of a type that there is none of
			return
		}
	}
	h.list(c, q)
}

// formatOf returns the format of a package type or a filter, in the plural or not; of an empty one, every format.
func formatOf(s string) (f catalog.Format, ok bool) {
	f = catalog.Format(strings.TrimSuffix(strings.ToLower(s), "s"))
	return f, f == "" || f == catalog.DEB || f == catalog.RPM
}

func (h *handler) list(c call, q catalog.PackageQuery) {
	q.Repository = c.repo
	page, err := h.Catalog.ListPackages(c.Context(), pagingOf(c.URL.Query()).of(q))
	if err != nil {
		h.fault(c, err)
		return
	}
	h.writeList(c, page)
}

func (h *handler) writeList(c call, page catalog.PackagePage) {
	body := make([]fragment, len(page.Packages))
	for i, k := range page.Packages {
		body[i] = h.fragmentOf(k, c.private())
	}
	pagingOf(c.URL.Query()).write(c.w.Header(), h.PublicURL, c.URL, page.Total)
	c.answer(http.StatusOK, body)
}

func (c call) private() bool { return c.set.Visibility != catalog.Public }

// A group is a package in a list by name.
type group struct {
	Name              string `json:"name"`
	VersionsCount     int    `json:"versions_count"`
	VersionsURL       string `json:"versions_url"`
	RepositoryURL     string `json:"repository_url"`
	RepositoryHTMLURL string `json:"repository_html_url"`
}

// groups lists the packages of a type, [operating system, [version, [architecture]]], by name. An asterisk stands for all.
func (h *handler) groups(c call, which []string) {
	q := catalog.PackageQuery{Repository: c.repo}
	for i, to := range []*string{nil, &q.OS, &q.OSVersion, &q.Arch} {
		if to != nil && i < len(which) && which[i] != "*" {
			*to = which[i]
		}
	}
	format, ok := formatOf(strings.TrimSuffix(which[0], "*"))
	if q.Format = format; !ok {
		c.notFound()
		return
	}
	p := pagingOf(c.URL.Query())
	found, total, err := h.Catalog.GroupPackages(c.Context(), p.of(q))
	if err != nil {
		h.fault(c, err)
		return
	}
	repo := "/api/v1/repos/" + c.repo.String()
	body := make([]group, len(found))
	for i, g := range found {
		body[i] = group{
			Name: g.Name, VersionsCount: g.Versions, RepositoryURL: repo, RepositoryHTMLURL: "/" + c.repo.String(),
			VersionsURL: repo + "/package/" + string(g.Format) + "/" + g.Distribution.String() + "/" + escape(g.Name) + "/" + g.Arch + "/versions.json",
		}
	}
	p.write(c.w.Header(), h.PublicURL, c.URL, total)
	c.answer(http.StatusOK, body)
}

// onePackage answers a path of one package, behind "package": type, os, version, name, architecture, and then "versions",
// or a version [and release] [and "stats", …].
func (h *handler) onePackage(c call, p []string) {
	format, ok := formatOf(p[0])
	if !ok || format == "" {
		c.notFound()
		return
	}
	q := catalog.PackageQuery{Repository: c.repo, Format: format, OS: p[1], OSVersion: p[2], Name: p[3], Arch: p[4]}
	rest := p[5:]
	if i := slices.Index(rest, "stats"); i > 0 {
		q.Version = strings.Join(rest[:i], "-")
		h.packageStatistics(c, q, rest[i+1:])
		return
	}
	switch {
	case len(rest) == 1 && rest[0] == "versions":
		h.list(c, q)
	case len(rest) == 1 || len(rest) == 2:
		q.Version = strings.Join(rest, "-")
		h.show(c, q)
	default:
		c.notFound()
	}
}

// show answers with the details of one package. Of several epochs of a version, it is the highest.
func (h *handler) show(c call, q catalog.PackageQuery) {
	q.Limit = maxPerPage
	page, err := h.Catalog.ListPackages(c.Context(), q)
	switch {
	case err != nil:
		h.fault(c, err)
	case len(page.Packages) == 0:
		c.notFound()
	default:
		h.writeDetails(c, http.StatusOK, page.Packages[len(page.Packages)-1])
	}
}
