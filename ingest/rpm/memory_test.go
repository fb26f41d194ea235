package rpm_test

import (
	"bytes"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
)

// meter knows what reading the packages of all tests took. Alone, none takes half a second.
var meter = intaketest.Meter{Limit: 2 * time.Minute}

func TestMain(m *testing.M) { meter.Main(m) }

// measured reads a package whole and fails the test if that took more than is allowed.
func measured(t *testing.T, b []byte) (c catalog.Package, err error) {
	t.Helper()
	err = meter.Measure(t, len(b), func() error {
		c, err = read(bytes.NewReader(b))
		return err
	})
	return c, err
}
