package layout

import (
	"fmt"
	"os"
)

// ReadTable returns the built-in distribution table, extended by the file at path if that is not empty ([Table.Extend]).
func ReadTable(path string) (*Table, error) {
	t := DefaultTable()
	if path == "" {
		return t, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := t.Extend(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
