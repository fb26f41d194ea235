package layout

import (
	"errors"
	"path"
	"strings"
	"time"
)

// An Object is the key of an object and the headers with which it is served. Headers are a function of the key, so
// that a store without metadata loses nothing.
type Object struct {
	Key          string
	ContentType  string
	CacheControl string
}

// ContentDisposition returns the name under which clients keep a package, by any way that leads to its URL: with a redirect to a
// signed URL, wget --content-disposition would take that one's query into the name. It is empty for other objects, which
// clients fetch by their own URLs.
func (o Object) ContentDisposition() string {
	if base, ext := path.Base(o.Key), path.Ext(o.Key); ext == ".deb" || ext == ".rpm" {
		return `attachment; filename="` + base + `"`
	}
	return ""
}

// A Version identifies one state of the bytes under a key. It is an ETag, a generation or a digest, depending on the
// store. The empty Version is that of an absent key.
type Version string

// ErrConflict is returned by a conditional write or removal if the object has another version than the caller's.
var ErrConflict = errors.New("another process has changed the object")

// A Meta is the metadata of an object in a store.
type Meta struct {
	Version  Version
	Size     int64     // bytes
	Modified time.Time // by the store's clock
	Now      time.Time // the store's clock when it answered; set for absent keys too
}

// The caching rules. Pointers change and are revalidated; objects that are named by their content, and packages, never
// change.
const (
	cachePointer   = "public, max-age=30, s-maxage=30, must-revalidate"
	cacheNever     = "no-cache"
	cacheImmutable = "public, max-age=31536000, immutable"
	cachePackage   = "public, max-age=31536000, s-maxage=86400, immutable" // a yank reaches the CDN's edge in a day
	cacheConfig    = "public, max-age=300"
	cachePage      = "public, max-age=30"
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
	case strings.HasPrefix(key, EmbargoPrefix):
		return "application/octet-stream", cachePrivate
	case Hidden(key):
		return "application/json", cachePrivate
	case IsPage(key):
		return pageHeaders(key)
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
	case ext == ".sources" || ext == ".repo" || strings.HasPrefix(key, installs+"/"):
		return "text/plain; charset=utf-8", cacheConfig
	default:
		return "application/octet-stream", cachePointer
	}
}
