package layout

import (
	"path"
	"strings"
)

// variantLength is how many digits of a digest a file name has in a mutable repository: 128 bits.
const variantLength = 32

// VariantOf returns the variant of a package in a mutable repository: the beginning of the SHA-256 of its file, in lower-case
// hexadecimal. The name of the file has it, so that other bytes have another name: clients keep files by their names.
func VariantOf(sha256 string) string { return sha256[:min(variantLength, len(sha256))] }

// CutVariant splits the key or name of a package file of a mutable repository, such as
// "hello_1.0_amd64.5891b5b522d5df086d0ff0b110fbd9d2.deb", into what it is without the variant, and that. The variant of any other name
// is empty.
func CutVariant(key string) (plain, variant string) {
	ext := path.Ext(key)
	stem, v := cutLast(strings.TrimSuffix(key, ext), ".")
	if ext != ".deb" && ext != ".rpm" || len(v) != variantLength || stem == "" || strings.ContainsFunc(v, notHex) {
		return key, ""
	}
	return stem + ext, v
}

func notHex(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') }

// variantEnd is what a file name has of a variant, before its ending.
func variantEnd(variant string) string {
	if variant == "" {
		return ""
	}
	return "." + variant
}
