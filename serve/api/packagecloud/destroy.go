package packagecloud

import (
	"errors"
	"net/http"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// maxWait is how long a call waits until clients see what it changed: less than what proxies allow.
const maxWait = 20 * time.Second

// notVisible is the header of an answer to a change that clients do not see yet.
const notVisible = "X-Publish-Pending"

// destroy withdraws the package of a file. Its record stays, so that other bytes never get its name and version.
func (h *handler) destroy(c call, d catalog.Distribution, file string) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	k, err := h.Catalog.PackageFile(c.Context(), c.repo, d, file)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.noSuchFile(d, file)
		return
	case err != nil:
		h.fault(c, err)
		return
	}
	seen, err := h.Changes.Yank(c.Context(), k, c.by, "deleted by the API", maxWait)
	if err != nil {
		h.fault(c, err)
		return
	}
	if !seen {
		c.w.Header().Set(notVisible, "yes")
	}
	c.answer(http.StatusOK, struct{}{})
}

// noSuchFile answers 404 for a file that is not there: package_cloud prints each field of the body, joined.
func (c call) noSuchFile(d catalog.Distribution, file string) {
	c.answer(http.StatusNotFound, map[string][]string{"error": {"not_found: " + c.repo.String() + " has no " + file + " in " + d.String()}})
}
