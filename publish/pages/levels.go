package pages

import (
	"crypto/sha256"
	"math/bits"
)

// bitsPerLevel is how many bits of the digest of a name are zero so that it begins a part of the next level: about 128 names, or parts,
// are in a part.
const bitsPerLevel = 7

// maxLevel bounds the levels: no repository has so many names.
const maxLevel = 5

// level returns how many levels of the list of names have a part that begins with a name. It follows from the name alone, so that a name
// that comes or goes changes the parts around it and no others.
func level(name string) int {
	sum, zeros := sha256.Sum256([]byte(name)), 0
	for i := len(sum) - 1; i >= 0; i-- {
		n := bits.TrailingZeros8(sum[i])
		zeros += n
		if n < 8 {
			break
		}
	}
	return min(zeros/bitsPerLevel, maxLevel)
}
