package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api/oidc"
)

type trustCmd struct {
	Add    trustAddCmd    `cmd:"" help:"Let jobs of a CI system push with the ID tokens that it gives them."`
	List   trustListCmd   `cmd:"" help:"List which ID tokens open what."`
	Remove trustRemoveCmd `cmd:"" help:"Refuse such ID tokens from now on."`
}

type trustAddCmd struct {
	catalogFlags
	actorFlags
	Target   string   `arg:"" help:"owner/name, or owner for all of its repositories."`
	Issuer   string   `required:"" placeholder:"URL" help:"Who issues the ID tokens: the claim iss, such as https://gitlab.acme.example."`
	Audience string   `required:"" placeholder:"NAME" help:"What the ID tokens are for: the claim aud, for example the host name of this server. The CI job asks for the same."`
	Claim    []string `required:"" sep:"none" placeholder:"NAME=VALUE" help:"What a claim has to be, such as project_path=acme/tools. May be repeated; all have to fit."`
	Scope    string   `enum:"push,manage,read" default:"push" help:"What the jobs may do: push, manage or read."`
}

// Help shows how the command is used.
func (trustAddCmd) Help() string {
	return `A value is compared as it is, upper and lower case too. A * in it is one or more characters up to the next '/', ':' or '@'. It may
be anywhere in ref, ref_path and environment, and behind the owner in sub, project_path, namespace_path, repository, workflow_ref,
job_workflow_ref and ci_config_ref_uri. An array fits if one of its elements does.

Anybody can get tokens of gitlab.com and GitHub, and names there can be registered again. A trust in them needs the numbers
project_id and namespace_id, or repository_id and repository_owner_id; and the environment or the file of the workflow.

Exit codes: 0 the trust is there, also before; 1 the repository is not declared; 2 usage; 4 the catalog cannot be reached.

Examples:
  repomill trust add acme/tools --issuer https://gitlab.acme.example --audience packages.acme.example \
    --claim project_path=acme/tools --claim ref_protected=true
  repomill trust add acme/tools --issuer https://token.actions.githubusercontent.com --audience packages.acme.example \
    --claim repository_id=424242 --claim repository_owner_id=2020 --claim environment=release`
}

// Run adds the trust and prints its ID. A repeat changes nothing.
func (c *trustAddCmd) Run(ctx context.Context, io stdio) error {
	t, err := c.trust()
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	err = db.AddTrust(ctx, t)
	if errors.Is(err, catalogdb.ErrExists) {
		err = nil
	}
	if err != nil {
		return client.NotDeclared(ctx, db, catalog.Repository{Owner: t.Owner, Name: t.Name}, err)
	}
	fmt.Fprintln(io.out, t.ID)
	fmt.Fprintf(io.err, "ID tokens of %s for %s with %s may %s in %s. Remove that with repomill trust remove %s.\n", t.Issuer, t.Audience, claimsText(t), t.Scope, t.Target(), t.ID)
	return nil
}

// trust returns what the flags say, if it is safe.
func (c *trustAddCmd) trust() (catalog.Trust, error) {
	t := catalog.Trust{
		Scope: c.Scope, Issuer: c.Issuer, Audience: c.Audience, Claims: map[string]string{}, Created: time.Now().UTC().Truncate(time.Second),
	}
	var err error
	if t.Owner, t.Name, err = parseTrustTarget(c.Target); err != nil {
		return t, err
	}
	for _, claim := range c.Claim {
		name, value, ok := strings.Cut(claim, "=")
		if !ok {
			return t, command.Usage("--claim %q: use NAME=VALUE, such as project_path=acme/tools", claim)
		}
		if _, twice := t.Claims[name]; twice {
			return t, command.Usage("--claim %s: it is there twice; use one, or add a trust for each value", name)
		}
		t.Claims[name] = value
	}
	if err := oidc.CheckTrust(t); err != nil {
		return t, command.Usage("%w", err)
	}
	t.ID = t.Digest()
	return t, nil
}

// parseTrustTarget parses owner/name, or an owner alone, for which name is empty.
func parseTrustTarget(s string) (owner, name string, err error) {
	s = strings.TrimSuffix(s, "/")
	if !strings.Contains(s, "/") {
		return s, "", nil // CheckTrust, and lookups, know owners
	}
	r, err := client.ParseRepository(s)
	return r.Owner, r.Name, err
}

// claimsText writes claims as on the command line.
func claimsText(t catalog.Trust) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(t.Claims)) {
		all = append(all, name+"="+t.Claims[name])
	}
	return strings.Join(all, " ")
}

type trustListCmd struct {
	catalogFlags
	Target string `arg:"" optional:"" help:"Only trusts that open this: owner/name, or owner."`
	JSON   bool   `name:"json" help:"Print one JSON object a line."`
}

// Help shows how the command is used.
func (trustListCmd) Help() string {
	return `Exit codes: 0 the list, 2 usage, 4 the catalog cannot be reached.

Example:
  repomill trust list acme/tools`
}

// Run prints the trusts, in order.
func (c *trustListCmd) Run(ctx context.Context, io stdio) error {
	owner, name, err := parseTrustTarget(c.Target)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Trusts(ctx)
	if err != nil {
		return command.Fault(err)
	}
	all = slices.DeleteFunc(all, func(t catalog.Trust) bool {
		return owner != "" && t.Owner != owner || name != "" && t.Name != "" && t.Name != name
	})
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(io.out, "no ID tokens are trusted; repomill trust add does that")
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, t := range all {
		if c.JSON {
			printJSON(io, t)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "ID\tTARGET\tSCOPE\tISSUER\tAUDIENCE\tADDED\tCLAIMS")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Target(), t.Scope, t.Issuer, t.Audience, t.Created.Format(time.DateTime), claimsText(t))
	}
	return nil
}

type trustRemoveCmd struct {
	catalogFlags
	actorFlags
	ID string `arg:"" help:"As repomill trust list shows it."`
}

// Help shows how the command is used.
func (trustRemoveCmd) Help() string {
	return `ID tokens are refused at once, and so are tokens that jobs got for them before.

Exit codes: 0 removed, 1 there is none, 2 usage, 4 the catalog cannot be reached.

Example:
  repomill trust remove 651d24acb6ea7b12`
}

// Run removes a trust.
func (c *trustRemoveCmd) Run(ctx context.Context, io stdio) error {
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	t, err := db.RemoveTrust(ctx, c.ID)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return fmt.Errorf("there is no trust %q; repomill trust list shows which there are", c.ID)
	}
	if err != nil {
		return command.Fault(err)
	}
	fmt.Fprintf(io.out, "removed: ID tokens of %s with %s do not open %s any more\n", t.Issuer, claimsText(t), t.Target())
	return nil
}
