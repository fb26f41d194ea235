package packagecloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
)

type jsonReadToken struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// numberOf returns the number by which clients know a read token: the first bits of its digest, as many as each of them keeps
// exactly.
func numberOf(t catalog.Token) int64 {
	const hexDigits = 13 // 52 bits: JSON numbers are exact up to 2^53
	if len(t.SHA256) < hexDigits {
		return 0
	}
	n, _ := strconv.ParseInt(t.SHA256[:hexDigits], 16, 64)
	return n
}

func shownRead(t catalog.Token) jsonReadToken {
	return jsonReadToken{numberOf(t), t.Name, unshown(numberOf(t))}
}

// madeBy returns the read tokens that a master token made.
func madeBy(s catalog.Settings, master catalog.APIToken) []jsonReadToken {
	list := []jsonReadToken{}
	for _, t := range s.Tokens {
		if t.Parent == master.ID {
			list = append(list, shownRead(t))
		}
	}
	return list
}

func (h *handler) listReads(c call, master catalog.APIToken) {
	c.answer(http.StatusOK, map[string][]jsonReadToken{"read_tokens": madeBy(c.set, master)})
}

func (h *handler) showRead(c call, t catalog.Token) { c.answer(http.StatusOK, shownRead(t)) }

// readToken returns the token of a master token that a segment of a path means.
func (c call) readToken(master catalog.APIToken, segment string) (t catalog.Token, ok bool) {
	i := slices.IndexFunc(c.set.Tokens, func(t catalog.Token) bool { return t.Parent == master.ID && meansRead(segment, t) })
	if i < 0 {
		return t, false
	}
	return c.set.Tokens[i], true
}

// meansRead reports whether a segment of a path means a read token: by its number, by its value, or by what is shown in its place.
func meansRead(segment string, t catalog.Token) bool {
	if serve.IsToken(segment) {
		return t.SHA256 == serve.TokenDigest(segment)
	}
	return strings.TrimPrefix(segment, unshownPrefix) == strconv.FormatInt(numberOf(t), 10)
}

func (h *handler) createRead(c call, master catalog.APIToken) {
	p, err := c.params()
	if err != nil {
		api.WriteError(c.w, err)
		return
	}
	t, secret, seen, err := h.issueRead(c, master.ID, first(p, "read_token[name]", "name"), false)
	if err != nil {
		h.refuseRead(c, err)
		return
	}
	c.pending(seen)
	c.answer(http.StatusCreated, jsonReadToken{numberOf(t), t.Name, secret})
}

// refuseRead answers with why no read token was made.
func (h *handler) refuseRead(c call, err error) {
	var e *api.Error
	switch {
	case errors.As(err, &e):
		api.WriteError(c.w, e)
	case errors.Is(err, ErrRevoked):
		c.fail(http.StatusConflict, "the master token was revoked just now")
	default:
		h.fault(c, err)
	}
}

// maxReadTokens bounds the read tokens of a repository: resolvers read all of them every few seconds.
const maxReadTokens = 10_000

// issueRead makes a read token whose parent is a token of the API. With another, a name that is taken gets an ending: hosts may
// share a name, and each has a token.
func (h *handler) issueRead(c call, parent, name string, another bool) (t catalog.Token, secret string, seen bool, err error) {
	if problem := badName(name); problem != "" {
		return t, "", false, api.Invalid("name", problem)
	}
	secret, digest := serve.NewToken()
	taken, err := h.masterNames(c.Context(), c.repo)
	if err != nil {
		return t, "", false, err
	}
	now := h.Now().UTC()
	t = catalog.Token{SHA256: digest, Created: now.Truncate(time.Second), Parent: parent}
	seen, err = h.Administration.ChangeSettings(c.Context(), c.repo, maxWait, func(s *catalog.Settings) error {
		t.Name = name
		if taken[name] || slices.ContainsFunc(s.Tokens, func(o catalog.Token) bool { return o.Name == name }) {
			if !another {
				return api.Invalid("name", ErrTaken.Error())
			}
			t.Name = fmt.Sprintf("%.*s-%s", maxName-9, name, digest[:8])
		}
		if len(s.Tokens) >= maxReadTokens {
			return api.Invalid("name", fmt.Sprintf("is one too many: %s has %d read tokens; delete some", c.repo, len(s.Tokens)))
		}
		s.Tokens = append(slices.Clone(s.Tokens), t)
		slices.SortFunc(s.Tokens, func(a, b catalog.Token) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	return t, secret, seen, err
}

// masterNames returns the names of the live tokens of the API of a repository: no read token has one of them.
func (h *handler) masterNames(ctx context.Context, r catalog.Repository) (map[string]bool, error) {
	all, err := h.Tokens.APITokens(ctx, false)
	names := map[string]bool{}
	for _, t := range all {
		if t.Target == r.Target() {
			names[t.Name] = true
		}
	}
	return names, err
}

// errGone says that what is to be deleted is not there any more.
var errGone = errors.New("it was deleted just now")

func (h *handler) deleteRead(c call, t catalog.Token) {
	seen, err := h.Administration.ChangeSettings(c.Context(), c.repo, maxWait, func(s *catalog.Settings) error {
		i := slices.IndexFunc(s.Tokens, func(o catalog.Token) bool { return o.SHA256 == t.SHA256 })
		if i < 0 {
			return errGone
		}
		s.Tokens = slices.Delete(slices.Clone(s.Tokens), i, i+1)
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
