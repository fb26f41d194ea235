package main

import (
	"io"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines/command"
)

// What a variable in some profile could do to every command is set on the command line only.
func TestEnvironment(t *testing.T) {
	line := command.Line{Name: "repomill", Out: io.Discard, Err: io.Discard, Options: []kong.Option{kong.Vars(vars)}}
	got := line.Environment(&commands{})
	for flag, variables := range got {
		if len(variables) == 0 {
			delete(got, flag)
		}
	}
	actor := []string{"GITHUB_ACTOR", "GITLAB_USER_LOGIN"}
	want := map[string][]string{
		"user": append(actor, "REPOMILL_USER"), "job": {"BUILD_URL", "CI_JOB_URL", "REPOMILL_JOB"}, "by": append(actor, "REPOMILL_BY", "USER"),
		"server": {"REPOMILL_SERVER"}, "token-file": {"REPOMILL_TOKEN_FILE"}, "token": {"REPOMILL_TOKEN"},
		"data": {"REPOMILL_DATA"}, "staging": {"REPOMILL_STAGING"}, "events": {"REPOMILL_EVENTS"}, "catalog": {"REPOMILL_CATALOG"},
		"bucket": {"REPOMILL_BUCKET"}, "aws-identity": {"REPOMILL_AWS_IDENTITY"}, "aws-audience": {"REPOMILL_AWS_AUDIENCE"}, "aws-role": {"AWS_ROLE_ARN"}, "gce-metadata-host": {"GCE_METADATA_HOST"}, "signing-key": {"REPOMILL_SIGNING_KEY"}, "signing-key-passphrase-file": {"REPOMILL_SIGNING_KEY_PASSPHRASE_FILE"}, "public-url": {"REPOMILL_PUBLIC_URL"}, "edge-url": {"REPOMILL_EDGE_URL"},
		"listen": {"REPOMILL_LISTEN"}, "edge-listen": {"REPOMILL_EDGE_LISTEN"}, "ops-listen": {"REPOMILL_OPS_LISTEN"},
		"distributions": {"REPOMILL_DISTRIBUTIONS"}, "invalidate": {"REPOMILL_INVALIDATE"}, "cache": {"REPOMILL_CACHE"}, "cache-size": {"REPOMILL_CACHE_SIZE"}, "contents-max-size": {"REPOMILL_CONTENTS_MAX_SIZE"},
		"log-format": {"REPOMILL_LOG_FORMAT"}, "log-level": {"REPOMILL_LOG_LEVEL"}, "create": {"REPOMILL_CREATE"},
		"url": {"REPOMILL_URL"}, "cdn": {"REPOMILL_CDN"}, "keyring": {"REPOMILL_KEYRING"}, "sample": {"REPOMILL_SAMPLE"}, "max-bytes": {"REPOMILL_MAX_BYTES"}, "tokens": {"REPOMILL_TOKENS"}, "replica": {"REPOMILL_REPLICA"}, "every": {"REPOMILL_EVERY"}, // of audit
		"http-proxy": {"http_proxy"}, "https-proxy": {"HTTPS_PROXY", "https_proxy"}, "no-proxy": {"NO_PROXY", "no_proxy"}, // as other programs have them
		"max-package-size": {"REPOMILL_MAX_PACKAGE_SIZE"}, "retention": {"REPOMILL_RETENTION"}, "upload-timeout": {"REPOMILL_UPLOAD_TIMEOUT"}, "grace": {"REPOMILL_GRACE"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags with variables (-want +got):\n%s", diff)
	}
}
