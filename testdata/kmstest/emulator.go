package kmstest

import (
	"testing"

	"repomill/testdata/awstest"
)

// Emulator runs ministack until the test ends, or skips the test if there is none. It makes nothing go wrong.
func Emulator(t testing.TB) *AWS {
	t.Helper()
	a := &AWS{t: t}
	a.connect(awstest.Emulator(t, "kms"))
	return a
}
