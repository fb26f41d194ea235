package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/serve"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token. It is printed once, and nowhere kept."`
	List   tokenListCmd   `cmd:"" help:"List the tokens of a repository, without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token."`
}

type tokenCreateCmd struct {
	catalogFlags
	awaitFlags
	clientFlags
	Repository string `arg:"" help:"owner/name."`
	Name       string `arg:"" help:"What it is for, such as ci or customer-42."`
	Expires    period `help:"For how long it is good, such as 90d or 12h. Without it, the token does not expire."`
}

// Run prints the new token on the standard output, alone, and waits until it opens the repository.
func (c *tokenCreateCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	if !tokenName.MatchString(c.Name) {
		return command.Usage("token name %q: use 1 to 63 letters, digits, '.', '_' and '-'", c.Name)
	}
	if err := c.clientFlags.Check(); err != nil { // before there is a token
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	secret, digest := serve.NewToken()
	now := time.Now().UTC().Truncate(time.Second)
	t := catalog.Token{Name: c.Name, SHA256: digest, Created: now}
	if c.Expires > 0 {
		end := now.Add(time.Duration(c.Expires))
		t.Expires = &end
	}
	s, err := db.ChangeSettings(ctx, r, now, func(s *catalog.Settings) error {
		if slices.ContainsFunc(s.Tokens, func(o catalog.Token) bool { return o.Name == c.Name }) {
			return errTaken
		}
		s.Tokens = append(s.Tokens, t)
		slices.SortFunc(s.Tokens, func(a, b catalog.Token) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	if errors.Is(err, errTaken) {
		return fmt.Errorf("repository %s has a token %q already; revoke it first, or choose another name", r, c.Name)
	}
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	fmt.Fprintln(io.out, secret)
	fmt.Fprintf(io.err, "This token is shown once. It opens %s for reading, as user name (with any password) or as password.\n", r)
	defer c.PrintSetup(ctx, io.err, c.CatalogFlags, db, s, secret)
	if s.Visibility == catalog.Public {
		fmt.Fprintf(io.err, "%s is public, however: everybody reads it without a token, until repomill repo set --visibility private.\n", r)
	}
	if c.NoWait {
		return recorded(io)
	}
	return c.settings(ctx, db, settingsChange{after: s, age: c.accessAge(), holds: func(s catalog.Settings) bool { return hasToken(s, digest) }})
}

func hasToken(s catalog.Settings, digest string) bool {
	return slices.ContainsFunc(s.Tokens, func(t catalog.Token) bool { return t.SHA256 == digest })
}

var (
	tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	errTaken  = errors.New("taken")
	errAbsent = errors.New("absent")
)

type tokenListCmd struct {
	catalogFlags
	Repository string `arg:"" help:"owner/name."`
	JSON       bool   `name:"json" help:"Print one JSON object a line."`
}

// Run prints the tokens, in order.
func (c *tokenListCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := db.Settings(ctx, r)
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	if len(s.Tokens) == 0 && !c.JSON {
		fmt.Fprintf(io.out, "%s has no tokens\n", r)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, t := range s.Tokens {
		if c.JSON {
			printJSON(io, t)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "NAME\tCREATED\tEXPIRES")
		}
		expires := "never"
		if t.Expires != nil {
			expires = t.Expires.Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, t.Created.Format(time.DateTime), expires)
	}
	return nil
}

type tokenRevokeCmd struct {
	catalogFlags
	awaitFlags
	Repository string `arg:"" help:"owner/name."`
	Name       string `arg:"" help:"The token's name."`
}

// Run revokes a token, and waits until resolvers know.
func (c *tokenRevokeCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	var digest string
	s, err := db.ChangeSettings(ctx, r, time.Now(), func(s *catalog.Settings) error {
		n := slices.IndexFunc(s.Tokens, func(t catalog.Token) bool { return t.Name == c.Name })
		if n < 0 {
			return errAbsent
		}
		digest = s.Tokens[n].SHA256
		s.Tokens = slices.Delete(s.Tokens, n, n+1)
		return nil
	})
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("repository %s has no token %q; repomill token list %s shows what it has", r, c.Name, r)
	}
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	if c.NoWait {
		return recorded(io)
	}
	err = c.settings(ctx, db, settingsChange{after: s, age: c.accessAge(), holds: func(s catalog.Settings) bool { return !hasToken(s, digest) }})
	if err == nil {
		fmt.Fprintf(io.out, "revoked: resolvers refuse token %q of %s\n", c.Name, r)
	}
	return err
}

// A period is a duration that may also be given in days, as "90d", or in years of 365 days, as "2y".
type period time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *period) UnmarshalText(text []byte) error {
	s := string(text)
	if years, ok := strings.CutSuffix(s, "y"); ok {
		n, err := strconv.Atoi(years)
		if err != nil || n < 1 || n > 100 {
			return fmt.Errorf("%q: use a number of years such as 2y", s)
		}
		*p = period(time.Duration(n) * 365 * 24 * time.Hour)
		return nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return fmt.Errorf("%q: use a number of days such as 90d", s)
		}
		*p = period(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q: use a duration such as 90d or 12h", s)
	}
	*p = period(d)
	return nil
}
