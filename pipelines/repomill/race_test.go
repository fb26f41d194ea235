package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// raceRounds returns how often a race is run: some few times, or as often as REPOMILL_RACE_ROUNDS in the environment says.
func raceRounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("REPOMILL_RACE_ROUNDS")); err == nil {
		return n
	}
	return few
}

// together runs commands at the same time, each in a process of its own.
func together(t *testing.T, commands ...[]string) []proctest.Answer {
	answers := make([]proctest.Answer, len(commands))
	var all sync.WaitGroup
	for i, c := range commands {
		all.Go(func() { answers[i] = repomill(t, c...) })
	}
	all.Wait()
	return answers
}

// Pushes of the same bytes at the same time all succeed: one published them, to the others they are duplicates.
func TestEqualPushesTogether(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, pushes := range []int{2, 6} {
		t.Run(fmt.Sprint(pushes), func(t *testing.T) {
			target, wrong := fmt.Sprintf("acme/equal%d/ubuntu/jammy", pushes), 0
			rounds := raceRounds(2)
			for round := range rounds {
				file := newDEB(t, debtest.Spec{Version: fmt.Sprint("1.", round)})
				push := []string{"push", "--wait", "--json", "--timeout", "3m", "--staging", s.staging(), target, file.path}
				published := 0
				for _, a := range together(t, slices.Repeat([][]string{push}, pushes)...) {
					vs := verdicts(t, a.Stdout)
					if a.Code != 0 || len(vs) != 1 || vs[0].SHA256 != file.sha256() || vs[0].State != catalog.Published && vs[0].State != catalog.Duplicate {
						wrong++
						t.Errorf("round %d: %v", round, a)
					} else if vs[0].State == catalog.Published {
						published++
					}
				}
				if published != 1 {
					t.Errorf("round %d: %d pushes say that they published the package, want 1", round, published)
				}
			}
			t.Logf("%d rounds of %d equal pushes: %d of %d were wrong", rounds, pushes, wrong, rounds*pushes)
		})
	}
}

// Different packages under one file name are all published, also without --wait. Of two with the same identity one is, and
// the other is rejected because the name is taken.
func TestPushesOfOneNameTogether(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for _, tt := range []struct {
		fact   string
		other  debtest.Spec
		second catalog.UploadState
	}{
		{"different packages", debtest.Spec{Name: "other"}, catalog.Published},
		{"different bytes of one package", debtest.Spec{Name: "hello", Seed: 7, Size: 10}, catalog.Rejected},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			target, wrong := fmt.Sprintf("acme/onename-%s/ubuntu/jammy", tt.second), 0
			rounds := raceRounds(2)
			for round := range rounds {
				tt.other.Version = fmt.Sprint("1.", round)
				var pushes [][]string
				for _, spec := range []debtest.Spec{{Name: "hello", Version: tt.other.Version}, tt.other} {
					path := filepath.Join(t.TempDir(), "package.deb")
					if err := os.WriteFile(path, debtest.Build(t, spec), 0o644); err != nil {
						t.Fatal(err)
					}
					pushes = append(pushes, []string{"push", "--json", "--staging", s.staging(), target, path})
				}
				var states []catalog.UploadState
				for _, a := range together(t, pushes...) {
					var staged struct{ Object string }
					if err := json.Unmarshal([]byte(a.Stdout), &staged); err != nil || a.Code != 0 {
						t.Fatalf("round %d: %v, %v", round, err, a)
					}
					v := s.await(t, staged.Object)
					if states = append(states, v.State); v.State == catalog.Rejected && v.Reason != catalog.Conflict {
						t.Errorf("round %d: %+v", round, v)
					}
				}
				slices.Sort(states)
				if want := []catalog.UploadState{catalog.Published, tt.second}; !slices.Equal(states, want) {
					wrong++
					t.Errorf("round %d: got %q, want %q", round, states, want)
				}
			}
			t.Logf("%d rounds: %d were wrong", rounds, wrong)
		})
	}
}
