package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A token is a prefix, 256 random bits and a checksum, all of it letters and digits, so that it can
// stand in a URL and a double click selects it. Prefix and checksum are for leak scanners: few other
// strings have both.
const (
	tokenPrefix = "rmt_"
	tokenBytes  = 32
	tokenDigits = 43 // 62^43 > 2^256
	checkDigits = 6  // 62^6 > 2^32
)

// NewToken makes a token that opens private repositories: the secret, which is for its holder alone,
// and the digest by which the settings know it.
func NewToken() (secret, digest string) {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // which never fails
	body := tokenPrefix + base62(new(big.Int).SetBytes(b[:]), tokenDigits)
	secret = body + checksum(body)
	return secret, TokenDigest(secret)
}

// TokenDigest returns the digest by which the settings know a secret: its SHA-256 in lower-case
// hexadecimal. There is no salt and no slow hash: nobody guesses 256 random bits.
func TokenDigest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// IsToken reports whether s has the form and the checksum of a token that [NewToken] made. Settings
// may have other secrets too, such as those of an earlier server.
func IsToken(s string) bool {
	const length = len(tokenPrefix) + tokenDigits + checkDigits
	return len(s) == length && strings.HasPrefix(s, tokenPrefix) && checksum(s[:length-checkDigits]) == s[length-checkDigits:]
}

func checksum(body string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), checkDigits)
}

// base62 writes n with digits, lower-case and upper-case letters, zeros in front.
func base62(n *big.Int, width int) string {
	s := n.Text(62)
	return strings.Repeat("0", width-len(s)) + s
}
