package monitoring_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are metrics that no program of repomill has, and who has them.
var elsewhere = map[string]string{
	"repomill_backup_last_success_timestamp_seconds":                                              "the backup script, by node_exporter's textfile collector",
	"stackdriver_pubsub_subscription_pubsub_googleapis_com_subscription_num_undelivered_messages": "Google's Cloud Monitoring, by stackdriver_exporter",
}

// A measured is what programs measure: the labels of each series, by name.
type measured map[string][]map[string]string

var (
	series    = regexp.MustCompile(`(?m)^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$`)
	labelPair = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// add adds what a program answers at /metrics.
func (m measured) add(text string) {
	for _, s := range series.FindAllStringSubmatch(text, -1) {
		labels := map[string]string{}
		for _, p := range labelPair.FindAllStringSubmatch(s[2], -1) {
			labels[p[1]] = p[2]
		}
		m[s[1]] = append(m[s[1]], labels)
	}
}

var (
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	modifier   = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	window     = regexp.MustCompile(`\[[^\]]*\]|\boffset\s+\w+`)
	braces     = regexp.MustCompile(`\{[^}]*\}`)
	identifier = regexp.MustCompile(`[a-zA-Z_:][\w:]*`)
	selector   = regexp.MustCompile(`([a-zA-Z_:][\w:]*)\{((?:[^}"]|"(?:[^"\\]|\\.)*")*)\}`)
	matcher    = regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"`)
	number     = regexp.MustCompile(`\b\d[\w.]*`)
)

// words are the names in expressions that are not of metrics.
var words = []string{"sum", "min", "max", "count", "topk", "rate", "increase", "time", "absent", "abs", "vector", "histogram_quantile", "clamp_min", "and", "or", "unless", "bool"}

// metricsIn returns the names of metrics in an expression: all that is not known otherwise, a misspelled function, too.
func metricsIn(expr string) (names []string) {
	expr = quoted.ReplaceAllString(expr, `""`)
	for _, r := range []*regexp.Regexp{modifier, window, braces, number} {
		expr = r.ReplaceAllString(expr, " ")
	}
	for _, id := range identifier.FindAllString(expr, -1) {
		if !slices.Contains(words, id) && !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	return names
}

// unknown returns the metrics of an expression that no program measures, and selectors of no series.
func unknown(what, expr string, has measured) (problems []string) {
	for _, name := range metricsIn(expr) {
		if has[name] == nil && elsewhere[name] == "" {
			problems = append(problems, fmt.Sprintf("%s: no program measures %s", what, name))
		}
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		if has[s[1]] != nil && !slices.ContainsFunc(has[s[1]], func(labels map[string]string) bool { return selects(s[2], labels) }) {
			problems = append(problems, fmt.Sprintf("%s: no series is selected by %s", what, s[0]))
		}
	}
	return problems
}

// selects reports whether a series has the labels of a selector: those that Prometheus and dashboards add are not asked for.
func selects(matchers string, labels map[string]string) bool {
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		value, there := labels[m[1]]
		if slices.Contains([]string{"instance", "job"}, m[1]) {
			continue
		}
		want := strings.ReplaceAll(m[3], `\\`, `\`)
		same := value == want
		if strings.HasSuffix(m[2], "~") {
			same = regexp.MustCompile("^(?:" + want + ")$").MatchString(value)
		}
		if !there || same == strings.HasPrefix(m[2], "!") {
			return false
		}
	}
	return true
}

func TestUnknownMetricsAreFound(t *testing.T) {
	has := measured{}
	has.add("# HELP a A thing.\na{status=\"500\",kind=\"x\"} 0\nb_bucket{le=\"0.05\"} 0\nb_bucket{le=\"120\"} 1e+06\nc 1\n")
	for _, tt := range []struct{ fact, expr, want string }{
		{"what is measured", `sum by (kind) (rate(a{status=~"5.."}[5m])) / on (kind) group_left (x) c > 0.05 and c offset 5m < 2^30`, ""},
		{"a bucket", `histogram_quantile(0.99, sum by (le) (rate(b_bucket{le="0.05"}[5m])))`, ""},
		{"a bucket with and without a fraction", `b_bucket{le=~"120(\\.0)?"}`, ""},
		{"labels of Prometheus", `c{instance="$instance", job=~"repomill.*"}`, ""},
		{"a metric of elsewhere", `time() - repomill_backup_last_success_timestamp_seconds`, ""},
		{"an unknown metric", `max(a) > 0 or max(d) > 0`, "no program measures d"},
		{"a misspelled function", `maxx(a)`, "no program measures maxx"},
		{"an unknown label", `a{verb="get"}`, "no series is selected by a{verb="},
		{"a value that does not occur", `rate(a{status="501"}[5m])`, "no series is selected by a{status="},
		{"a bucket that is not there", `b_bucket{le="0.5"}`, "no series is selected by b_bucket"},
		{"a value that is excluded", `a{kind!="x"}`, "no series is selected by a{kind!="},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			got := strings.Join(unknown("rule", tt.expr, has), "; ")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

// Each metric that a rule or a panel names is measured by a running program, or is listed as one of elsewhere. Each of the
// list is named.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	has := running(t)
	rules := readYAML[ruleFile](t, "rules.yml")
	exprs := map[string]string{}
	for i, r := range rules.all() {
		if r.Record != "" {
			has[r.Record] = []map[string]string{{}}
		}
		exprs[fmt.Sprintf("rules.yml: %s%s (%d)", r.Record, r.Alert, i)] = r.Expr
	}
	maps.Copy(exprs, panelExprs(t))
	named := map[string]bool{}
	for _, what := range slices.Sorted(maps.Keys(exprs)) {
		report(t, unknown(what, exprs[what], has))
		for _, name := range metricsIn(exprs[what]) {
			named[name] = true
		}
	}
	for name := range elsewhere {
		if !named[name] {
			t.Errorf("nothing names %s, which is listed as a metric of elsewhere", name)
		}
		if has[name] != nil {
			t.Errorf("%s is listed as a metric of elsewhere, and is measured here", name)
		}
	}
}
