package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/serve"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Create a token. The secret is shown once and not stored."`
	List   tokenListCmd   `cmd:"" help:"List tokens, without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token, and those that it made."`
}

type tokenCreateCmd struct {
	catalogFlags
	awaitFlags
	clientFlags
	actorFlags
	Target  string          `arg:"" help:"Target: owner/name; with --scope also owner, for all of its repositories, or all."`
	Name    string          `arg:"" help:"Name of the token, such as ci or customer-42."`
	Scope   []catalog.Scope `enum:"read,push,manage,tokens" placeholder:"read|push|manage|tokens" help:"What the token may do, see above. May be repeated, or a list with commas. Without it: read."`
	Expires period          `help:"How long the token is valid, such as 90d or 12h. Without it, the token does not expire."`
}

// Help says which tokens there are.
func (tokenCreateCmd) Help() string {
	return `There are two kinds of tokens. Without --scope, or with --scope read, the token of owner/name opens that private
repository for apt, dnf and zypper, and does nothing else: give one to each customer or host. Any other token is for
the API: it is known to the catalog alone, and opens no repository for them.

Scopes of the API:
  read    look at what there is, and download packages
  push    upload packages; give it to CI
  manage  promote, yank, and make read tokens
  tokens  make read tokens, and nothing else: a master token; those that it made are revoked with it

The token is printed on the standard output, alone; how it is used, on the standard error. Of one that opens a
repository, repomill hint prints the same at any time.

` + settingsHelp + `

Examples:
  repomill token create acme/tools customer-42 --expires 90d
  repomill token create acme/tools ci --scope push --expires 1y
  repomill token create acme release --scope push,manage`
}

// Run prints the new token on the standard output, alone. If it opens a repository, it waits until it does.
func (c *tokenCreateCmd) Run(ctx context.Context, io stdio) error {
	target, err := parseTarget(c.Target)
	if err != nil {
		return err
	}
	if !tokenName.MatchString(c.Name) {
		return command.Usage("token name %q: use 1 to 63 letters, digits, '.', '_' and '-'", c.Name)
	}
	slices.Sort(c.Scope)
	c.Scope = slices.Compact(c.Scope)
	if target.Name == "" && len(c.Scope) == 0 {
		return command.Usage("a token that opens a private repository is of that one, owner/name; say with --scope what a token of the API for %s may do", target)
	}
	if err := c.clientFlags.Check(); err != nil { // before the token is created
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if target.Name != "" && (len(c.Scope) == 0 || slices.Equal(c.Scope, []catalog.Scope{catalog.ScopeRead})) {
		return c.createRead(ctx, io, db, catalog.Repository(target))
	}
	return c.createAPI(ctx, io, db, target)
}

// createRead makes a token that opens a private repository.
func (c *tokenCreateCmd) createRead(ctx context.Context, io stdio, db *catalogdb.DB, r catalog.Repository) error {
	if taken, err := apiName(ctx, db, r.Target(), c.Name); err != nil || taken {
		return cmp.Or(err, c.taken(r.Target()))
	}
	secret, digest := serve.NewToken()
	now := time.Now().UTC().Truncate(time.Second)
	t := catalog.Token{Name: c.Name, SHA256: digest, Created: now, Expires: c.end(now)}
	s, err := db.ChangeSettings(ctx, r, now, func(s *catalog.Settings) error {
		if slices.ContainsFunc(s.Tokens, func(o catalog.Token) bool { return o.Name == t.Name }) {
			return errTaken
		}
		s.Tokens = append(s.Tokens, t)
		slices.SortFunc(s.Tokens, func(a, b catalog.Token) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	if errors.Is(err, errTaken) {
		return c.taken(r.Target())
	}
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	fmt.Fprintln(io.out, secret)
	fmt.Fprintf(io.err, "This token is shown once. It opens %s for reading, as user name (with any password) or as password.\n", r)
	defer c.PrintSetup(ctx, io.err, c.CatalogFlags, db, s, secret)
	if s.Visibility == catalog.Public {
		fmt.Fprintf(io.err, "%s is public: clients read it without a token until you run repomill repo set %[1]s --visibility private.\n", r)
	}
	if c.NoWait {
		return recorded(io)
	}
	return c.settings(ctx, db, settingsChange{after: s, age: c.accessAge(), holds: func(s catalog.Settings) bool { return hasToken(s, digest) }})
}

// createAPI makes a token of the API. It counts at once.
func (c *tokenCreateCmd) createAPI(ctx context.Context, io stdio, db *catalogdb.DB, target catalog.Target) error {
	if r := catalog.Repository(target); r.Name != "" {
		if _, err := db.Settings(ctx, r); err != nil { // or else a typing error opens nothing
			return client.NotDeclared(ctx, db, r, err)
		}
	}
	secret, digest := serve.NewToken()
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	t, err := db.CreateAPIToken(ctx, catalog.APIToken{Name: c.Name, Target: target, Scopes: c.Scope, SHA256: digest, Expires: c.end(now)}, now)
	switch {
	case errors.Is(err, catalogdb.ErrExists):
		return c.taken(target)
	case errors.Is(err, catalogdb.ErrDeleted):
		return err
	case err != nil:
		return command.Fault(err)
	}
	fmt.Fprintln(io.out, secret)
	of := "all repositories"
	if target.Name != "" {
		of = target.String()
	} else if target.Owner != "" {
		of = "all repositories of " + target.Owner
	}
	fmt.Fprintf(io.err, "This token is shown once. It is for the API alone, for %s, with the scopes: %s. It opens no repository for apt, dnf or zypper.\n", of, words(t.Scopes))
	fmt.Fprintln(io.err, apiUse(t, c.clientFlags.Server(c.CatalogFlags)))
	return nil
}

// apiUse says how a token of the API is used. TOKEN is in place of the secret, which the standard error does not have.
func apiUse(t catalog.APIToken, server string) string {
	place := cmp.Or(t.Target.Owner, "OWNER") + "/" + cmp.Or(t.Target.Name, "NAME") + "/OS/VERSION"
	if slices.Contains(t.Scopes, catalog.ScopePush) {
		return fmt.Sprintf("Push with it, from any machine: repomill-client push --wait --server %[1]s %[2]s FILE, with the token in REPOMILL_TOKEN;\nor curl -u TOKEN: -T FILE %[1]s/api/v1/upload/%[2]s/. Other clients send it as user name of Basic, or as Bearer.", server, place)
	}
	return fmt.Sprintf("Send it to %s/api/v1/ as user name of Basic, as in curl -u TOKEN: URL, or as Bearer.", server)
}

// end returns when a token made now expires, or nil.
func (c *tokenCreateCmd) end(now time.Time) *time.Time {
	if c.Expires == 0 {
		return nil
	}
	end := now.Add(time.Duration(c.Expires)).UTC().Truncate(time.Second)
	return &end
}

func (c *tokenCreateCmd) taken(t catalog.Target) error {
	return fmt.Errorf("%s has a token %q already; revoke it first, or choose another name", named(t), c.Name)
}

// apiName reports whether a live token of the API of a target has a name.
func apiName(ctx context.Context, db *catalogdb.DB, target catalog.Target, name string) (taken bool, err error) {
	all, err := db.APITokens(ctx, false)
	if err != nil {
		return false, command.Fault(err)
	}
	return slices.ContainsFunc(all, func(t catalog.APIToken) bool { return t.Target == target && t.Name == name }), nil
}

func hasToken(s catalog.Settings, digest string) bool {
	return slices.ContainsFunc(s.Tokens, func(t catalog.Token) bool { return t.SHA256 == digest })
}

// parseTarget reads owner/name, owner or all.
func parseTarget(s string) (catalog.Target, error) {
	t, ok := catalog.ParseTarget(strings.Trim(s, "/"))
	if !ok {
		return t, command.Usage("target %q: use owner/name, such as acme/tools, owner, or all", s)
	}
	if t.Owner == "" {
		return t, nil
	}
	if rej := layout.CheckRepository(catalog.Repository{Owner: t.Owner, Name: cmp.Or(t.Name, "any")}); rej != nil {
		return t, command.Usage("target %q: %s", s, rej.Detail)
	}
	return t, nil
}

var (
	tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	errTaken  = errors.New("taken")
	errAbsent = errors.New("absent")
)
