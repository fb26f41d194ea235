package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines/command"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A seenState is what a client sees of a package.
type seenState string

const (
	seenThere       seenState = "there"       // it is listed, and its file is there
	seenUnlisted    seenState = "unlisted"    // the index does not have it, or there is no release
	seenBroken      seenState = "broken"      // it is listed and cannot be installed, or clients refuse the release
	seenUnreachable seenState = "unreachable" // nothing is known
)

// A sighting is what a client saw of a package, just now.
type sighting struct {
	State    seenState `json:"state"`
	Revision int64     `json:"revision,omitempty"` // of the pointer that the client got
	URL      string    `json:"url"`                // of the pointer, without a token
	Detail   string    `json:"detail,omitempty"`   // if it is not what the catalog says
}

// verifyWorkers is how many releases are read at the same time.
const verifyWorkers = 8

// verify looks for packages through the public URL, and sets what is seen of each. unread says that a release could not be
// read; other errors are those of the command line, or of the catalog.
func (c *Status) verify(ctx context.Context, db *catalogdb.DB, r catalog.Repository, w *whereabouts) (unread, err error) {
	v := verification{repository: r}
	if v.site, _, err = (ClientFlags{PublicURL: c.PublicURL}).client(c.CatalogFlags); err != nil {
		return nil, err
	}
	if c.TokenFile != "" {
		if v.token, err = readToken(c.TokenFile); err != nil {
			return nil, err
		}
	}
	s, err := db.Settings(ctx, r)
	if err != nil {
		return nil, command.Fault(err)
	}
	if s.Visibility == catalog.Private && v.token == "" {
		return nil, command.Usage("--verify: %s is private: name a file with a token that opens it with --token-file; repomill token create makes one", r)
	}
	if v.keys, err = v.keyring(ctx); err != nil {
		return nil, command.Fault(fmt.Errorf("--verify: the public keys at %s/%s: %w", v.site, layout.GPGKeyKey(r), err))
	}
	byRelease := map[catalog.Release][]*placement{}
	w.site = v.site
	for i := range w.rows {
		if row := &w.rows[i]; row.Package != "" && row.pkg.State != "" {
			byRelease[row.release] = append(byRelease[row.release], row)
		}
	}
	var mu sync.Mutex
	var failed []error
	var g errgroup.Group
	g.SetLimit(verifyWorkers)
	for release, some := range byRelease {
		g.Go(func() error {
			if err := v.look(ctx, release, some); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
	if len(failed) > 0 {
		unread = fmt.Errorf("%d of %s could not be read: %w", len(failed), layout.Counted(len(byRelease), "release"), failed[0])
	}
	w.count()
	return unread, nil
}

// A verification looks at a repository as a client does.
type verification struct {
	repository  catalog.Repository
	site, token string // the URL of the resolver, without a slash at its end; the token may be empty
	keys        sign.Keyring
}

// tree returns what is below the URL of the repository.
func (v verification) tree() check.Tree {
	site := v.site
	if scheme, host, _ := strings.Cut(site, "://"); v.token != "" {
		site = scheme + "://" + url.UserPassword(v.token, "").String() + "@" + host
	}
	return check.URL(&http.Client{Transport: auditTransport()}, site+"/"+v.repository.String())
}

// keyring returns the keys that the repository gives to clients.
func (v verification) keyring(ctx context.Context) (sign.Keyring, error) {
	body, err := v.tree().Open(ctx, strings.TrimPrefix(layout.GPGKeyKey(v.repository), v.repository.String()+"/"))
	if err != nil {
		return sign.Keyring{}, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return sign.Keyring{}, err
	}
	return sign.ReadKeyring(text)
}

// look sets what is seen of rows of one release. The error is that of a release that could not be read.
func (v verification) look(ctx context.Context, r catalog.Release, rows []*placement) error {
	sought := make([]check.Sought, len(rows))
	for i, row := range rows {
		sought[i] = check.Sought{Component: row.Component, Name: row.Name, Version: row.Version, Arch: row.Arch}
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	revision, looks, err := check.LookFor(ctx, v.tree(), foundOf(r), v.keys, sought, check.Options{Now: time.Now()})
	s := sighting{Revision: revision.Number, URL: v.site + "/" + layout.PointerKey(r)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.State = seenUnlisted
	case errors.Is(err, check.ErrRefused):
		s.State, s.Detail = seenBroken, err.Error()
	case err != nil:
		s.State, s.Detail = seenUnreachable, "it could not be looked at: "+err.Error()
	}
	for i, row := range rows {
		seen := s
		if err == nil {
			seen.judge(looks[i], row)
		}
		if seen.State == seenUnlisted && row.State == placeOut {
			seen.Detail = fmt.Sprintf("clients do not see it: they get revision %d, and the latest is %d", s.Revision, row.Published)
			if s.Revision == 0 {
				seen.Detail = "clients do not see it: the server has no release there"
			}
		}
		row.Seen = &seen
	}
	if s.State == seenUnreachable {
		return fmt.Errorf("%s/%s/%w", v.site, v.repository, err) // it begins with the path
	}
	return nil
}

// judge compares what is seen with what the catalog says.
func (s *sighting) judge(look check.Look, row *placement) {
	switch {
	case !look.Listed:
		s.State = seenUnlisted
	case look.Fault != nil:
		s.State, s.Detail = seenBroken, fmt.Sprintf("clients cannot get it: %s %s", look.Key, look.Fault)
	case look.SHA256 != row.pkg.File.SHA256:
		s.State, s.Detail = seenBroken, "clients get other bytes: the index has SHA-256 "+look.SHA256
	case row.State == placeOut:
		s.State = seenThere
	default:
		s.State, s.Detail = seenThere, fmt.Sprintf("clients see it in revision %d", s.Revision)
	}
}
