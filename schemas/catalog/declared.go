package catalog

import "time"

// Declared is what the sender of a file says of it before it is sent, in a session.
type Declared struct {
	Size   int64     // in bytes
	SHA256 string    // in hexadecimal
	CRC32C string    // base64 of its four bytes, the highest first, as Cloud Storage writes it; empty if it is not declared
	Until  time.Time // when the session ends: what is complete later is not taken
}
