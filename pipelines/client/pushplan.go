package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A plan has the uploads of a push: each file to each target of its format.
type plan struct {
	table *layout.Table
	ups   []*pushed
}

// A pushTarget is one target of the command line.
type pushTarget struct {
	path   string
	format catalog.Format // empty if the table does not have the distribution; the table of the server may
	name   string         // of the distribution
}

// plan checks the arguments, and returns an upload for each file and target. Each upload has a new ID, so that pushes of the
// same name are separate uploads.
func (c *Push) plan(io Stdio) (plan, error) {
	if c.Retries < 0 {
		return plan{}, command.Usage("--retries %d: use 0 or more", c.Retries)
	}
	if c.Train != "" {
		if err := layout.CheckTrain(c.Train); err != nil {
			return plan{}, command.Usage("--%w", err)
		}
	}
	if c.IfAbsent && c.Train != "" {
		return plan{}, command.Usage("--if-absent and --train: name one of them; a train takes the place of what is published")
	}
	if c.Embargo && c.Train == "" {
		return plan{}, command.Usage("--embargo holds back a release train: add --train NAME")
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return plan{}, command.Usage("--distributions: %w", err)
	}
	targets, err := parseTargets(c.Target, table)
	if err != nil {
		return plan{}, err
	}
	files, err := c.expand(io, targets)
	if err != nil {
		return plan{}, err
	}
	p := plan{table: table}
	for _, f := range files {
		n := len(p.ups)
		for _, t := range targets {
			if f.format != "" && t.format != "" && f.format != t.format {
				if f.named {
					return p, command.Usage("%s is a package of the format %s, but %s takes %s; push it to a distribution of its own format", f.path, f.format, t.name, t.format)
				}
				continue // of a folder: for another target
			}
			name := layout.StagedTrainName(layout.NewID(), c.Train, filepath.Base(f.path))
			if c.IfAbsent {
				name = layout.StagedIfAbsentName(layout.NewID(), filepath.Base(f.path))
			}
			object := t.path + "/" + name
			if c.Embargo {
				object = layout.EmbargoedStaging(object)
			}
			p.ups = append(p.ups, &pushed{file: f.path, target: t.path, object: object})
		}
		if len(p.ups) == n {
			fmt.Fprintf(io.Err, "skipped: %s: no target takes packages of the format %s\n", command.Printable(f.path), f.format)
		}
	}
	if len(p.ups) == 0 {
		return p, command.Usage("%s: there is no package for %s", strings.Join(c.Files, " "), c.Target)
	}
	return p, nil
}

func parseTargets(list string, table *layout.Table) (targets []pushTarget, err error) {
	for _, one := range strings.Split(list, ",") {
		path := strings.Trim(one, "/")
		if n := strings.Count(path, "/"); n != 3 && n != 4 || layout.Hidden(path) || strings.Contains(path, "//") {
			return nil, command.Usage("target %q: use owner/name/os/version[/component], such as acme/tools/ubuntu/jammy", one)
		}
		if _, rej := layout.ParseStaging(path + "/file"); rej != nil {
			return nil, command.Usage("target %q: %s", one, rej.Detail)
		}
		if slices.ContainsFunc(targets, func(t pushTarget) bool { return t.path == path }) {
			continue
		}
		part := strings.Split(path, "/")
		t := pushTarget{path: path, name: part[2] + "/" + part[3]}
		if distro, rej := table.Lookup(catalog.Distribution{OS: part[2], Version: part[3]}); rej == nil {
			t.format = distro.Format
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// A foundFile is a file that the arguments name.
type foundFile struct {
	path   string
	format catalog.Format // by its first bytes; empty if they have none
	named  bool           // in the arguments, and not found in a folder
}

// expand returns the files that the arguments name, directly, by a pattern or by their folder. It returns each file once.
func (c *Push) expand(io Stdio, targets []pushTarget) (files []foundFile, err error) {
	add := func(path string, named bool) error {
		if slices.ContainsFunc(files, func(f foundFile) bool { return filepath.Clean(f.path) == filepath.Clean(path) }) {
			return nil
		}
		if err := checkFile(path); err != nil {
			return err
		}
		files = append(files, foundFile{path, formatOf(path), named})
		return nil
	}
	var empty []emptyFolder
	for _, arg := range c.Files {
		paths, pattern, err := matches(arg)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				found, err := walk(io, path, func(p string) error { return add(p, false) })
				if err != nil {
					return nil, err
				}
				if found == 0 {
					empty = append(empty, emptyFolder{path, pattern})
				}
				continue
			}
			if err := add(path, true); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range empty {
		if !e.matched || len(files) == 0 {
			return nil, command.Usage("%s: there is no .deb, .ddeb or .rpm in this folder", e.path)
		}
		fmt.Fprintf(io.Err, "skipped: %s: there is no .deb, .ddeb or .rpm in this folder\n", command.Printable(e.path))
	}
	return files, nil
}

// An emptyFolder is a folder without packages. It is an error if an argument names it, and is skipped if a pattern matched it
// together with packages.
type emptyFolder struct {
	path    string
	matched bool
}

// matches returns the argument itself or, if it is a pattern and not the name of a file, the files that match it.
func matches(arg string) (paths []string, pattern bool, err error) {
	if _, err := os.Lstat(arg); err == nil || !strings.ContainsAny(arg, "*?[") {
		return []string{arg}, false, nil
	}
	if paths, err = filepath.Glob(arg); err != nil {
		return nil, true, command.Usage("%s: %w", arg, err)
	}
	if len(paths) == 0 {
		return nil, true, command.Usage("%s matches no file", arg)
	}
	return paths, true, nil
}

// walk calls add for each package below a folder, in the order of their names, and prints which other files it skips.
func walk(io Stdio, dir string, add func(path string) error) (found int, err error) {
	others := []string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		hidden := path != dir && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil:
			return command.Usage("%w", err)
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir():
			return nil
		case !slices.Contains([]string{".deb", ".ddeb", ".rpm"}, filepath.Ext(path)):
			others = append(others, path)
			return nil
		}
		found++
		return add(path)
	})
	if err != nil {
		return found, err
	}
	for i, path := range others {
		if i == 10 {
			fmt.Fprintf(io.Err, "skipped: %d more in %s\n", len(others)-i, command.Printable(dir))
			break
		}
		fmt.Fprintf(io.Err, "skipped: %s: its name ends in none of .deb, .ddeb and .rpm\n", command.Printable(path))
	}
	return found, nil
}

// checkFile returns a usage error for a file that cannot be uploaded.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "-":
		return command.Usage("-: the standard input has no name, and so cannot be staged; write it to a file, and name that")
	case errors.Is(err, fs.ErrNotExist):
		return command.Usage("there is no file %s: name packages, folders with packages, or a quoted pattern such as 'dist/*.deb'", path)
	case err != nil:
		return command.Usage("%w", err)
	}
	switch name := filepath.Base(path); {
	case !info.Mode().IsRegular():
		return command.Usage("%s is a device, pipe or socket: write the package to a file, and name that", path)
	case strings.HasPrefix(name, "."):
		return command.Usage("%s: names that start with a dot are ignored in staging; rename the file", path)
	}
	return nil
}
