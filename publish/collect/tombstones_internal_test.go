package collect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"repomill/schemas/layout"
)

// A list that is full can be read again, also if its keys are the longest.
func TestListOfTombstonesIsBounded(t *testing.T) {
	const readable = 10_000_000 // by tree.ReadSmall
	for name, tt := range map[string]struct {
		key  string
		full int
	}{
		"usual keys":   {strings.Repeat("k", 100), DefaultMaxMarked},
		"longest keys": {strings.Repeat("k", 800), 9000},
	} {
		left, list := room{DefaultMaxMarked, listBytes}, []tombstone{}
		for n := 0; ; n++ {
			one := tombstone{fmt.Sprintf("%s%06d", tt.key, n), layout.Version(`"` + strings.Repeat("a", 32) + `"`), time.Unix(1795996284, 123456789).UTC()}
			if !left.take(one) {
				break
			}
			list = append(list, one)
		}
		body, err := json.Marshal(list)
		if err != nil || len(body) > readable || len(list) < tt.full {
			t.Errorf("%s: %d tombstones have %d bytes, %v", name, len(list), len(body), err)
		}
	}
}
