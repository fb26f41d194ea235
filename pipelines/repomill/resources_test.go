package main_test

import (
	"errors"
	"os"
	"testing"

	"repomill/testdata/proctest"
)

// A folder that is not there is not made by who only works on it: a slip of the pen would be a new, empty repository.
func TestFoldersAreNotMade(t *testing.T) {
	t.Parallel()
	dir := proctest.OpenDir(t)
	key, err := signingKey()
	if err == nil {
		err = errors.Join(os.WriteFile(dir+"/key.asc", key, 0o600), os.Mkdir(dir+"/there", 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	catalog := "sqlite://" + dir + "/catalog.db"
	if a := repomill(t, "migrate", "--catalog", catalog); a.Code != 0 {
		t.Fatal(a)
	}
	company := []string{"--catalog", catalog, "--signing-key", "file://" + dir + "/key.asc", "--public-url", "http://x"}
	worker := append([]string{"worker", "--once", "--events", "dir://"}, company...)
	const advice = " does not exist: name another one, or create it with mkdir\n"
	for _, tt := range []struct {
		fact string
		args []string
		says string
	}{
		{"the bucket of a worker", append(worker, "--staging", "file://"+dir+"/there", "--bucket", "file://"+dir+"/typo"), "--bucket: folder " + dir + "/typo" + advice},
		{"the staging folder of a worker", append(worker, "--staging", "file://"+dir+"/typo", "--bucket", "file://"+dir+"/there"), "--staging: folder " + dir + "/typo" + advice},
		{"the bucket of reindex", append([]string{"reindex", "--all", "--bucket", "file://" + dir + "/typo"}, company...), "--bucket: folder " + dir + "/typo" + advice},
		{"the bucket of a yank", []string{"yank", "acme/tools/el/9", "hello=1.0", "--reason", "x", "--now", "--catalog", catalog, "--bucket", "file://" + dir + "/typo"}, "--bucket: folder " + dir + "/typo" + advice},
		{"a file for a bucket", []string{"yank", "acme/tools/el/9", "hello=1.0", "--reason", "x", "--now", "--catalog", catalog, "--bucket", "file://" + dir + "/key.asc"}, "--bucket: " + dir + "/key.asc is not a folder\n"},
	} {
		if a := repomill(t, tt.args...); a.Code != 4 || a.Stderr != "repomill: "+tt.says {
			t.Errorf("%s: got %v, want %q", tt.fact, a, tt.says)
		}
	}
	if _, err := os.Stat(dir + "/typo"); err == nil {
		t.Error("it was made")
	}
	if a := repomill(t, append(worker, "--staging", "file://"+dir+"/there", "--bucket", "file://"+dir+"/there")...); a.Code != 0 {
		t.Errorf("with both folders: %v", a)
	}
}

// What a variable of CI left empty is not taken for what was left out: the file would stay in the CDN, or the repository have another Origin for good.
func TestFlagsWithoutAValue(t *testing.T) {
	t.Parallel()
	for flag, args := range map[string][]string{
		"--invalidate": {"yank", "acme/tools/el/9", "hello=1.0", "--reason", "x", "--now"},
		"--origin":     {"repo", "create", "acme/tools", "--distribution", "el/9"},
		"--label":      {"repo", "create", "acme/tools", "--distribution", "el/9"},
	} {
		if a := repomill(t, append(args, flag, "")...); a.Code != 2 || a.Stderr != "repomill: "+flag+" has no value: give it one, or leave it out\n" {
			t.Errorf("%s: got %v", flag, a)
		}
	}
}

// A resource of a kind that there is not is a wrong use, and not a fault that a retry may help with.
func TestSchemes(t *testing.T) {
	t.Parallel()
	const bucket = `--bucket "http://x": use s3://BUCKET?region=R or file:///path/to/folder`
	worker := func(flag, value string) []string {
		args := []string{"worker"}
		for name, url := range map[string]string{"--staging": "gs://x", "--events": "pubsub://p/s", "--catalog": "mysql://u@127.0.0.1:1/d", "--bucket": "s3://b?region=r", "--signing-key": "file:///key", "--public-url": "http://x"} {
			if name == flag {
				url = value
			}
			args = append(args, name, url)
		}
		return args
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{worker("--bucket", "http://x"), bucket},
		{worker("--bucket", "/srv/bucket"), `--bucket "/srv/bucket": use s3://BUCKET?region=R or file:///path/to/folder`},
		{worker("--bucket", "file://"), `--bucket "file://": use s3://BUCKET?region=R or file:///path/to/folder`},
		{worker("--staging", "s3://x"), `--staging "s3://x": use gs://BUCKET or file:///path/to/staging`},
		{worker("--events", "kafka://x"), `--events "kafka://x": use pubsub://PROJECT/SUBSCRIPTION, or dir:// for a folder`},
		{worker("--events", "dir://"), `--events dir:// watches a folder, but --staging is gs://x: use pubsub://PROJECT/SUBSCRIPTION`},
		{worker("--catalog", "postgres://u:secret@x/d"), "--catalog is no catalog's URL: use mysql://USER@HOST/DATABASE?password-file=/path or sqlite:///path/to/catalog.db"},
		{worker("--signing-key", "secret"), "--signing-key: use file:///path/to/signing-key.asc, gcpkms://projects/P/… or awskms://KEY?region=R"},
		{[]string{"reindex", "--all", "--catalog", "sqlite://x", "--signing-key", "file:///key", "--bucket", "http://x"}, bucket},
		{[]string{"yank", "acme/tools/el/9", "hello=1.0", "--reason", "x", "--now", "--bucket", "http://x"}, bucket},
	} {
		if a := repomill(t, tt.args...); a.Code != 2 || lastLine(a.Stderr) != "repomill: "+tt.says {
			t.Errorf("%q: got %v, want %q", tt.args, a, tt.says)
		}
	}
}
