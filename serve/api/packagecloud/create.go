package packagecloud

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// createRepository creates a repository of the owner that the caller manages; a name may also be "owner/name".
func (h *handler) createRepository(c call) {
	p, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	s := catalog.Settings{}
	if s.Visibility, err = visibility(first(p, "repository[private]", "private")); err == nil {
		s.Mutable, err = mutable(first(p, "repository[mutable]", "mutable"))
	}
	if err == nil {
		s.Repository, err = newName(c.by, first(p, "repository[name]", "name"))
	}
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	seen, err := h.Administration.CreateRepository(c.Context(), s, maxWait)
	switch {
	case errors.Is(err, ErrTaken):
		c.invalid("name", ErrTaken.Error())
	case err != nil:
		h.fault(c, err)
	default:
		c.pending(seen)
		c.answer(http.StatusCreated, map[string]string{"url": h.PublicURL + "/" + s.Repository.String()})
	}
}

// visibility reads the field private. The error is the answer.
func visibility(private string) (catalog.Visibility, error) {
	switch strings.ToLower(private) {
	case "1", "true":
		return catalog.Private, nil
	case "", "0", "false":
		return catalog.Public, nil
	default:
		return "", api.Invalid("private", "is 1 or 0")
	}
}

// mutable reads the field of that name. The error is the answer.
func mutable(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "true":
		return true, nil
	case "", "0", "false":
		return false, nil
	default:
		return false, api.Invalid("mutable", "is 1 or 0")
	}
}

// newName returns the repository that a name means: of the one owner that the caller manages, unless it says which. The error
// is the answer.
func newName(by api.Principal, name string) (catalog.Repository, error) {
	if name == "" {
		return catalog.Repository{}, api.Invalid("name", "can't be blank")
	}
	owner, rest, has := strings.Cut(name, "/")
	r := catalog.Repository{Owner: owner, Name: rest}
	if !has {
		var owners []string
		all := false
		for _, g := range by.Grants {
			if g.Right == api.Manage && (g.Name == "" || g.Name == name) {
				owners, all = append(owners, g.Owner), all || g.Owner == ""
			}
		}
		slices.Sort(owners)
		owners = slices.Compact(owners)
		switch {
		case len(owners) == 0:
			return r, api.Forbidden(api.Manage, catalog.Repository{Owner: "OWNER", Name: name})
		case all || len(owners) > 1:
			return r, api.Invalid("name", "needs its owner, because this token manages several: use owner/name")
		}
		r = catalog.Repository{Owner: owners[0], Name: name}
	}
	if rej := layout.CheckRepository(r); rej != nil {
		return r, api.Invalid("name", "is refused: "+rej.Detail)
	}
	if !by.May(api.Manage, r) {
		return r, api.Forbidden(api.Manage, r)
	}
	return r, nil
}
