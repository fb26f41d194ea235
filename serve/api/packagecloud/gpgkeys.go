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

// A jsonKey is a public key. package_cloud deletes it at its path self.
type jsonKey struct {
	Self        string `json:"self"`
	DownloadURL string `json:"download_url"`
	KeyType     string `json:"keytype"` // keyOfReleases or keyOfPackages
	DestroyURL  string `json:"destroy_url"`
	Fingerprint string `json:"fingerprint"`
	Name        string `json:"name"`

	id string
}

const (
	keyOfReleases = "repo"
	keyOfPackages = "package"
)

func (h *handler) listKeys(c call) {
	if all, ok := h.keys(c); ok {
		c.answer(http.StatusOK, map[string][]jsonKey{"gpg_keys": all})
	}
}

func (h *handler) showKey(c call, k jsonKey) { c.answer(http.StatusOK, k) }

// withKey calls do with the key that has a name.
func (h *handler) withKey(c call, name string, do func(*handler, call, jsonKey)) {
	all, ok := h.keys(c)
	if !ok {
		return
	}
	if i := slices.IndexFunc(all, func(k jsonKey) bool { return k.Name == name }); i >= 0 {
		do(h, c, all[i])
		return
	}
	c.notFound()
}

// keys returns the keys of a repository: those of its releases, and then those of its packages. If it cannot, it answers.
func (h *handler) keys(c call) (all []jsonKey, ok bool) {
	all = []jsonKey{}
	prints, err := h.Keys.ReleaseKeys(c.Context())
	if err != nil {
		h.fault(c, err)
		return nil, false
	}
	for _, print := range prints {
		all = append(all, h.keyBody(c.repo, print[max(len(print)-16, 0):], print, keyOfReleases))
	}
	for _, k := range c.set.PackageKeys {
		_, print, err := h.Keys.PackageKey([]byte(k.Armor))
		if err != nil {
			h.Log.Warn("a package key cannot be read", "repository", c.repo, "key", k.ID, "error", err)
			print = k.ID
		}
		all = append(all, h.keyBody(c.repo, k.ID, print, keyOfPackages))
	}
	return all, true
}

func (h *handler) keyBody(r catalog.Repository, id, fingerprint, kind string) jsonKey {
	key := layout.PackageKeyKey(r, id)
	name := key[strings.LastIndexByte(key, '/')+1:]
	if kind == keyOfReleases {
		key = layout.GPGKeyKey(r)
	}
	self := prefix + "repos/" + r.String() + "/gpg_keys/" + name + ".json"
	return jsonKey{self, h.PublicURL + "/" + key, kind, self, fingerprint, name, id}
}

// createKey registers a key of packages. The first one makes signatures of RPM packages a requirement, as in repomill repo set:
// clients check them from then on.
func (h *handler) createKey(c call) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	p, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	key, print, err := h.Keys.PackageKey([]byte(p.Get("gpg_key[keydata]")))
	if err != nil {
		c.badKey(err.Error())
		return
	}
	seen, err := h.Administration.ChangeSettings(c.Context(), c.repo, maxWait, func(s *catalog.Settings) error {
		if len(s.PackageKeys) == 0 {
			s.RequireSigned = []catalog.Format{catalog.RPM}
		}
		s.PackageKeys = append(without(s.PackageKeys, key.ID), key)
		return nil
	})
	if err != nil {
		h.fault(c, err)
		return
	}
	c.pending(seen)
	c.answer(http.StatusCreated, h.keyBody(c.repo, key.ID, print, keyOfPackages))
}

// badKey answers 422. package_cloud prints the field error alone of it.
func (c call) badKey(problem string) {
	sentence := []string{"gpg_key[keydata] is not a public key: " + problem}
	c.answer(http.StatusUnprocessableEntity, map[string][]string{"keydata": sentence, "error": sentence})
}

func without(keys []catalog.PackageKey, id string) []catalog.PackageKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k catalog.PackageKey) bool { return k.ID == id })
}

// deleteKey forgets a key of packages. With the last one the requirement of signatures ends, because nothing could fulfil it.
func (h *handler) deleteKey(c call, k jsonKey) {
	switch {
	case !c.by.May(api.Manage, c.repo):
		c.forbidden(api.Manage)
		return
	case k.KeyType == keyOfReleases:
		c.fail(http.StatusNotFound, "not_found: "+k.Name+" signs the repository, and is changed with repomill key")
		return
	}
	seen, err := h.Administration.ChangeSettings(c.Context(), c.repo, maxWait, func(s *catalog.Settings) error {
		left := without(s.PackageKeys, k.id)
		if len(left) == len(s.PackageKeys) {
			return errGone
		}
		if s.PackageKeys = left; len(left) == 0 {
			s.PackageKeys, s.RequireSigned = nil, nil
		}
		return nil
	})
	switch {
	case errors.Is(err, errGone):
		c.notFound()
	case err != nil:
		h.fault(c, err)
	default:
		c.noContent(seen)
	}
}
