package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"repomill/testdata/deploytest"
)

// A dashboard is what Grafana imports, as far as it is looked at here.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Type, Query string }
	}
}

type panel struct {
	ID                       int
	Title, Type, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ Expr, RefID string }
}

// datasource is the variable by which an operator chooses his Prometheus.
const datasource = "${datasource}"

func dashboards(t testing.TB) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]dashboard{}
	for _, f := range files {
		var d dashboard
		if err := json.Unmarshal([]byte(read(t, f)), &d); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[f] = d
	}
	return all
}

// panelExprs returns the expressions of all panels, with Grafana's variables as Grafana sets them.
func panelExprs(t testing.TB) map[string]string {
	exprs := map[string]string{}
	for file, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				exprs[fmt.Sprintf("%s: %s %s", file, p.Title, target.RefID)] = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h").Replace(target.Expr)
			}
		}
	}
	return exprs
}

func TestDashboards(t *testing.T) {
	all := dashboards(t)
	if len(all) != 4 {
		t.Errorf("%d dashboards, want 4", len(all))
	}
	uids := map[string]string{}
	for file, d := range all {
		report(t, wrong(file, d))
		if other := uids[d.UID]; other != "" {
			t.Errorf("%s and %s have one uid", file, other)
		}
		uids[d.UID] = file
	}
}

// Prometheus takes the expressions of all panels.
func TestDashboardExpressionsParse(t *testing.T) {
	promtool := deploytest.Tool(t, "promtool")
	deploytest.Record(t, deploytest.Row{
		Files: "monitoring/dashboards/*.json", Check: "promtool parses each expression; ids, grid, units, data source", Tool: version(t, promtool), CannotShow: "how Grafana draws them",
	})
	if err := parse(t, promtool, panelExprs(t)); err != nil {
		t.Error(err)
	}
	if err := parse(t, promtool, map[string]string{"a panel": "sum(rate(x[5m])"}); err == nil {
		t.Error("an expression without its end parses")
	}
}

// parse has promtool read expressions, as those of recording rules.
func parse(t testing.TB, promtool string, exprs map[string]string) error {
	t.Helper()
	type recording struct{ Record, Expr string }
	type group struct {
		Name  string
		Rules []recording
	}
	g, i := group{Name: "panels"}, 0
	for _, expr := range exprs {
		i++
		g.Rules = append(g.Rules, recording{fmt.Sprintf("panel:%d", i), expr})
	}
	body, err := yaml.Marshal(map[string][]group{"groups": {g}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "panels.yml")
	write(t, file, string(body))
	if out, err := exec.Command(promtool, "check", "rules", file).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// wrong returns what is wrong with a dashboard besides its expressions.
func wrong(file string, d dashboard) (problems []string) {
	bad := func(format string, args ...any) { problems = append(problems, file+": "+fmt.Sprintf(format, args...)) }
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 || len(d.Panels) == 0 {
		bad("uid %q, title %q, schema version %d, %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	variable := false
	for _, v := range d.Templating.List {
		variable = variable || v.Name == "datasource" && v.Type == "datasource" && v.Query == "prometheus"
	}
	if !variable {
		bad("no variable for the data source")
	}
	for i, p := range d.Panels {
		for _, other := range d.Panels[:i] {
			if p.ID == other.ID {
				bad("%q and %q have one id", p.Title, other.Title)
			}
			if a, b := p.GridPos, other.GridPos; a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				bad("%q lies on %q", p.Title, other.Title)
			}
		}
		g := p.GridPos
		switch {
		case p.Title == "":
			bad("panel %d has no title", p.ID)
		case g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24:
			bad("%q is outside of the grid", p.Title)
		case p.Type == "row":
			continue
		case p.FieldConfig.Defaults.Unit == "":
			bad("%q has no unit", p.Title)
		case p.Datasource.Type != "prometheus" || p.Datasource.UID != datasource:
			bad("%q has a fixed data source", p.Title)
		case len(p.Targets) == 0:
			bad("%q shows nothing", p.Title)
		case slices.ContainsFunc(p.Targets, func(t struct{ Expr, RefID string }) bool { return t.Expr == "" || t.RefID == "" }):
			bad("%q has a target without an expression or a refId", p.Title)
		}
	}
	return problems
}

func TestWrongDashboardsAreFound(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		change func(*dashboard)
		want   string
	}{
		{"a good one", func(*dashboard) {}, ""},
		{"two panels with one id", func(d *dashboard) { d.Panels[1].ID = d.Panels[0].ID }, "have one id"},
		{"panels that overlap", func(d *dashboard) { d.Panels[1].GridPos = d.Panels[0].GridPos }, "lies on"},
		{"a panel beyond the grid", func(d *dashboard) { d.Panels[1].GridPos.X = 20 }, "outside of the grid"},
		{"a panel without a unit", func(d *dashboard) { d.Panels[0].FieldConfig.Defaults.Unit = "" }, "no unit"},
		{"a panel without a title", func(d *dashboard) { d.Panels[0].Title = "" }, "no title"},
		{"a data source of one machine", func(d *dashboard) { d.Panels[0].Datasource.UID = "P1809F7CD0C75ACF3" }, "fixed data source"},
		{"no variable", func(d *dashboard) { d.Templating.List = nil }, "no variable"},
		{"no expression", func(d *dashboard) { d.Panels[0].Targets[0].Expr = "" }, "without an expression"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			d := dashboards(t)["dashboards/release-day.json"]
			tt.change(&d)
			got := strings.Join(wrong("d", d), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}
