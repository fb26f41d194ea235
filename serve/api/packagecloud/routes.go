package packagecloud

import (
	"net/http"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// A route is what answers a method of a path below /api/v1/. The names are those of [api.Match], behind owner and name of the repository.
type route struct {
	method, path string
	do           func(h *handler, c call, names []string)
	quiet        bool // the form of the path is that of many others: one with another method is not found
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	remove = http.MethodDelete
)

const inRepository = "repos/OWNER/NAME"

// routes are all paths; the first one that a path and method match answers.
var routes = []route{
	{get, "distributions", plain((*handler).distributions), false},
	{get, "gem_version", plain((*handler).gemVersion), false},
	{get, "token", plain((*handler).token), false},
	{post, "repos", plain((*handler).createRepository), false},
	{get, "repos", plain((*handler).repositories), false},
	{get, inRepository, plain((*handler).repository), false},

	{post, inRepository + "/master_tokens", plain((*handler).createMaster), false},
	{get, inRepository + "/master_tokens", plain((*handler).listMasters), false},
	{get, inRepository + "/master_tokens/search", plain((*handler).searchMasters), false},
	{remove, inRepository + "/master_tokens/TOKEN", ofMaster((*handler).deleteMaster), false},
	{get, inRepository + "/master_tokens/TOKEN", ofMaster((*handler).showMaster), false},
	{post, inRepository + "/master_tokens/TOKEN/read_tokens", ofMaster((*handler).createRead), false},
	{get, inRepository + "/master_tokens/TOKEN/read_tokens", ofMaster((*handler).listReads), false},
	{remove, inRepository + "/master_tokens/TOKEN/read_tokens/ID", ofRead((*handler).deleteRead), false},
	{get, inRepository + "/master_tokens/TOKEN/read_tokens/ID", ofRead((*handler).showRead), false},

	{post, inRepository + "/gpg_keys", plain((*handler).createKey), false},
	{get, inRepository + "/gpg_keys", plain((*handler).listKeys), false},
	{remove, inRepository + "/gpg_keys/KEY", ofKey((*handler).deleteKey), false},
	{get, inRepository + "/gpg_keys/KEY", ofKey((*handler).showKey), false},

	{get, inRepository + "/phases", plain((*handler).phases), false},
	{get, inRepository + "/promotions/ID", func(h *handler, c call, names []string) { h.showPromotion(c, names[2]) }, false},
	{get, inRepository + "/packages", plain((*handler).allPackages), false},
	{post, inRepository + "/packages", plain((*handler).push), false},
	{post, inRepository + "/packages/contents", func(_ *handler, c call, _ []string) { c.invalid("package_file", noSources) }, false},
	{get, inRepository + "/packages/TYPE", behind((*handler).groups), false},
	{get, inRepository + "/packages/TYPE/OS", behind((*handler).groups), false},
	{get, inRepository + "/packages/TYPE/OS/VERSION", behind((*handler).groups), false},
	{get, inRepository + "/packages/TYPE/OS/VERSION/ARCH", behind((*handler).groups), false},
	{get, inRepository + "/search", plain((*handler).search), false},
	{get, inRepository + "/package/TYPE/OS/VERSION/PACKAGE/ARCH/...", behind((*handler).onePackage), false},
	{get, inRepository + "/stats/...", behind((*handler).repositoryStatistics), false},

	{post, inRepository + "/OS/VERSION/FILE/promote", ofFile((*handler).promote), true},
	{post, inRepository + "/OS/VERSION/FILE/phase", ofFile((*handler).phase), true},
	{remove, inRepository + "/OS/VERSION/FILE", ofFile((*handler).destroy), true},
}

// Routes returns the calls.
func Routes() (all []api.Route) {
	for _, r := range routes {
		all = append(all, api.Route{Method: r.method, Path: prefix + r.path})
	}
	return append(all, api.Route{Method: http.MethodPost, Path: installPrefix + "OWNER/NAME" + installSuffix})
}

// plain is for a call that has no names but those of its repository.
func plain(do func(*handler, call)) func(*handler, call, []string) {
	return func(h *handler, c call, _ []string) { do(h, c) }
}

// behind is for a call with the names behind those of its repository.
func behind(do func(*handler, call, []string)) func(*handler, call, []string) {
	return func(h *handler, c call, names []string) { do(h, c, names[2:]) }
}

// ofMaster is for a call about a master token.
func ofMaster(do func(*handler, call, catalog.APIToken)) func(*handler, call, []string) {
	return func(h *handler, c call, names []string) {
		h.withMaster(c, names[2], func(c call, t catalog.APIToken) { do(h, c, t) })
	}
}

// ofRead is for a call about a read token of a master token.
func ofRead(do func(*handler, call, catalog.Token)) func(*handler, call, []string) {
	return func(h *handler, c call, names []string) {
		h.withMaster(c, names[2], func(c call, master catalog.APIToken) {
			if t, ok := c.readToken(master, names[3]); ok {
				do(h, c, t)
				return
			}
			c.notFound()
		})
	}
}

// ofKey is for a call about a key.
func ofKey(do func(*handler, call, jsonKey)) func(*handler, call, []string) {
	return func(h *handler, c call, names []string) { h.withKey(c, names[2], do) }
}

// ofFile is for a call about the file of a package in a distribution.
func ofFile(do func(*handler, call, catalog.Distribution, string)) func(*handler, call, []string) {
	return func(h *handler, c call, names []string) {
		do(h, c, catalog.Distribution{OS: names[2], Version: names[3]}, names[4])
	}
}
