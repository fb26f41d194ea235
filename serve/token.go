package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A token is a prefix, 256 random bits and a checksum, in letters, digits and an underscore. It needs no
// encoding in a URL, and a double click selects it. Leak scanners recognize it by prefix and checksum.
const (
	TokenPrefix = "rmt_" // begins every token of [NewToken]
	tokenBytes  = 32
	tokenDigits = 43 // 62^43 > 2^256
	checkDigits = 6  // 62^6 > 2^32
)

// NewToken creates a token that opens private repositories. It returns the secret, which only its holder
// keeps, and its digest, which the settings of the repository hold.
func NewToken() (secret, digest string) {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // which never fails
	body := TokenPrefix + base62(new(big.Int).SetBytes(b[:]), tokenDigits)
	secret = body + checksum(body)
	return secret, TokenDigest(secret)
}

// TokenDigest returns the digest of a secret as settings hold it: SHA-256 in lower-case hexadecimal. A salt
// or a slow hash is not needed, because 256 random bits cannot be guessed.
func TokenDigest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// IsToken reports whether s has the form and the checksum of a token of [NewToken]. Settings may hold
// digests of other secrets too, such as those of an earlier server.
func IsToken(s string) bool {
	const length = len(TokenPrefix) + tokenDigits + checkDigits
	return len(s) == length && strings.HasPrefix(s, TokenPrefix) && checksum(s[:length-checkDigits]) == s[length-checkDigits:]
}

func checksum(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checkDigits)
}

// base62 returns n in base 62 with the digits 0-9a-zA-Z, padded with zeros to width.
func base62(n *big.Int, width int) string {
	s := n.Text(62)
	return strings.Repeat("0", width-len(s)) + s
}
