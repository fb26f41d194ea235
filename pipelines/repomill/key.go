package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/publish/keys"
	"repomill/publish/sign"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type keyCmd struct {
	List    keyListCmd    `cmd:"" help:"List signing, standby and retired keys."`
	Status  keyStatusCmd  `cmd:"" help:"Check the keys: expiry, keys that cannot sign, releases that are not signed yet."`
	Plan    keyPlanCmd    `cmd:"" help:"Print the next step of a key change, when it is safe, and its effect on clients."`
	Add     keyAddCmd     `cmd:"" help:"Add a standby key. Clients get it before it signs."`
	Promote keyPromoteCmd `cmd:"" help:"Sign all releases with a standby key, beside the other keys."`
	Extend  keyExtendCmd  `cmd:"" help:"Give a key a later expiry date."`
	Retire  keyRetireCmd  `cmd:"" help:"Stop signing with a key."`
}

// Help describes the steps of a key change.
func (keyCmd) Help() string {
	return `To replace a key:
  repomill key add              adds a standby key, which clients get with their next downloads
  repomill key promote NEW      30 days later: the key signs all releases, beside the old key
  repomill key retire OLD       once clients have the new key: repomill key plan prints the date
Workers sign the releases again without a push. No index is rendered, and clients download no index again.`
}

// keyFlags name the catalog and the bucket whose releases the keys sign.
type keyFlags struct {
	catalogFlags
	Bucket        string `placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket, if it is not in --data."`
	Distributions string `type:"path" help:"JSON file with more distributions, if the workers have one."`
}

// A keySite has what the commands for keys share: catalog, bucket and the list of keys.
type keySite struct {
	db     *catalogdb.DB
	bucket objects.Bucket
	all    pipelines.Signers       // read when the command began
	used   pipelines.Distributions // with published packages
}

// open opens the catalog and the bucket, and reads the keys.
func (f keyFlags) open(ctx context.Context) (*keySite, error) {
	if (f.Catalog == "") != (f.Bucket == "") {
		return nil, command.Usage("name both --catalog and --bucket, or only the folder of repomill up with --data")
	}
	table, err := layout.ReadTable(f.Distributions)
	if err != nil {
		return nil, command.Usage("--distributions: %w", err)
	}
	db, err := f.openToChange(ctx)
	if err != nil {
		return nil, err
	}
	bucket, err := f.openBucket(ctx)
	if err != nil {
		db.Close() //nolint:errcheck // nothing was done
		return nil, err
	}
	s := &keySite{db: db, bucket: bucket}
	if s.all, err = s.signers(ctx); err == nil {
		if s.used, err = pipelines.ReadDistributions(ctx, db, table); err != nil {
			err = command.Fault(err)
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openBucket opens the bucket that the flags name.
func (f keyFlags) openBucket(ctx context.Context) (objects.Bucket, error) {
	return openBucket(ctx, cmp.Or(f.Bucket, "file://"+f.Data+"/bucket"))
}

func (s *keySite) close() {
	s.bucket.Close() //nolint:errcheck // at the end
	s.db.Close()     //nolint:errcheck // likewise
}

// signers reads the keys, and which of them should sign now.
func (s *keySite) signers(ctx context.Context) (pipelines.Signers, error) {
	all, err := pipelines.ReadSigners(ctx, s.bucket, s.db)
	if err == nil && all.Set.Revision == 0 {
		return all, fmt.Errorf("there is no list of keys yet: a worker (or repomill up) creates it when it starts")
	}
	if err != nil {
		return all, command.Fault(err)
	}
	return all, nil
}

type keyListCmd struct {
	keyFlags
	JSON bool `name:"json" help:"Print one JSON object per line."`
}

// Help has examples.
func (keyListCmd) Help() string {
	return `Examples:
  repomill key list
  repomill key list --catalog mysql://mill@db/mill?password-file=/etc/mill/password --bucket s3://out?region=eu-west-1` + keyLookHelp
}

// A keyLine is a key as key list prints it.
type keyLine struct {
	Fingerprint string     `json:"fingerprint"`
	Role        keys.Role  `json:"role"`
	Algorithm   string     `json:"algorithm"`
	Created     time.Time  `json:"created"`
	Expires     *time.Time `json:"expires,omitempty"`
	Since       time.Time  `json:"since"`
	Releases    int        `json:"releases"` // published with a signature by the key
	Problem     string     `json:"problem,omitempty"`
	Notices     []string   `json:"notices,omitempty"` // which clients cannot read the key, or will refuse it
}

// note returns the problem of a key or, if it has none, its notices.
func (l keyLine) note() string {
	if l.Problem != "" || len(l.Notices) == 0 {
		return l.Problem
	}
	return "notice: " + strings.Join(l.Notices, "; ")
}

// Run prints signing, standby and retired keys.
func (c *keyListCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	lines, err := s.lines(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	for i, l := range lines {
		if c.JSON {
			printJSON(io, l)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "KEY\tROLE\tALGORITHM\tEXPIRES\tSINCE\tRELEASES\tPROBLEM")
		}
		expires := "never"
		if l.Expires != nil {
			expires = l.Expires.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", l.Fingerprint, l.Role, l.Algorithm, expires, l.Since.Format(time.DateOnly), l.Releases, l.note())
	}
	return w.Flush()
}

func (s *keySite) lines(ctx context.Context) ([]keyLine, error) {
	signatures, err := s.db.Signatures(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	var lines []keyLine
	for _, k := range s.all.Set.With(keys.Signing, keys.Standby, keys.Retired) {
		l := keyLine{Fingerprint: k.Fingerprint, Role: k.Role, Since: k.Since(), Problem: s.all.Problem(k), Notices: keyNotices(k, s.used)}
		if public, err := sign.ReadPublic([]byte(k.Public)); err == nil {
			l.Algorithm, l.Created = public[0].Algorithm, public[0].Created
			if end := public[0].Expires; !end.IsZero() {
				l.Expires = &end
			}
		}
		for _, g := range signatures {
			if signers, _, _ := strings.Cut(g.By, " "); strings.Contains(signers, k.Fingerprint) {
				l.Releases += g.Releases
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}
