package catalogdb

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// jsonList stores a slice as a JSON array.
type jsonList[T any] struct{ values *[]T }

// Scan implements [database/sql.Scanner].
func (l jsonList[T]) Scan(src any) error {
	s, ok := src.(string)
	if b, isBytes := src.([]byte); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return fmt.Errorf("list column has type %T", src)
	}
	*l.values = nil // or else the old elements show through
	return json.Unmarshal([]byte(s), l.values)
}

// Value implements [driver.Valuer].
func (l jsonList[T]) Value() (driver.Value, error) {
	if *l.values == nil {
		return "[]", nil
	}
	b, err := json.Marshal(*l.values)
	return string(b), err
}

// scanTime reads a time that is not NULL.
type scanTime time.Time

// Scan implements [database/sql.Scanner].
func (t *scanTime) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time column has type %T", src)
	}
	*t = scanTime(instant(ms))
	return nil
}

// cut shortens text that is only shown to what its column holds, between characters.
func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && !utf8.RuneStart(s[bytes]) {
		bytes--
	}
	return s[:bytes]
}
