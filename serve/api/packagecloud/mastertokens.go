package packagecloud

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
)

// A jsonMaster is a master token as each call has it; what a call does not have is empty.
type jsonMaster struct {
	Name          string            `json:"name"`
	Value         string            `json:"value"`
	ReadTokens    []jsonReadToken   `json:"read_tokens,omitzero"`
	Paths         map[string]string `json:"paths,omitempty"`
	SelfURL       string            `json:"self_url,omitempty"`
	ReadTokensURL string            `json:"read_tokens_url,omitempty"`
}

// unshown is the value of a token that was made before, whose secret nothing here has. Paths take it in place of the value; it
// opens nothing.
func unshown(number int64) string { return unshownPrefix + strconv.FormatInt(number, 10) }

const unshownPrefix = "shown-once-"

// defaultMaster is the name of the master token that a deletion replaces.
const defaultMaster = "default"

func (h *handler) showMaster(c call, t catalog.APIToken) {
	c.answer(http.StatusOK, []jsonMaster{c.shown(t)})
}

// masters returns the master tokens of the repository that the caller may see: its holder sees one alone.
func (h *handler) masters(c call) (some []catalog.APIToken, err error) {
	all, err := h.Tokens.APITokens(c.Context(), false)
	for _, t := range all {
		own := t.ID == c.by.ID && t.Target.Covers(c.repo.Target())
		of := t.Target == c.repo.Target() && c.by.May(api.Manage, c.repo)
		if slices.Equal(t.Scopes, []catalog.Scope{catalog.ScopeTokens}) && (own || of) {
			some = append(some, t)
		}
	}
	return some, err
}

// withMaster calls f with the master token that a segment of a path means: a number, a value, or what is shown in its place.
func (h *handler) withMaster(c call, segment string, f func(call, catalog.APIToken)) {
	all, err := h.masters(c)
	if err != nil {
		h.fault(c, err)
		return
	}
	is := func(t catalog.APIToken) bool {
		return strings.TrimPrefix(segment, unshownPrefix) == strconv.FormatInt(t.Number, 10)
	}
	if serve.IsToken(segment) {
		digest := serve.TokenDigest(segment)
		is = func(t catalog.APIToken) bool { return t.SHA256 == digest }
	}
	if i := slices.IndexFunc(all, is); i >= 0 {
		f(c, all[i])
		return
	}
	c.notFound()
}

func (h *handler) listMasters(c call) {
	all, err := h.masters(c)
	if err != nil {
		h.fault(c, err)
		return
	}
	list := []jsonMaster{}
	for _, t := range all {
		list = append(list, jsonMaster{Name: t.Name, Value: unshown(t.Number), ReadTokens: madeBy(c.set, t), Paths: c.pathsOf(t)})
	}
	c.answer(http.StatusOK, list)
}

func (h *handler) searchMasters(c call) {
	all, err := h.masters(c)
	if err != nil {
		h.fault(c, err)
		return
	}
	list, q := []jsonMaster{}, strings.ToLower(c.URL.Query().Get("q"))
	for _, t := range all {
		if strings.Contains(strings.ToLower(t.Name), q) {
			self := c.pathsOf(t)["self"]
			list = append(list, jsonMaster{Name: t.Name, Value: unshown(t.Number), SelfURL: self, ReadTokensURL: self + "/read_tokens"})
		}
	}
	p := pagingOf(c.URL.Query())
	p.write(c.w.Header(), h.PublicURL, c.URL, len(list))
	from := min((p.page-1)*p.perPage, len(list))
	c.answer(http.StatusOK, list[from:min(from+p.perPage, len(list))])
}

func (h *handler) createMaster(c call) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	p, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	name := first(p, "master_token[name]", "name")
	if problem := badName(name); problem != "" {
		c.invalid("name", problem)
		return
	}
	h.issueMaster(c, name, http.StatusCreated)
}

// issueMaster makes a master token and answers with it. Its secret is in this answer alone.
func (h *handler) issueMaster(c call, name string, status int) {
	secret, digest := serve.NewToken()
	t, err := h.Tokens.CreateToken(c.Context(), catalog.APIToken{
		Name: name, Target: c.repo.Target(), Scopes: []catalog.Scope{catalog.ScopeTokens}, SHA256: digest, By: c.by.Name, Job: c.by.Job,
	})
	switch {
	case errors.Is(err, ErrTaken):
		c.invalid("name", ErrTaken.Error())
	case err != nil:
		h.fault(c, err)
	default:
		c.answer(status, jsonMaster{Name: t.Name, Value: secret, ReadTokens: []jsonReadToken{}, Paths: c.pathsOf(t)})
	}
}

// deleteMaster revokes a master token with its read tokens. The default one is replaced, and the answer has the new value.
func (h *handler) deleteMaster(c call, t catalog.APIToken) {
	if !c.by.May(api.Manage, c.repo) {
		c.forbidden(api.Manage)
		return
	}
	seen, err := h.Tokens.RevokeToken(c.Context(), t, maxWait)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		c.notFound()
	case err != nil:
		h.fault(c, err)
	case t.Name == defaultMaster:
		c.pending(seen)
		h.issueMaster(c, t.Name, http.StatusOK)
	default:
		c.noContent(seen)
	}
}

func (c call) shown(t catalog.APIToken) jsonMaster {
	paths := c.pathsOf(t)
	return jsonMaster{Name: t.Name, Value: unshown(t.Number), Paths: paths, ReadTokensURL: paths["self"] + "/read_tokens"}
}

func (c call) pathsOf(t catalog.APIToken) map[string]string {
	return map[string]string{"self": prefix + "repos/" + c.repo.String() + "/master_tokens/" + strconv.FormatInt(t.Number, 10)}
}

// maxName is the length of the longest name of a token, in bytes: a host has 253 at most.
const maxName = 255

// badName says what is wrong with the name of a token.
func badName(name string) string {
	switch {
	case name == "":
		return "can't be blank"
	case len(name) > maxName:
		return "is too long (maximum is 255 bytes)"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has characters that cannot be printed"
	case name[0] == '-':
		return "begins with '-'"
	}
	return ""
}
