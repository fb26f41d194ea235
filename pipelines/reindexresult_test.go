package pipelines_test

import (
	"encoding/json"
	"testing"

	"repomill/pipelines"
	"repomill/schemas/catalogdb"
)

func TestReindexResult(t *testing.T) {
	none, one := 0, 1
	for _, tt := range []struct {
		fact   string
		res    pipelines.ReindexResult
		detail string
		json   string
	}{
		{"nothing to do", pipelines.ReindexResult{Outcome: catalogdb.OutcomeIdentical, Revision: 3, Packages: 1, Added: &none, Removed: &none},
			"revision 3, 1 package", `{"release":"","outcome":"identical","revision":3,"packages":1,"added":0,"removed":0,"seconds":0}`},
		{"a file was written again", pipelines.ReindexResult{Outcome: catalogdb.OutcomeIdentical, Revision: 3, Packages: 2, Repaired: 1},
			"revision 3, 2 packages, 1 index file written again", `{"release":"","outcome":"identical","revision":3,"packages":2,"repaired":1,"seconds":0}`},
		{"what changed", pipelines.ReindexResult{Outcome: catalogdb.OutcomePublished, Revision: 4, Packages: 2, Added: &one, Removed: &none},
			"revision 4, 2 packages, 1 added, 0 removed", `{"release":"","outcome":"published","revision":4,"packages":2,"added":1,"removed":0,"seconds":0}`},
		{"what changed is unknown", pipelines.ReindexResult{Outcome: catalogdb.OutcomePublished, Revision: 4, Packages: 2, Repaired: 2},
			"revision 4, 2 packages, 2 index files written again", `{"release":"","outcome":"published","revision":4,"packages":2,"repaired":2,"seconds":0}`},
		{"rows were taken over", pipelines.ReindexResult{Outcome: catalogdb.OutcomePublished, Revision: 5, Packages: 2, Rows: &catalogdb.Recovered{Inserted: 1}},
			"revision 5, 2 packages, 1 row taken over, 0 replaced, 0 yanked", `{"release":"","outcome":"published","revision":5,"packages":2,"rows":{"Inserted":1,"Replaced":0,"Yanked":0},"seconds":0}`},
		{"a failure", pipelines.ReindexResult{Outcome: catalogdb.OutcomeFailed, Error: "why"},
			"why", `{"release":"","outcome":"failed","packages":0,"seconds":0,"error":"why"}`},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if got := tt.res.Detail(); got != tt.detail {
				t.Errorf("got %q, want %q", got, tt.detail)
			}
			if got, err := json.Marshal(tt.res); err != nil || string(got) != tt.json {
				t.Errorf("got %s, %v, want %s", got, err, tt.json)
			}
		})
	}
}
