package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const object = "acme/tools/ubuntu/jammy/hello.deb"

// notification returns the attributes of a notification, with changes given as key, value, ...; an empty
// value removes the attribute.
func notification(changes ...string) map[string]string {
	attrs := map[string]string{
		"notificationConfig": "projects/_/buckets/staging-bucket/notificationConfigs/1",
		"eventType":          "OBJECT_FINALIZE",
		"payloadFormat":      "JSON_API_V1",
		"bucketId":           "staging-bucket",
		"objectId":           object,
		"objectGeneration":   "1767225600000000",
		"eventTime":          "2026-01-01T00:00:00.000000Z",
	}
	for i := 0; i < len(changes); i += 2 {
		attrs[changes[i]] = changes[i+1]
		if changes[i+1] == "" {
			delete(attrs, changes[i])
		}
	}
	return attrs
}

func TestParseNotification(t *testing.T) {
	arrived := catalog.Upload{Bucket: "staging-bucket", Object: object, Generation: "1767225600000000"}
	sized := arrived
	sized.Size = 123
	for _, tt := range []struct {
		name    string
		attrs   map[string]string
		payload string
		want    catalog.Upload
		kind    queue.Kind
	}{
		{"an object arrived", notification(), `{"kind":"storage#object","name":"x","size":"123"}`, sized, queue.Arrived},
		{"one that took the place of another", notification("overwroteGeneration", "1"), `{"size":"123"}`, sized, queue.Arrived},
		{"without a payload", notification("payloadFormat", "NONE"), "", arrived, queue.Arrived},
		{"with a payload that is no JSON", notification(), `{"size":`, arrived, queue.Arrived},
		{"with a size that is no number", notification(), `{"size":123}`, arrived, queue.Arrived},
		{"with a negative size", notification(), `{"size":"-1"}`, arrived, queue.Arrived},
		{"with a payload that is too large", notification(), `{"size":"123"}` + strings.Repeat(" ", 1<<20), arrived, queue.Arrived},
		{"a deletion", notification("eventType", "OBJECT_DELETE"), `{"size":"123"}`, arrived, queue.Ignored},
		{"new metadata", notification("eventType", "OBJECT_METADATA_UPDATE"), "", arrived, queue.Ignored},
		{"an archived object", notification("eventType", "OBJECT_ARCHIVE"), "", arrived, queue.Ignored},
		{"a verdict", notification("objectId", ".results/a.json"), "", catalog.Upload{Bucket: "staging-bucket", Object: ".results/a.json", Generation: arrived.Generation}, queue.Ignored},
		{"a hidden file", notification("objectId", "a/.b"), "", catalog.Upload{Bucket: "staging-bucket", Object: "a/.b", Generation: arrived.Generation}, queue.Ignored},
		{"a folder", notification("objectId", "a/"), `{"size":"0"}`, catalog.Upload{Bucket: "staging-bucket", Object: "a/", Generation: arrived.Generation}, queue.Ignored},
		{"an object that is called like a folder", notification("objectId", "a/"), `{"size":"1"}`, catalog.Upload{Bucket: "staging-bucket", Object: "a/", Generation: arrived.Generation, Size: 1}, queue.Arrived},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, kind, err := queue.ParseNotification(tt.attrs, []byte(tt.payload))
			if diff := cmp.Diff(tt.want, got); diff != "" || kind != tt.kind || err != nil {
				t.Errorf("kind %d, want %d; %v; upload (-want +got):\n%s", kind, tt.kind, err, diff)
			}
		})
	}
}

func TestParseNotificationRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		attrs map[string]string
		want  string
	}{
		{"a message without attributes", nil, "eventType"},
		{"another event", notification("eventType", "OBJECT_FINALIZED"), `"OBJECT_FINALIZED"`},
		{"without a bucket", notification("bucketId", ""), "bucketId"},
		{"without an object", notification("objectId", ""), "objectId"},
		{"a deletion of nothing", notification("eventType", "OBJECT_DELETE", "objectId", ""), "objectId"},
		{"a name that is too long", notification("objectId", strings.Repeat("x", 1025)), "objectId"},
		{"a name that is no text", notification("objectId", "\xff"), `"\xff"`},
		{"without a generation", notification("objectGeneration", ""), "objectGeneration"},
		{"a generation that is no number", notification("objectGeneration", "1e9"), "objectGeneration"},
		{"a generation in another spelling", notification("objectGeneration", "+1"), "objectGeneration"},
		{"a generation with zeros", notification("objectGeneration", "01"), "objectGeneration"},
		{"a generation of none", notification("objectGeneration", "0"), "objectGeneration"},
		{"a generation that is too large", notification("objectGeneration", "9223372036854775808"), "objectGeneration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, _, err := queue.ParseNotification(tt.attrs, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v; want an error with %s", u, err, tt.want)
			}
		})
	}
}

// For any message, an upload that is delivered has a valid object and generation, and an error is printable.
func FuzzNotification(f *testing.F) {
	f.Add("OBJECT_FINALIZE", "staging-bucket", object, "1767225600000000", []byte(`{"size":"123"}`))
	f.Add("OBJECT_DELETE", "b", "a/.b", "1", []byte(`{"size":"-1"}`))
	f.Add("", "\xff", "\x00", "-1", []byte(`[[[[[`))
	f.Fuzz(func(t *testing.T, event, bucket, object, generation string, payload []byte) {
		u, kind, err := queue.ParseNotification(map[string]string{"eventType": event, "bucketId": bucket, "objectId": object, "objectGeneration": generation}, payload)
		switch {
		case err != nil:
			if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Errorf("%q cannot be shown", err)
			}
		case u.Bucket != bucket || u.Object != object || u.Generation != generation || u.Size < 0:
			t.Errorf("got %+v of %q, %q, %q", u, bucket, object, generation)
		case kind == queue.Arrived && (event != "OBJECT_FINALIZE" || layout.Hidden(object)):
			t.Errorf("%s of %q is an upload", event, object)
		case kind != queue.Arrived && kind != queue.Ignored:
			t.Errorf("kind %d", kind)
		}
	})
}
