package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type repoCmd struct {
	Create repoCreateCmd `cmd:"" help:"Declare a repository."`
	Set    repoSetCmd    `cmd:"" help:"Change the settings of a repository, or add distributions."`
	List   repoListCmd   `cmd:"" help:"List repositories."`

	Delete   repoDeleteCmd   `cmd:"" help:"Delete a repository, or a distribution or component of it: empty at once, and removed after a time."`
	Undelete repoUndeleteCmd `cmd:"" help:"Bring back a deleted repository, distribution or component."`
}

// repositoryFlags are the settings that a repository is declared with, and that repo set changes or adds.
type repositoryFlags struct {
	Distribution  []string `placeholder:"OS/VERSION" help:"Distribution, such as ubuntu/jammy or el/9. May be repeated."`
	Component     []string `help:"Component of the DEB distributions, besides main. May be repeated."`
	Arch          []string `help:"Architecture of the distributions, besides the usual ones. May be repeated."`
	PackageKey    []string `type:"existingfile" help:"File with the public key that the packages themselves are signed with. May be repeated."`
	RequireSigned []string `enum:"rpm,deb,none" placeholder:"rpm|deb|none" help:"Formats of which only packages with a signature by a package key are accepted. The first package key sets rpm, unless the flag is given. May be repeated."`
	Distributions string   `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`

	Description    *string `placeholder:"TEXT" help:"What the repository is, in one line of at most 300 characters. The pages of the repository show it. An empty text removes it."`
	KeyringPackage string  `enum:"on,off," default:"" placeholder:"on|off" help:"Whether workers publish a package with the keys, so that hosts which upgrade have the next key before it signs."`
}

type repoCreateCmd struct {
	catalogFlags
	awaitFlags
	repositoryFlags
	actorFlags
	Repository string `arg:"" help:"owner/name."`
	Visibility string `default:"public" enum:"public,private" help:"Who may read it: all clients, or those with a token."`
	Origin     string `filled:"" help:"Origin of the Release files; default: owner/name. It never changes: apt refuses that."`
	Label      string `filled:"" help:"Label of the Release files; default: the name. It never changes: apt refuses that."`
	Mutable    bool   `help:"Take the same version with other bytes in place of the older ones. It cannot be switched on or off later. Hosts that have a version keep its old bytes."`

	ReuseDeletedName bool `help:"Take the name of a repository that was deleted and removed. Hosts trust it still: origin and label stay as they were, and a private one is private."`
}

// Run declares a repository. It returns an error if the repository exists, and leaves its settings unchanged.
func (c *repoCreateCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	s := catalog.Settings{Repository: r, Visibility: catalog.Visibility(c.Visibility), Origin: cmp.Or(c.Origin, r.String()), Label: cmp.Or(c.Label, r.Name), Mutable: c.Mutable}
	for flag, v := range map[string]string{"--origin": s.Origin, "--label": s.Label} {
		if !plainText(v) {
			return command.Usage("%s %q: use printable characters on one line, at most 200", flag, v)
		}
	}
	declarations, err := c.declarations(r)
	if err != nil {
		return err
	}
	if err := c.checkDescription(); err != nil {
		return err
	}
	if s.PackageKeys, err = c.packageKeys(); err != nil {
		return err
	}
	if err := c.requireSigned(&s, nil); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := c.checkKeyring(ctx, db, s); err != nil {
		return err
	}
	c.describe(&s)
	c.keyring(&s)
	if s, err = c.create(ctx, db, s); err != nil {
		return err
	}
	c.warnOfKeys(io, s)
	c.warnOfFolder(io, catalog.Settings{}, s)
	return c.declare(ctx, io, db, r, declarations, c.KeyringPackage == "on", unknownAge)
}

// create creates the repository, and returns its settings.
func (c *repoCreateCmd) create(ctx context.Context, db *catalogdb.DB, s catalog.Settings) (created catalog.Settings, err error) {
	if c.ReuseDeletedName {
		if c.Origin+c.Label != "" {
			return s, command.Usage("--reuse-deleted-name keeps origin and label as they were: leave out --origin and --label")
		}
		if c.Mutable {
			return s, command.Usage("--reuse-deleted-name keeps whether the repository is mutable as it was: leave out --mutable")
		}
		created, err = db.RecreateRepository(ctx, s, time.Now())
		if errors.Is(err, catalogdb.ErrNotFound) {
			return s, fmt.Errorf("no repository %s was deleted: leave out --reuse-deleted-name", s.Repository)
		}
	} else {
		created, err = s, db.CreateRepository(ctx, s, time.Now())
	}
	switch {
	case errors.Is(err, catalogdb.ErrExists):
		if c.Mutable {
			return s, fmt.Errorf("repository %s exists already, and whether it is mutable is decided when it is created: create another one, and promote its packages there", s.Repository)
		}
		return s, fmt.Errorf("repository %s exists already; change it with repomill repo set", s.Repository)
	case errors.Is(err, catalogdb.ErrDeleted):
		return s, err
	case err != nil:
		return s, command.Fault(err)
	}
	return created, nil
}

// declare declares distributions, waits until clients see them and the changes made before, and prints the repository. With
// keyring, it also waits until hosts can install the keyring package. age is how long resolvers or workers may use the
// settings of before.
func (f awaitFlags) declare(ctx context.Context, io stdio, db *catalogdb.DB, r catalog.Repository, declarations []catalogdb.Declaration, keyring bool, age time.Duration) error {
	var declared []catalog.Distribution
	for _, d := range declarations {
		_, err := db.Declare(ctx, d, time.Now())
		if errors.Is(err, catalogdb.ErrDeleted) {
			return err
		}
		if err != nil {
			return command.Fault(err)
		}
		declared = append(declared, d.Distro.Distribution)
	}
	s, err := db.Settings(ctx, r)
	if err != nil {
		return command.Fault(err)
	}
	if f.NoWait {
		err = recorded(io)
	} else {
		err = f.settings(ctx, db, settingsChange{after: s, holds: func(now catalog.Settings) bool { return includes(now, s) }, age: age, releases: declared})
		if err == nil && keyring {
			err = f.awaitKeyring(ctx, db, r)
		}
		if now, again := db.Settings(ctx, r); again == nil {
			s = now
		}
	}
	if err == nil {
		printRepository(io, s)
	}
	return err
}

// includes reports whether settings have the visibility, description, payload check, package keys, required signatures, keyring package and
// distributions of others.
func includes(s, of catalog.Settings) bool {
	sameKey := func(a, b catalog.PackageKey) bool { return a.ID == b.ID }
	missing := func(d catalog.DistributionSettings) bool { _, ok := s.Find(d.Distribution); return !ok }
	keyring := func(s catalog.Settings) bool { return s.Keyring != nil && s.Keyring.On }
	return s.Visibility == of.Visibility && s.Description == of.Description && keyring(s) == keyring(of) && s.VerifyPayload == of.VerifyPayload && slices.Equal(s.RequireSigned, of.RequireSigned) &&
		slices.EqualFunc(s.PackageKeys, of.PackageKeys, sameKey) && !slices.ContainsFunc(of.Distributions, missing)
}

func printRepository(io stdio, s catalog.Settings) {
	verified := ""
	if s.VerifyPayload == catalog.VerifyAlways {
		verified = ", payloads verified"
	}
	mutable := ""
	if s.Mutable {
		mutable = ", mutable"
	}
	fmt.Fprintf(io.out, "%s: %s%s, origin %q, label %q, %s, %s%s\n", s.Repository, s.Visibility, mutable, s.Origin, s.Label,
		pipelines.Counted(len(s.PackageKeys), "package key"), pipelines.Counted(len(s.Tokens), "token"), verified+signedText(s)+keyringText(s))
	if s.Deleted != nil {
		fmt.Fprintf(io.out, "  %s\n", s.Deleted)
	}
	if s.Description != "" {
		fmt.Fprintf(io.out, "  %s\n", command.Printable(s.Description))
	}
	for _, p := range s.DeletedParts {
		fmt.Fprintf(io.out, "  %s: %s\n", strings.TrimPrefix(p.Target(s.Repository).String(), s.Repository.String()+"/"), p.Deletion)
	}
	for _, d := range s.Distributions {
		fmt.Fprintf(io.out, "  %s: %s\n", d.Distribution, strings.TrimSpace(strings.Join(d.Components, " ")+"  "+strings.Join(d.Architectures, " ")))
	}
}

// declarations returns a declaration for each distribution with each component and architecture.
func (c repositoryFlags) declarations(r catalog.Repository) (all []catalogdb.Declaration, err error) {
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return nil, command.Usage("--distributions: %w", err)
	}
	if len(c.Distribution) == 0 && len(c.Component)+len(c.Arch) > 0 {
		return nil, command.Usage("--component and --arch: name the distributions with --distribution")
	}
	for _, name := range c.Distribution {
		system, version, is := strings.Cut(name, "/")
		if !is || system == "" || version == "" {
			return nil, command.Usage("--distribution %q: use OS/VERSION, such as ubuntu/jammy or el/9", name)
		}
		distro, rej := table.Lookup(catalog.Distribution{OS: system, Version: version})
		if rej != nil {
			return nil, command.Usage("--distribution: %s", rej.Detail)
		}
		add := func(component, arch string) {
			all = append(all, catalogdb.Declaration{Repository: r, Distro: distro, Component: component, Arch: arch})
		}
		add("", "")
		for _, component := range c.Component {
			if rej := layout.CheckComponent(component); rej != nil {
				return nil, command.Usage("--component: %s", rej.Detail)
			}
			if distro.Format == catalog.DEB {
				add(component, "")
			}
		}
		for _, arch := range c.Arch {
			if !layout.ValidArch(arch) {
				return nil, command.Usage("--arch %q: use an architecture such as riscv64", arch)
			}
			add("", arch)
		}
	}
	return all, nil
}

// packageKeys reads the public keys in the files given.
func (c repositoryFlags) packageKeys() (all []catalog.PackageKey, err error) {
	if err := c.checkRequireSigned(); err != nil {
		return nil, err
	}
	for _, path := range c.PackageKey {
		armored, err := os.ReadFile(path)
		if err != nil {
			return nil, command.Usage("--package-key: %w", err)
		}
		key, err := sign.ReadPackageKey(armored)
		if err != nil {
			return nil, command.Usage("--package-key %s: %w", path, err)
		}
		all = append(all, key)
	}
	return all, nil
}

// plainText reports whether a value may be a field of a Release file: printable, on one line, at most 200 bytes.
func plainText(s string) bool {
	return s != "" && len(s) <= 200 && s == strings.TrimSpace(s) && s == command.Printable(s) && !strings.ContainsRune(s, '\ufffd')
}
