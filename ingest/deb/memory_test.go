package deb_test

import (
	"bytes"
	"testing"
	"time"

	"repomill/testdata/intaketest"
)

// meter knows what reading the packages of all tests took. Alone, none takes two seconds.
var meter = intaketest.Meter{Limit: 2 * time.Minute}

func TestMain(m *testing.M) { meter.Main(m) }

// measured reads a package whole and fails the test if that took more than is allowed.
func measured(t *testing.T, file []byte) error {
	t.Helper()
	return meter.Measure(t, len(file), func() error { return verdict(bytes.NewReader(file)) })
}
