package serve_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/schemas/catalog"
	"repomill/serve"
)

// Pages have a kind of their own, so the time that the bucket takes is not that of redirects; no label is made for a page.
func TestPagesAreCounted(t *testing.T) {
	registry, m := prometheus.NewRegistry(), serve.NewMetrics()
	m.Register(registry)
	for _, status := range []int{200, 200, 301, 302, 304, 404} {
		m.Observe(serve.Answer{Status: status, Visibility: catalog.Public, Page: true, Through: status == 200})
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "kind" {
					got[label.GetValue()] = metric.GetHistogram().GetSampleCount()
				}
				if strings.ContainsAny(label.GetValue(), "/.") {
					t.Errorf("%s has the label %s", f.GetName(), label)
				}
			}
		}
	}
	if got["page"] != 6 || got["redirect"] != 0 || got["through"] != 0 {
		t.Errorf("answers by kind: %v", got)
	}
}
