package deploytest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRecord(t *testing.T) {
	table := filepath.Join(t.TempDir(), "table")
	t.Setenv(tableVariable, table)
	row := Row{Files: "rules.yml", Check: "a | b", Tool: "promtool 1", CannotShow: "one\ntwo"}
	t.Run("passes", func(t *testing.T) { Record(t, row) })
	t.Run("is skipped", func(t *testing.T) {
		Record(t, row)
		t.Skip("on purpose")
	})
	body, err := os.ReadFile(table)
	want := "| rules.yml | a \\| b | promtool 1 | passed | one two |\n| rules.yml | a \\| b | promtool 1 | not run | one two |\n"
	if err != nil || string(body) != want {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestTool(t *testing.T) {
	if _, err := os.Stat(Tool(t, "sh")); err != nil {
		t.Error(err)
	}
	t.Run("that does not exist", func(t *testing.T) {
		defer func() {
			if !t.Skipped() {
				t.Error("the test goes on")
			}
		}()
		Tool(t, "no-such-program")
	})
}
