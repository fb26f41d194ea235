package main_test

import (
	"fmt"
	"sync"
	"testing"

	"repomill/testdata/proctest"
)

// Two processes that migrate the same new catalog at once both succeed. REPOMILL_RACE_ROUNDS in the environment sets
// how often that is tried.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	rounds := raceRounds(20)
	dir, failed := proctest.OpenDir(t), 0
	for i := range rounds {
		var both sync.WaitGroup
		var got [2]proctest.Answer
		for n := range got {
			both.Go(func() { got[n] = repomill(t, "migrate", "--catalog", fmt.Sprintf("sqlite://%s/%d.db", dir, i)) })
		}
		both.Wait()
		for _, a := range got {
			if a.Code != 0 {
				failed++
				t.Errorf("pair %d: %v", i, a)
			}
		}
	}
	t.Logf("%d pairs, %d failures", rounds, failed)
}
