package layout

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// StagedEmbargo begins the staging keys of uploads under embargo. No owner has that name, so that a right for owner/* or
// owner/name/* in the staging bucket opens none of them, nor their verdicts.
const StagedEmbargo = "_embargo/"

// EmbargoPrefix begins the keys, in the published bucket, of the files of packages under embargo. They are never served.
const EmbargoPrefix = ".embargo/"

// EmbargoedStaging returns the staging key under embargo of an upload whose key were open without one.
func EmbargoedStaging(open string) string { return StagedEmbargo + open }

// CutEmbargo returns a staging key without the prefix of an embargo, and whether it has that.
func CutEmbargo(key string) (open string, embargo bool) { return strings.CutPrefix(key, StagedEmbargo) }

// NewEmbargo returns 128 random bits in hexadecimal: the name under which the file of a package lies until its train is published.
func NewEmbargo() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(b[:])
}

// EmbargoKey returns the key of the file of a package under embargo. It says nothing of the package.
func EmbargoKey(embargo string) string { return EmbargoPrefix + embargo }

// EmbargoOf returns the random part of a key that [EmbargoKey] returned.
func EmbargoOf(key string) (embargo string, ok bool) {
	embargo, ok = strings.CutPrefix(key, EmbargoPrefix)
	return embargo, ok && embargo != "" && !strings.Contains(embargo, "/")
}
