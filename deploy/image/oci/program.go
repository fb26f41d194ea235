package main

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// machines are the architectures that images are made for, by the names that Go and OCI have for them.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// A program is a file that an image has in /usr/local/bin.
type program struct {
	name       string
	body, bill []byte // the file, and its bill of materials in CycloneDX's JSON
	version    string // of its module
	revision   string // commit, or ""
	time       time.Time
}

// readProgram reads a program for an architecture of Linux, and refuses one that an image without libraries cannot run.
func readProgram(folder, name, architecture string) (program, error) {
	path := filepath.Join(folder, "linux-"+architecture, name)
	p := program{name: name, time: time.Unix(0, 0).UTC()}
	if err := runnable(path, architecture); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return p, err
	}
	p.version = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.revision = s.Value
		case "vcs.time":
			if p.time, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return p, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if p.body, err = os.ReadFile(path); err != nil {
		return p, err
	}
	p.bill, err = os.ReadFile(path + ".cdx.json")
	return p, err
}

// runnable reports why a file is not a static program for an architecture.
func runnable(path, architecture string) error {
	file, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if want, known := machines[architecture]; !known || file.Machine != want {
		return fmt.Errorf("it is for %v, not for %s: set GOARCH=%[2]s when you build it", file.Machine, architecture)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return errors.New("it needs libraries, and the image has none: set CGO_ENABLED=0 when you build it")
		}
	}
	return nil
}

// architectures returns those that a folder has programs for, in the order of their names.
func architectures(folder string) (found []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if a, is := strings.CutPrefix(e.Name(), "linux-"); is && e.IsDir() {
			if _, known := machines[a]; !known {
				return nil, fmt.Errorf("%s: no images are made for %s", filepath.Join(folder, e.Name()), a)
			}
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no folder linux-ARCHITECTURE: %w", folder, fs.ErrNotExist)
	}
	return found, nil
}
