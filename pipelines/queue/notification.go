package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Kind says whether a notification is of an upload.
type Kind int

// The kinds of notifications.
const (
	Arrived Kind = iota + 1 // an object has a new generation, which is an upload
	Ignored                 // a deletion, new metadata, or an object that is not an upload
)

// maxPayload bounds the payload that is parsed, in bytes. The metadata of an object has at most 8 KiB.
const maxPayload = 64 << 10

// maxName is the longest name of an object in bytes.
const maxName = 1024

// ParseNotification parses a notification of Cloud Storage from the attributes and the payload of a Pub/Sub message
// (Cloud Storage documentation, "Pub/Sub notifications"). The upload is that of the attributes. Only its size is from
// the payload, and 0 if that has none. A message that is not a notification is an error.
func ParseNotification(attrs map[string]string, data []byte) (catalog.Upload, Kind, error) {
	switch event := attrs["eventType"]; event {
	case "OBJECT_FINALIZE":
	case "OBJECT_DELETE", "OBJECT_METADATA_UPDATE", "OBJECT_ARCHIVE":
		u, err := named(attrs)
		return u, Ignored, err
	case "":
		return catalog.Upload{}, 0, errors.New("it has no attribute eventType")
	default:
		return catalog.Upload{}, 0, fmt.Errorf("its eventType is %.40q", event)
	}
	u, err := named(attrs)
	if err != nil {
		return u, 0, err
	}
	u.Size = sizeOf(data)
	if layout.Hidden(u.Object) || strings.HasSuffix(u.Object, "/") && u.Size == 0 {
		return u, Ignored, nil
	}
	return u, Arrived, nil
}

// named returns the bucket, object and generation of a notification.
func named(attrs map[string]string) (catalog.Upload, error) {
	u := catalog.Upload{Bucket: attrs["bucketId"], Object: attrs["objectId"], Generation: attrs["objectGeneration"]}
	for _, name := range []string{u.Bucket, u.Object} {
		if name == "" || len(name) > maxName || !utf8.ValidString(name) {
			return catalog.Upload{}, fmt.Errorf("its bucketId is %.40q and its objectId %.40q", u.Bucket, u.Object)
		}
	}
	if n, err := strconv.ParseInt(u.Generation, 10, 64); err != nil || n <= 0 || strconv.FormatInt(n, 10) != u.Generation {
		return catalog.Upload{}, fmt.Errorf("its objectGeneration is %.40q", u.Generation)
	}
	return u, nil
}

// sizeOf returns the size in a payload, in bytes, or 0.
func sizeOf(payload []byte) int64 {
	var object struct {
		Size int64 `json:"size,string"`
	}
	if len(payload) > maxPayload || json.Unmarshal(payload, &object) != nil || object.Size < 0 {
		return 0
	}
	return object.Size
}
