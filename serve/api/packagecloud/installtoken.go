package packagecloud

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

const (
	installPrefix = "/install/repositories/"
	installSuffix = "/tokens.text"
)

// IsTokenPath reports whether a path is that at which install scripts ask for a read token. It is answered here, and all else
// below /install/ by the resolver.
func IsTokenPath(path string) bool {
	_, is := tokenPath(path)
	return is
}

func tokenPath(path string) (r catalog.Repository, is bool) {
	rest, isInstall := strings.CutPrefix(path, installPrefix)
	name, isTokens := strings.CutSuffix(rest, installSuffix)
	owner, name, two := strings.Cut(name, "/")
	return catalog.Repository{Owner: owner, Name: name}, isInstall && isTokens && two && owner != "" && name != "" && !strings.Contains(name, "/")
}

// installToken answers the holder of a master token with a new read token, for the host that name says.
func (h *handler) installToken(c call, r catalog.Repository) {
	c.repo = r
	switch s, err := h.Catalog.Settings(c.Context(), r); {
	case errors.Is(err, catalog.ErrNotFound), err == nil && s.Visibility != catalog.Public && !c.by.Known(r):
		c.notFound()
		return
	case err != nil:
		h.fault(c, err)
		return
	}
	switch {
	case c.Method != http.MethodPost:
		c.notAllowed([]string{http.MethodPost})
		return
	case !c.by.May(api.MakeTokens, r):
		c.forbidden(api.MakeTokens)
		return
	}
	p, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	t, secret, seen, err := h.issueRead(c, c.by.ID, first(p, "name"), true)
	if err != nil {
		h.refuseRead(c, err)
		return
	}
	h.Log.Info("a host has a read token", "repository", r, "token", t.Name, "os", fmt.Sprintf("%.64s", first(p, "os")), "dist", fmt.Sprintf("%.64s", first(p, "dist")), "by", c.by.Name)
	c.pending(seen)
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(http.StatusCreated)
	io.WriteString(c.w, secret) //nolint:errcheck // the caller may have left
}
