package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type statsCmd struct {
	Show statsShowCmd `cmd:"" default:"withargs" help:"Print how often packages were downloaded."`
	Run  statsRunCmd  `cmd:"" help:"Count downloads in logs of CloudFront, nginx or Apache."`
}

// Help refers to the helps of its commands.
func (statsCmd) Help() string {
	return `repomill stats is short for repomill stats show. Downloads are those that repomill stats run, or repomill-beam stats, has counted in logs.

` + listHelp
}

type statsShowCmd struct {
	catalogFlags
	Target  string `arg:"" optional:"" help:"Only what is below owner[/name[/os[/version]]]."`
	By      string `default:"package" enum:"repository,package,version,distribution,day,client,country,legacy" help:"What downloads are summed up by: repository, package, version, distribution, day, client, country, or legacy, the rule of an old URL."`
	Package string `placeholder:"NAME[=VERSION]" help:"Only this package."`
	Since   period `default:"30d" help:"From how long ago on, in whole days."`
	Limit   int    `default:"50" help:"Largest number of rows; 0 for all."`
	JSON    bool   `name:"json" help:"Print one JSON object a line."`
}

// Help describes the columns.
func (statsShowCmd) Help() string {
	return `Prints downloads of whole packages, the largest number first; by day, in order. Days are UTC. Counts that are older than the --keep of
repomill stats run are of months. By legacy, requests of old URLs are printed that servers answered with a redirect, too.

` + listHelp + `

Examples:
  repomill stats acme/tools --since 90d --by version --package hello
  repomill stats show --by client --json`
}

// statsFields are the fields of each value of --by, and the headings of their columns.
var statsFields = map[string]struct {
	fields   []catalog.StatisticsField
	headings []string
}{
	"repository":   {[]catalog.StatisticsField{catalog.ByRepository}, []string{"repository"}},
	"package":      {[]catalog.StatisticsField{catalog.ByRepository, catalog.ByPackage}, []string{"repository", "package"}},
	"version":      {[]catalog.StatisticsField{catalog.ByRepository, catalog.ByPackage, catalog.ByVersion, catalog.ByArch}, []string{"repository", "package", "version", "arch"}},
	"distribution": {[]catalog.StatisticsField{catalog.ByRepository, catalog.ByDistribution}, []string{"repository", "distribution"}},
	"day":          {[]catalog.StatisticsField{catalog.ByDay}, []string{"day"}},
	"client":       {[]catalog.StatisticsField{catalog.ByClient, catalog.ByClientVersion}, []string{"client", "client_version"}},
	"country":      {[]catalog.StatisticsField{catalog.ByCountry}, []string{"country"}},
	"legacy":       {[]catalog.StatisticsField{catalog.ByRepository, catalog.ByLegacy}, []string{"repository", "legacy"}},
}

// Run prints sums.
func (c *statsShowCmd) Run(ctx context.Context, io stdio) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if q.Name != "" {
		r := catalog.Repository{Owner: q.Owner, Name: q.Name}
		if _, err := db.Settings(ctx, r); err != nil {
			return client.NotDeclared(ctx, db, r, err)
		}
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	q.Since = catalogdb.DayOf(now.Add(-time.Duration(c.Since)))
	rows, err := db.Downloads(ctx, q)
	if err != nil {
		return command.Fault(err)
	}
	var requests []catalog.StatisticsRow
	if c.By == "legacy" && c.Package == "" {
		if requests, err = db.Requests(ctx, q, catalog.RedirectRequest); err != nil {
			return command.Fault(err)
		}
	}
	c.print(io, rows, requests)
	return nil
}

func (c *statsShowCmd) query() (q catalog.StatisticsQuery, err error) {
	q = catalog.StatisticsQuery{By: statsFields[c.By].fields, Limit: c.Limit}
	if c.Limit < 0 {
		return q, command.Usage("--limit %d: use 0 for all rows, or a number of rows", c.Limit)
	}
	p := strings.Split(strings.Trim(c.Target, "/"), "/")
	if len(p) > 4 {
		return q, command.Usage("target %q: use owner[/name[/os[/version]]]", c.Target)
	}
	for i, to := range []*string{&q.Owner, &q.Name, &q.OS, &q.OSVersion} {
		if i < len(p) {
			*to = p[i]
		}
	}
	if c.Target != "" {
		if err := client.CheckTarget(strings.Trim(c.Target, "/")); err != nil {
			return q, err
		}
	}
	q.Package, q.Version, _ = strings.Cut(c.Package, "=")
	return q, nil
}

func (c *statsShowCmd) print(io stdio, downloads, requests []catalog.StatisticsRow) {
	headings := statsFields[c.By].headings
	if c.JSON {
		printSums(io, headings, "downloads", downloads)
		printSums(io, headings, "redirects", requests)
		return
	}
	if len(downloads)+len(requests) == 0 {
		fmt.Fprintln(io.out, "no downloads are counted since then (repomill stats run counts them in logs)")
		return
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	printTable(w, headings, "downloads", downloads)
	printTable(w, headings, "redirects", requests)
}

func printTable(w *tabwriter.Writer, headings []string, counted string, rows []catalog.StatisticsRow) {
	if len(rows) == 0 {
		return
	}
	heading := strings.Join(append(append([]string{}, headings...), counted), "\t")
	fmt.Fprintln(w, strings.ToUpper(strings.ReplaceAll(heading, "_", " ")))
	for _, r := range rows {
		cells := make([]string, 0, len(r.Values)+1)
		for _, v := range r.Values {
			if v == "" {
				v = "-"
			}
			cells = append(cells, command.Printable(v))
		}
		fmt.Fprintln(w, strings.Join(append(cells, strconv.FormatInt(r.Count, 10)), "\t"))
	}
}

func printSums(io stdio, headings []string, counted string, rows []catalog.StatisticsRow) {
	for _, r := range rows {
		object := map[string]any{counted: r.Count}
		for i, h := range headings {
			object[h] = r.Values[i]
		}
		printJSON(io, object)
	}
}
