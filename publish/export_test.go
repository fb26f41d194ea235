package publish

import "testing"

// SetSlack lets spools be compacted earlier for a test.
func SetSlack(t *testing.T, bytes int64) {
	was := spoolSlack
	spoolSlack = bytes
	t.Cleanup(func() { spoolSlack = was })
}
