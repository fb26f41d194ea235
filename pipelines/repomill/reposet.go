package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/ingest"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type repoSetCmd struct {
	catalogFlags
	awaitFlags
	repositoryFlags
	actorFlags
	Repository       string   `arg:"" help:"owner/name."`
	Visibility       string   `enum:"public,private," default:"" help:"Who may read it: all clients, or those with a token."`
	RemovePackageKey []string `placeholder:"KEYID" help:"Package key to remove. May be repeated."`
	RemoveComponent  []string `placeholder:"COMPONENT" help:"Component to remove from the DEB distributions, if it has no packages; repomill repo delete removes one that has. May be repeated."`
	RemoveArch       []string `aliases:"remove-architecture" placeholder:"ARCH" help:"Architecture to remove from the distributions, if it has no packages and is not a usual one. May be repeated."`
	VerifyPayload    string   `enum:"always,default," default:"" help:"always: workers unpack every payload to check that clients can, which takes time. default: workers check its structure."`
}

// Run changes a repository. A repeat changes nothing.
func (c *repoSetCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	declarations, err := c.declarations(r)
	if err != nil {
		return err
	}
	keys, err := c.packageKeys()
	if err != nil {
		return err
	}
	if err := cmp.Or(c.checkRemoved(), c.checkDescription()); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if s, err := db.Settings(ctx, r); err == nil { // ChangeSettings reports the error otherwise
		if err := c.checkKeyring(ctx, db, s); err != nil {
			return err
		}
	}
	var misused error
	var was catalog.Settings
	after, err := db.ChangeSettings(ctx, r, time.Now(), func(s *catalog.Settings) error {
		was = *s
		s.Visibility = cmp.Or(catalog.Visibility(c.Visibility), s.Visibility)
		had := s.PackageKeys
		s.PackageKeys = mergeKeys(had, keys, c.RemovePackageKey)
		if misused = c.requireSigned(s, had); misused != nil {
			return misused
		}
		c.describe(s)
		c.keyring(s)
		if c.VerifyPayload != "" {
			s.VerifyPayload = catalog.VerifyPayload(strings.TrimPrefix(c.VerifyPayload, "default"))
		}
		return nil
	})
	if misused != nil {
		return misused
	}
	if errors.Is(err, catalogdb.ErrDeleted) {
		return err
	}
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	c.warnOfKeys(io, after)
	c.warnOfKeyring(io, was, after)
	c.warnOfFolder(io, was, after)
	if err := cmp.Or(c.removeArches(ctx, db, r, declarations), c.removeComponents(ctx, db, r, declarations)); err != nil {
		return err
	}
	age := time.Duration(0)
	if c.Visibility != "" {
		age = c.accessAge()
	}
	if len(c.PackageKey)+len(c.RemovePackageKey)+len(c.RequireSigned) > 0 { // workers check packages by them
		age = max(age, ingest.TermsAge)
	}
	return c.declare(ctx, io, db, r, declarations, c.KeyringPackage == "on", age)
}

// checkRemoved returns an error for architectures that cannot be removed.
func (c *repoSetCmd) checkRemoved() error {
	if len(c.RemoveArch)+len(c.RemoveComponent) > 0 && len(c.Distribution) == 0 {
		return command.Usage("--remove-arch and --remove-component: name the distributions with --distribution")
	}
	for _, component := range c.RemoveComponent {
		if slices.Contains(c.Component, component) {
			return command.Usage("--component and --remove-component both name %s", component)
		}
	}
	for _, arch := range c.RemoveArch {
		if slices.Contains(c.Arch, arch) {
			return command.Usage("--arch and --remove-arch both name %s", arch)
		}
	}
	return nil
}

// removeArches removes architectures from the distributions of declarations.
func (c *repoSetCmd) removeArches(ctx context.Context, db *catalogdb.DB, r catalog.Repository, declarations []catalogdb.Declaration) error {
	for _, d := range declarations {
		if d.Component != "" || d.Arch != "" { // one more of the same distribution
			continue
		}
		for _, arch := range c.RemoveArch {
			_, err := db.RemoveArch(ctx, r, d.Distro, arch, time.Now())
			if errors.Is(err, catalogdb.ErrInUse) {
				return err
			}
			if errors.Is(err, catalogdb.ErrNotFound) {
				return fmt.Errorf("repository %s does not have distribution %s; repomill repo list shows those it has", r, d.Distro.Distribution)
			}
			if err != nil {
				return command.Fault(err)
			}
		}
	}
	return nil
}

// removeComponents removes components from the distributions of declarations, and waits until they are gone.
func (c *repoSetCmd) removeComponents(ctx context.Context, db *catalogdb.DB, r catalog.Repository, declarations []catalogdb.Declaration) error {
	for _, d := range declarations {
		if d.Component != "" || d.Arch != "" || d.Distro.Format != catalog.DEB { // one more of the same distribution
			continue
		}
		for _, component := range c.RemoveComponent {
			t := catalog.PackageTarget{Repository: r, Distribution: d.Distro.Distribution, Component: component}
			now, err := db.Clock(ctx)
			if err != nil {
				return command.Fault(err)
			}
			s, err := db.RemoveComponent(ctx, t, now)
			switch {
			case errors.Is(err, catalogdb.ErrNotFound):
				continue // a repeat, or another distribution has it
			case errors.Is(err, catalogdb.ErrInUse), errors.Is(err, catalogdb.ErrDeleted):
				return err
			case errors.Is(err, catalogdb.ErrOnlyComponent):
				return fmt.Errorf("%s is not removed: %w; repomill repo delete %s deletes that", t, catalogdb.ErrOnlyComponent, t.WithoutComponent())
			case err != nil:
				return command.Fault(err)
			}
			if !c.NoWait {
				if err := c.awaitDeletion(ctx, db, t, *s.DeletedPart(t), nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mergeKeys adds package keys, replacing those of the same id, and removes others.
func mergeKeys(keys, add []catalog.PackageKey, remove []string) []catalog.PackageKey {
	keys = slices.DeleteFunc(slices.Clone(keys), func(k catalog.PackageKey) bool {
		same := func(o catalog.PackageKey) bool { return o.ID == k.ID }
		return slices.ContainsFunc(remove, func(id string) bool { return strings.EqualFold(id, k.ID) }) || slices.ContainsFunc(add, same)
	})
	keys = append(keys, add...)
	slices.SortFunc(keys, func(a, b catalog.PackageKey) int { return cmp.Compare(a.ID, b.ID) })
	return keys
}
