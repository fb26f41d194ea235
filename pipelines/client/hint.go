package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// Hint is the command that prints the shell commands that set up clients.
type Hint struct {
	CatalogFlags
	ClientFlags
	Target    string `arg:"" help:"Distribution: owner/name/os/version, for DEB also /component; or a repository, owner/name, for all of its distributions."`
	Name      string `arg:"" optional:"" help:"Package to install; default: the newest."`
	Token     string `default:"TOKEN" help:"Placeholder for the token of a private repository. Other users of this machine can see the value while the command runs: for a real token use --token-file."`
	TokenFile string `type:"path" help:"File with the token."`
}

// ClientFlags are the flags for the URL of the resolver and for the table of distributions.
type ClientFlags struct {
	PublicURL     string `name:"public-url" help:"URL under which clients reach the resolver; default: that of the last repomill up on --data."`
	Distributions string `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`
}

// Help has an example.
func (Hint) Help() string {
	return `The commands are for a POSIX shell. They stop at the first that fails, with its exit code.

Exit codes:
  0  the commands are printed
  1  the repository, distribution or package does not exist; the standard error names those that exist
  2  usage
  4  the catalog cannot be reached

Examples:
  ${program} hint acme/tools/ubuntu/jammy
  ${program} hint acme/tools --token-file token`
}

// Run prints the lines of each distribution at or below the target.
func (c *Hint) Run(ctx context.Context, io Stdio) error {
	target := strings.Trim(c.Target, "/")
	if n := strings.Count(target, "/"); n != 1 && n != 3 && n != 4 {
		return command.Usage("target %q: use owner/name/os/version[/component], such as acme/tools/ubuntu/jammy, or owner/name", c.Target)
	}
	if err := CheckTarget(target); err != nil {
		return err
	}
	p := strings.Split(target, "/")
	r, err := ParseRepository(p[0] + "/" + p[1])
	if err != nil {
		return err
	}
	token, err := c.token()
	if err != nil {
		return err
	}
	db, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := db.Settings(ctx, r)
	if err != nil {
		return NotDeclared(ctx, db, r, err)
	}
	targets, err := targetsIn(s, target)
	if err != nil {
		return cmp.Or(WhyNothing(ctx, db, target), err)
	}
	url, table, err := c.client(c.CatalogFlags)
	if err != nil {
		return err
	}
	for i, t := range targets {
		text, err := hintText(ctx, db, url, table, s, t, c.Name, token)
		if err != nil {
			return err
		}
		if i > 0 {
			text = "\n" + text
		}
		fmt.Fprint(io.Out, text)
	}
	return nil
}

func (c *Hint) token() (string, error) {
	if c.TokenFile == "" {
		return c.Token, nil
	}
	text, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", command.Usage("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \t\r\n\"\\") {
		return "", command.Usage("--token-file %s: the file must have one token and nothing else", c.TokenFile)
	}
	return token, nil
}

// A hintTarget is a declared distribution, or one component of it.
type hintTarget struct {
	distribution catalog.Distribution
	below        string // argument of [Installable]
}

// targetsIn returns the distributions of a repository that a target names.
func targetsIn(s catalog.Settings, target string) (all []hintTarget, err error) {
	var known []string
	for _, ds := range s.Distributions {
		id := s.Repository.String() + "/" + ds.Distribution.String()
		known = append(known, id)
		component, inComponent := strings.CutPrefix(target, id+"/")
		switch {
		case inComponent && !slices.Contains(ds.Components, component):
			return nil, fmt.Errorf("%s has no component %q; it has %s", id, component, cmp.Or(strings.Join(ds.Components, ", "), "none"))
		case inComponent:
			all = append(all, hintTarget{ds.Distribution, target})
		case below(id, target):
			all = append(all, hintTarget{ds.Distribution, id})
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if near := layout.Nearest(target, known); near != "" {
		return nil, fmt.Errorf("there is no %s; did you mean %s?", target, near)
	}
	return nil, fmt.Errorf("there is no %s; repomill repo list %s shows the distributions", target, s.Repository)
}

// hintText returns the lines that set up a client of one distribution and install a package; the newest if name is empty.
func hintText(ctx context.Context, db *catalogdb.DB, url string, table *layout.Table, s catalog.Settings, t hintTarget, name, token string) (string, error) {
	distro, rej := table.Lookup(t.distribution)
	if rej != nil {
		return "", command.Usage("%s: %s", t.distribution, rej.Detail)
	}
	packages, err := Installable(ctx, db, s.Repository, t.below)
	if err != nil {
		return "", command.Fault(err)
	}
	pkg := Newest(Without(packages, s.Repository))
	if name != "" {
		var architectures []string
		err := Listing{Target: t.below, Name: name}.Show(ctx, db, func(k catalog.Package) {
			if k.Arch != "src" && k.Arch != "nosrc" {
				architectures = append(architectures, k.Arch)
			}
		})
		if err != nil {
			return "", err
		}
		if len(architectures) == 0 {
			return "", fmt.Errorf("%s in %s is a source package: clients do not install it", name, t.below)
		}
		pkg = setup.Qualified(name, distro.Format, architectures...)
	}
	if pkg, err = WithKeyring(ctx, db, s, distro, pkg); err != nil {
		return "", command.Fault(err)
	}
	return InstallText(url, s, distro, pkg, token), nil
}

// Check returns a usage error for a table that cannot be read, or an invalid URL.
func (f ClientFlags) Check() error {
	if _, err := layout.ReadTable(f.Distributions); err != nil {
		return command.Usage("--distributions: %w", err)
	}
	if f.PublicURL != "" {
		return command.CheckURL("--public-url", f.PublicURL)
	}
	return nil
}

// client returns the URL of the resolver and the table of distributions, from flags or defaults.
func (f ClientFlags) client(at CatalogFlags) (url string, table *layout.Table, err error) {
	if table, err = layout.ReadTable(f.Distributions); err != nil {
		return "", nil, command.Usage("--distributions: %w", err)
	}
	if f.PublicURL != "" {
		return strings.TrimRight(f.PublicURL, "/"), table, command.CheckURL("--public-url", f.PublicURL)
	}
	if at.Catalog != "" {
		return "", nil, command.Usage("--public-url: name the URL under which clients reach the resolver, such as https://packages.example.org")
	}
	url, err = readPublicURL(at.Data)
	return url, table, err
}

// Server returns the URL of the server as far as it is known, for a line that people copy.
func (f ClientFlags) Server(at CatalogFlags) string {
	if url, _, err := f.client(at); err == nil {
		return url
	}
	return "https://SERVER"
}

// publicURLFile is the file of a data folder with the URL of its resolver.
const publicURLFile = "public-url"

// WritePublicURL writes the URL under which clients reach the resolver of a data folder. [Hint] and other commands read it.
func WritePublicURL(data, url string) error {
	return os.WriteFile(filepath.Join(data, publicURLFile), []byte(url+"\n"), 0o644)
}

func readPublicURL(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, publicURLFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", command.Usage("--public-url: no repomill up has run on %s yet; name the URL under which clients reach the resolver", data)
	}
	if err != nil {
		return "", command.Fault(err)
	}
	url := strings.TrimSpace(string(text))
	return url, command.CheckURL(publicURLFile, url)
}

// maxShown is the number of distributions for which PrintSetup prints lines.
const maxShown = 3

// PrintSetup prints how clients use a new token of a private repository: the lines of up to three distributions, and for more,
// or if they cannot be made, a reference to hint. It prints nothing for a public repository.
func (f ClientFlags) PrintSetup(ctx context.Context, w io.Writer, at CatalogFlags, db *catalogdb.DB, s catalog.Settings, token string) {
	if s.Visibility != catalog.Private {
		return
	}
	url, table, err := f.client(at)
	targets, none := targetsIn(s, s.Repository.String())
	for i, t := range targets {
		if err != nil || i == maxShown {
			break
		}
		text := ""
		if text, err = hintText(ctx, db, url, table, s, t, "", token); err == nil {
			fmt.Fprintf(w, "\n%s", text)
		}
	}
	if err != nil || none != nil || len(targets) > maxShown {
		fmt.Fprintf(w, "\nrepomill hint %s/OS/VERSION --token-file FILE prints how clients of a distribution use it.\n", s.Repository)
	}
}
