package packagecloud

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
)

// Promotions copies packages to other repositories.
type Promotions interface {
	// Promote copies a package to the same distribution and component of another repository, and waits until it has its
	// verdict, for at most wait. To move it is to withdraw it where it is, once clients see the copy; then the wait is for that, too. It
	// returns the upload that makes the copy, and what is known of it then. An error means that the copy is not asked for.
	Promote(ctx context.Context, k catalog.Package, to catalog.Repository, move bool, by api.Principal, wait time.Duration) (catalog.Upload, catalog.Verdict, error)

	// Promoted returns what is known of such an upload once nothing is left to do, or after at most wait. The error wraps [catalog.ErrNotFound] if there is
	// none.
	Promoted(ctx context.Context, u catalog.Upload, wait time.Duration) (catalog.Verdict, error)
}

// A promotion is one call to promote a package.
type promotion struct {
	call
	source catalog.Package
	to     catalog.Settings
	move   bool
}

// promote copies the package of a file to the same distribution of another repository, and answers with it there. What
// packagecloud moves, it copies, unless the form says move=true.
func (h *handler) promote(c call, d catalog.Distribution, file string) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	form, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	p := promotion{call: c}
	switch text := form.Get("move"); text {
	case "", "false", "true":
		p.move = text == "true"
	default:
		c.invalid("move", "use true, or leave it out to copy")
		return
	}
	if !h.destination(&p, form, d) {
		return
	}
	switch p.source, err = h.Catalog.PackageFile(c.Context(), c.repo, d, file); {
	case errors.Is(err, catalog.ErrNotFound):
		c.noSuchFile(d, file)
		return
	case err != nil:
		h.fault(c, err)
		return
	}
	if p.move && p.source.Name == layout.KeyringName(c.repo, p.source.Format) {
		p.invalid("move", "the package has the keys of its repository, where clients need it")
		return
	}
	if h.alreadyThere(p) {
		return
	}
	u, v, err := h.Promotions.Promote(c.Context(), p.source, p.to.Repository, p.move, c.by, maxWait)
	switch {
	case errors.Is(err, catalog.ErrNotFound): // withdrawn just now
		c.noSuchFile(d, file)
	case err != nil:
		h.fault(c, err)
	case v.State == catalog.Rejected:
		p.rejected(v)
	default:
		h.promoted(p, u, v)
	}
}

// destination finds out where a package is to go, and whether the caller may put it there. If not, it answers and returns
// false. package_cloud joins the values of every field of a 404.
func (h *handler) destination(p *promotion, form url.Values, d catalog.Distribution) bool {
	name := strings.Trim(form.Get("destination"), "/")
	target, ok := catalog.ParseTarget(name)
	to := catalog.Repository(target)
	if !ok || to.Name == "" || layout.CheckRepository(to) != nil {
		p.invalid("destination", "use user/repository, such as acme/stable")
		return false
	}
	absent := func(sentence string) {
		p.answer(http.StatusNotFound, map[string][]string{"error": {"not_found: " + sentence}})
	}
	var err error
	p.to, err = h.Catalog.Settings(p.Context(), to)
	known := p.by.Known(to) || err == nil && p.to.Visibility == catalog.Public
	_, has := p.to.Find(d)
	switch {
	case err != nil && !errors.Is(err, catalog.ErrNotFound):
		h.fault(p.call, err)
	case err != nil || !known:
		absent("there is no repository " + to.String())
	case !p.by.May(api.Push, to):
		api.WriteError(p.w, api.Forbidden(api.Push, to))
	case to == p.repo:
		p.invalid("destination", "is where the package is")
	case p.private() && p.to.Visibility == catalog.Public && form.Get("to_public") != "true":
		p.invalid("destination", fmt.Sprintf("%s is public, and %s is private: everybody could read the package there; add to_public=true if that is meant", to, p.repo))
	case !has:
		absent(fmt.Sprintf("%s does not have distribution %s", to, d))
	default:
		return true
	}
	return false
}

// taken is what clients look for in the answer to a package that is there.
const taken = "has already been taken"

// alreadyThere answers a call for a package that the destination has, and reports whether it did.
func (h *handler) alreadyThere(p promotion) bool {
	there, err := h.Catalog.PackageFile(p.Context(), p.to.Repository, p.source.Distribution, path.Base(p.source.Key))
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return false
	case err != nil:
		h.fault(p.call, err)
	case there.File.SHA256 != p.source.File.SHA256:
		p.answer(http.StatusUnprocessableEntity, map[string][]string{
			"filename": {taken}, "sha256": {fmt.Sprintf("%s there, %s here", there.File.SHA256, p.source.File.SHA256)},
		})
	case there.Component != p.source.Component, p.move:
		return false
	default:
		p.w.Header().Set("X-Already-Published", "identical sha256")
		p.invalid("filename", taken)
	}
	return true
}

// rejected answers with why there is no copy.
func (p promotion) rejected(v catalog.Verdict) {
	if v.Reason == catalog.Conflict {
		p.answer(http.StatusUnprocessableEntity, map[string][]string{"filename": {taken}, "sha256": {v.Detail}})
		return
	}
	p.invalid("filename", v.Detail)
}

// promoted answers with the package in the destination: with what is known of it from the source, until it is there.
func (h *handler) promoted(p promotion, u catalog.Upload, v catalog.Verdict) {
	k, err := h.Catalog.PackageFile(p.Context(), p.to.Repository, p.source.Distribution, path.Base(p.source.Key))
	if err != nil || k.File.SHA256 != p.source.File.SHA256 {
		k = p.source
		k.Repository, k.Pusher = p.to.Repository, catalog.Pusher{User: p.by.Name, Job: p.by.Job}
	}
	d := h.detailsOf(catalog.ListedPackage{Package: k, Visible: v.State.Final()}, p.to.Visibility != catalog.Public)
	d.PublishURL = h.PublicURL + "/api/v1/repos/" + p.to.Repository.String() + "/promotions/" + promotionID(u) + ".json"
	if !v.State.Final() {
		p.w.Header().Set(notVisible, "yes")
	}
	if p.move {
		p.w.Header().Set("X-Move", string(v.Move))
	}
	p.answer(http.StatusOK, d)
}

// promotionID returns the name of a promotion in URLs. It is not secret: who asks needs a right in the repository.
func promotionID(u catalog.Upload) string {
	return base64.RawURLEncoding.EncodeToString([]byte(u.Generation + "/" + u.Object))
}

// showPromotion answers with the verdict of a promotion into the repository, and waits for it if asked to: 200 if nothing is left to
// do, else 202.
func (h *handler) showPromotion(c call, id string) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(id)
	generation, object, _ := strings.Cut(string(raw), "/")
	at, rej := layout.ParseStaging(object)
	if err != nil || rej != nil || at.Repository != c.repo || !c.by.Known(c.repo) {
		c.notFound()
		return
	}
	wait := time.Duration(0)
	if text := c.URL.Query().Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			c.invalid("wait", "use a time such as 20s")
			return
		}
	}
	v, err := h.Promotions.Promoted(c.Context(), catalog.Upload{Bucket: catalog.PromotionBucket, Object: object, Generation: generation}, min(wait, maxWait))
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.notFound()
		return
	case err != nil:
		h.fault(c, err)
		return
	}
	for i, r := range v.Releases {
		if release, err := catalog.ParseRelease(r.Release); err == nil {
			v.Releases[i].Pointer = h.PublicURL + "/" + layout.PointerKey(release)
		}
	}
	status := http.StatusAccepted
	if v.Settled() {
		status = http.StatusOK
	}
	c.answer(status, v)
}
