package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
)

type checkCmd struct {
	Tree    string `arg:"" help:"Folder with published repositories (such as DATA/bucket or a mirror), or the URL of one release: .../dists/<codename> or the baseurl of an RPM repository."`
	Keyring string `required:"" type:"path" help:"File with the public keys that clients trust, such as the repository's gpgkey."`
	Quick   bool   `help:"Do not read the package files, only look whether they are there in the right size."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (checkCmd) Help() string {
	return `Exit codes: 0 sound, 1 faulty, 2 usage, 4 cannot be read.`
}

// A checkReport is what check prints.
type checkReport struct {
	Releases []check.Release `json:"releases"`
	Problems []check.Problem `json:"problems"`
}

// Run reads the tree and prints what it found.
func (c *checkCmd) Run(ctx context.Context, io stdio) error {
	armored, err := os.ReadFile(c.Keyring)
	if err != nil {
		return command.Usage("--keyring: %w", err)
	}
	keyring, err := sign.ReadKeyring(armored)
	if err != nil {
		return command.Usage("--keyring %s: %w", c.Keyring, err)
	}
	tree, found, err := c.find()
	if err != nil {
		return err
	}
	report := checkReport{Releases: []check.Release{}, Problems: []check.Problem{}}
	opt := check.Options{Content: !c.Quick, Now: time.Now()}
	for _, f := range found {
		var rel check.Release
		var problems []check.Problem
		if f.Format == catalog.DEB {
			rel, problems, err = check.Apt(ctx, tree, f.Base, f.Codename, keyring, opt)
		} else {
			rel, problems, err = check.RPM(ctx, tree, f.Base, keyring, opt)
		}
		if err != nil {
			return command.Fault(err)
		}
		report.Releases = append(report.Releases, rel)
		report.Problems = append(report.Problems, problems...)
	}
	c.print(io, report)
	if len(report.Problems) > 0 {
		return fmt.Errorf("%d problems", len(report.Problems))
	}
	return nil
}

// find returns the tree and the releases to read in it.
func (c *checkCmd) find() (check.Tree, []check.Found, error) {
	if strings.HasPrefix(c.Tree, "http://") || strings.HasPrefix(c.Tree, "https://") {
		root, f := releaseAt(c.Tree)
		return check.URL(&http.Client{}, root), []check.Found{f}, nil
	}
	if info, err := os.Stat(c.Tree); err != nil || !info.IsDir() {
		return nil, nil, command.Fault(fmt.Errorf("%s is not a folder that can be read", c.Tree))
	}
	found, err := check.Find(os.DirFS(c.Tree))
	if err != nil {
		return nil, nil, command.Fault(err)
	}
	if len(found) > 0 {
		return check.Dir(c.Tree), found, nil
	}
	root, f := releaseAt(c.Tree) // of one release: it has its pointer here, or it is not one
	if _, err := os.Stat(path.Join(c.Tree, "InRelease")); f.Format != catalog.DEB || err != nil {
		return nil, nil, command.Fault(fmt.Errorf("there is no release below %s", c.Tree))
	}
	return check.Dir(root), []check.Found{f}, nil
}

// releaseAt splits the place of one release into a root and what is below it.
func releaseAt(place string) (root string, f check.Found) {
	place = strings.TrimRight(place, "/")
	place = strings.TrimSuffix(strings.TrimSuffix(place, "/InRelease"), "/repodata/repomd.xml")
	if i := strings.LastIndex(place, "/dists/"); i >= 0 {
		return place[:i], check.Found{Format: catalog.DEB, Codename: place[i+len("/dists/"):]}
	}
	return place, check.Found{Format: catalog.RPM}
}

func (c *checkCmd) print(io stdio, r checkReport) {
	if c.JSON {
		printJSON(io, r)
		return
	}
	for _, rel := range r.Releases {
		fmt.Fprintf(io.out, "%s: revision %d of %s, %d packages, %d indexes\n", cmp.Or(rel.Name, c.Tree), rel.Revision.Number, rel.Date.Format(time.RFC3339), rel.Packages, rel.Indexes)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(io.out, "%s: %s\n", command.Printable(p.Path), p.Detail)
	}
}
