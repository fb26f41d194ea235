package layout_test

import (
	"testing"

	"repomill/schemas/layout"
)

func TestShown(t *testing.T) {
	for raw, want := range map[string]string{
		"s3://acme-packages?region=eu-central-1": "s3://acme-packages",
		"s3://b?secret=geheim#geheim":            "s3://b",
		"gs://user:geheim@b/c":                   "gs://b/c",
		"pubsub://u:ge/heim@p/s":                 "pubsub://p/s",
		"pubsub://p/s":                           "pubsub://p/s",
		"https://AKIA:geheim@minio/b":            "https://minio/b",
		"file:///srv/re@po":                      "file:///srv/re@po",
		"u:geheim@b":                             "b",
		"":                                       "",
	} {
		if got := layout.Shown(raw); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}
