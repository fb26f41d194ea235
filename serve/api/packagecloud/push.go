package packagecloud

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"

	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/upload"
)

// distributionField is the field of answers about the distribution of a push.
const distributionField = "distro_version_id"

// identical is the header of the answer to a push of what is published already: CI may take it as success.
const identical = "X-Already-Published"

// push receives a package, and answers when it is published, rejected, or maxWait is over. A rejection is 422 as long as the
// caller waits for it; package_cloud sets no time limit.
func (h *handler) push(c call) {
	err := h.Uploads.Take(c.w, c.Request, c.by, c.repo, func(w http.ResponseWriter, in *upload.Intake) error {
		c.w = w
		d, err := h.receive(c, in)
		if err != nil {
			return err
		}
		wait := maxWait
		if strings.Contains(c.Header.Get("Prefer"), "respond-async") {
			wait = 0
		}
		return h.pushed(c, d, in.Await(wait))
	})
	if err == nil || c.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the second: the caller has left
	}
	if e := (*api.Error)(nil); errors.As(err, &e) && e.Cause != nil {
		h.Log.Warn("a push is not received", "path", c.URL.Path, "by", c.by.Name, "status", e.Status, "error", e.Cause)
	}
	api.WriteError(c.w, err)
}

// receive puts the package of a form into staging, and returns its distribution.
func (h *handler) receive(c call, in *upload.Intake) (d catalog.Distribution, err error) {
	f, err := newForm(c.Header, in.Body())
	if err != nil {
		return d, err
	}
	file, err := f.next()
	if err != nil {
		return d, in.Broken(err)
	}
	if file == nil {
		return d, api.Invalid("package_file", "the file is missing: send it as "+fileField)
	}
	if f.id != nil {
		if d, err = h.place(f); err != nil {
			return d, err
		}
	}
	return d, in.Store(upload.File{Name: file.name, Body: file, Distribution: d, Rest: func() (catalog.Distribution, error) {
		if second, err := f.next(); err != nil {
			return d, err
		} else if second != nil {
			return d, api.Invalid("package_file", "the form has two files: push them one by one")
		}
		if d == (catalog.Distribution{}) {
			d, err = h.place(f)
		}
		return d, err
	}})
}

// place returns the distribution that a form names.
func (h *handler) place(f *form) (catalog.Distribution, error) {
	if f.id == nil || *f.id == "" {
		return catalog.Distribution{}, api.Invalid(distributionField, "it is missing: packages of Debian and RPM are for one distribution; GET /api/v1/distributions.json lists their numbers")
	}
	found, err := h.findDistribution(*f.id)
	if err != nil {
		return catalog.Distribution{}, api.Invalid(distributionField, err.Error())
	}
	return found.Distribution, nil
}

// pushed answers what became of a package.
func (h *handler) pushed(c call, d catalog.Distribution, r upload.Report) error {
	const taken = "has already been taken"
	switch {
	case r.State == catalog.Duplicate:
		c.w.Header().Set(identical, "identical sha256")
		c.invalid("filename", taken)
	case r.State == catalog.Rejected && r.Reason == catalog.Conflict:
		c.answer(http.StatusUnprocessableEntity, map[string][]string{"filename": {taken}, "sha256": {r.Why()}})
	case r.State == catalog.Rejected:
		c.invalid("package", r.Why())
	default:
		return h.created(c, d, r)
	}
	return nil
}

// created answers 201 with the details of a package: those of the catalog once it has them.
func (h *handler) created(c call, d catalog.Distribution, r upload.Report) error {
	k, err := catalog.Package{}, catalog.ErrNotFound
	if r.Key != "" {
		k, err = h.Catalog.PackageFile(c.Context(), c.repo, d, path.Base(r.Key))
	}
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		h.Log.Warn("the details of a package are not known now", "upload", catalog.Upload{Object: r.Object, Generation: r.Generation}.String(), "error", err)
	}
	var body details
	if err == nil {
		body = h.detailsOf(catalog.ListedPackage{Package: k, Visible: r.State == catalog.Published}, c.private())
	} else {
		body = h.stagedDetails(c, d, r)
	}
	body.PublishURL = r.URL
	c.answer(http.StatusCreated, body)
	return nil
}

// stagedDetails are those of a package that no worker has read yet: of what it says of itself, only the file's name is known,
// by which most of it is called.
func (h *handler) stagedDetails(c call, d catalog.Distribution, r upload.Report) details {
	file := r.File()
	format := catalog.DEB
	if path.Ext(file) == ".rpm" {
		format = catalog.RPM
	}
	k := catalog.Package{
		Repository: c.repo, Distribution: d, Format: format, Key: file, Uploaded: h.Now(), Pusher: catalog.Pusher{User: c.by.Name},
		File: catalog.File{Size: r.Size, SHA256: r.SHA256},
	}
	if parts := strings.Fields(r.Package); len(parts) == 3 {
		k.Name, k.Version, k.Arch = parts[0], parts[1], parts[2]
	}
	body := h.detailsOf(catalog.ListedPackage{Package: k}, c.private())
	if k.Name == "" { // it has no path without its name
		body.PackageURL, body.SelfURL, body.VersionsURL = "", "", ""
		body.DownloadsDetail, body.DownloadsSeries, body.DownloadsCount = "", "", ""
	}
	return body
}
