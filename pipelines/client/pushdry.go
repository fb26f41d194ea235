package client

import (
	"context"
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// acceptable is the state of a package that passes all checks that need no catalog.
const acceptable catalog.UploadState = "acceptable"

// A dryVerdict is a line of --dry-run --json.
type dryVerdict struct {
	File    string              `json:"file"`
	Target  string              `json:"target"`
	State   catalog.UploadState `json:"state"` // acceptable, or rejected
	Reason  catalog.Reason      `json:"reason,omitempty"`
	Detail  string              `json:"detail,omitempty"`
	Package string              `json:"package,omitempty"` // name version architecture
	SHA256  string              `json:"sha256,omitempty"`
	Size    int64               `json:"size,omitempty"`
}

// dryRun prints the verdicts that the server would give.
func (c *Push) dryRun(ctx context.Context, io Stdio, plan plan) error {
	v := newVerifier(plan.table)
	for _, p := range plan.ups {
		d, err := v.dry(ctx, p)
		if err != nil {
			return err
		}
		p.verdict.State = d.State
		if c.JSON {
			PrintJSON(io.Out, d)
		}
		switch {
		case d.State == catalog.Rejected:
			fmt.Fprintf(io.Err, "%s: would be rejected by %s: %s: %s\n", command.Printable(d.File), d.Target, d.Reason, command.Printable(d.Detail))
		case !c.JSON:
			fmt.Fprintf(io.Out, "%s: acceptable for %s: %s\n", command.Printable(d.File), d.Target, command.Printable(d.Package))
		}
	}
	c.summarize(io, plan.ups)
	return exitOf(plan.ups)
}

// dry checks one file. A target that the table does not have is a rejection.
func (v *verifier) dry(ctx context.Context, p *pushed) (dryVerdict, error) {
	d := dryVerdict{File: p.file, Target: p.target, State: acceptable}
	at, rej := layout.ParseStaging(p.object)
	var distro layout.Distro
	if rej == nil {
		distro, rej = v.table.Lookup(at.Distribution)
	}
	if rej == nil {
		got, err := v.examine(ctx, p.file, at, distro)
		if err != nil {
			return d, err
		}
		if rej = got.rej; rej == nil {
			d.Package = got.pkg.Name + " " + got.pkg.Version + " " + got.pkg.Arch
			d.SHA256, d.Size = got.pkg.File.SHA256, got.pkg.File.Size
		}
	}
	if rej != nil {
		d.State, d.Reason, d.Detail = catalog.Rejected, rej.Reason, rej.Detail
	}
	return d, nil
}
