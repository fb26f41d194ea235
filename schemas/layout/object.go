package layout

import (
	"errors"
	"path"
	"strings"
	"time"
)

// An Object is where bytes are stored and the headers with which they are served. Headers follow
// from the key, so that a store without metadata loses nothing.
type Object struct {
	Key          string
	ContentType  string
	CacheControl string
}

// A Version names one state of the bytes under a key: an ETag, a generation, or a digest, as the
// store has it. The empty Version is that of an absent key.
type Version string

// ErrConflict is returned by a conditional write when somebody else was faster.
var ErrConflict = errors.New("the object has changed meanwhile")

// A Meta is what a store knows about an object.
type Meta struct {
	Version  Version
	Size     int64     // bytes
	Modified time.Time // by the store's clock
	Now      time.Time // the store's clock when it answered; set for absent keys too
}

// The caching rules. Pointers are asked for again and again; everything that is named by its content,
// and every package, never changes.
const (
	cachePointer   = "public, max-age=30, s-maxage=30, must-revalidate"
	cacheNever     = "no-cache"
	cacheImmutable = "public, max-age=31536000, immutable"
	cachePackage   = "public, max-age=31536000, s-maxage=86400, immutable" // a yank reaches the CDN's edge in a day
	cacheConfig    = "public, max-age=300"
	cachePrivate   = "private, no-store"
)

// ObjectOf returns the object of a published key.
func ObjectOf(key string) Object {
	contentType, cache := headers(key)
	return Object{Key: key, ContentType: contentType, CacheControl: cache}
}

func headers(key string) (contentType, cacheControl string) {
	base, ext := path.Base(key), path.Ext(key)
	switch {
	case Hidden(key) && ext == ".asc":
		return "application/pgp-keys", cachePrivate
	case Hidden(key):
		return "application/json", cachePrivate
	case ext == ".deb":
		return "application/vnd.debian.binary-package", cachePackage
	case ext == ".rpm":
		return "application/x-rpm", cachePackage
	case strings.Contains(key, "/by-hash/"):
		return "application/octet-stream", cacheImmutable
	case base == "repomd.xml":
		return "text/xml; charset=utf-8", cacheNever
	case base == "repomd.xml.key":
		return "application/pgp-keys", cacheNever
	case base == "repomd.xml.asc":
		return "application/pgp-signature", cacheNever
	case path.Base(path.Dir(key)) == "repodata":
		return "application/gzip", cacheImmutable
	case base == "InRelease" || base == "Release":
		return "text/plain; charset=utf-8", cachePointer
	case base == "Release.gpg":
		return "application/pgp-signature", cachePointer
	case ext == ".gz":
		return "application/gzip", cachePointer
	case base == "gpgkey" || key == InstanceKeyKey || strings.HasPrefix(key, sharedKeys+"/") || strings.HasSuffix(key, ".pub.gpg"):
		return "application/pgp-keys", cacheConfig
	case ext == ".sources" || ext == ".repo":
		return "text/plain; charset=utf-8", cacheConfig
	default:
		return "application/octet-stream", cachePointer
	}
}
