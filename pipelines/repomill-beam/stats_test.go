package main_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/s3test"
)

// statsArgs returns the command line that counts logs.
func (c *company) statsArgs(logs string, more ...string) []string {
	return append([]string{"stats", logs, "--catalog=" + c.Config.Catalog, "--log-format=text"}, more...)
}

// putLog stores a log in S3.
func putLog(t *testing.T, server *s3test.Server, bucket, name, body string) {
	t.Helper()
	_, err := server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(name), Body: bytes.NewReader([]byte(body))})
	if err != nil {
		t.Fatal(err)
	}
}

// downloadLog returns a log of CloudFront with a number of whole downloads of a package, and as many that broke off.
func downloadLog(k catalog.Package, n int) string {
	var b strings.Builder
	b.WriteString("#Version: 1.0\n#Fields: date time sc-bytes c-ip cs-method cs-uri-stem sc-status cs(User-Agent) sc-content-len c-country\n")
	for i := range n {
		for _, sent := range []int64{k.File.Size + 400, k.File.Size / 2} {
			fmt.Fprintf(&b, "2026-11-%02d\t21:57:10\t%d\t192.0.2.%d\tGET\t/%s\t200\tDebian%%20APT-HTTP/1.3%%20(2.4.9)\t%d\tDE\n", 1+i%28, sent, i%250, k.Key, k.File.Size)
		}
	}
	return b.String()
}

// A job on Flink counts logs in S3 into MySQL, once.
func TestFlinkStatistics(t *testing.T) {
	server, s3server := startFlink(t)
	c, files := newCompany(t, s3server), corpus(t)
	stage(t, c.Resources, files)
	args := append(processes(t), "--runner=flink", "--endpoint="+server.Endpoint, "--parallelism=2")
	if code, stderr := repomillBeam(t, c.args(args...)...); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	logs := s3server.URL("cdn-logs")
	want := map[string]int64{}
	for name := range corpusReleases {
		r := release(t, name)
		for k, err := range c.Catalog.List(t.Context(), r, "") {
			if err != nil {
				t.Fatal(err)
			}
			key := k.Key
			if r.Arch != "" && k.Arch == layout.Noarch { // one package, with a path in each directory
				key = layout.RPMKey(k, r.Arch)
			}
			k.Key = key
			putLog(t, s3server, "cdn-logs", "logs/"+strings.ReplaceAll(key, "/", "."), downloadLog(k, 100))
			want[k.Name+" "+k.Arch] += 100
		}
	}
	sums := func() map[string]int64 {
		rows, err := c.Catalog.Downloads(t.Context(), catalog.StatisticsQuery{By: []catalog.StatisticsField{catalog.ByPackage, catalog.ByArch}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, r := range rows {
			got[strings.Join(r.Values, " ")] = r.Count
		}
		return got
	}
	begin := time.Now()
	code, stderr := repomillBeam(t, c.statsArgs(logs, args...)...)
	t.Logf("took %v", time.Since(begin).Round(time.Millisecond))
	if code != 0 || !strings.Contains(stderr, "failed=0") {
		t.Fatalf("exit code %d:\n%s", code, stderr)
	}
	if diff := cmp.Diff(want, sums()); diff != "" {
		t.Errorf("downloads (-want +got):\n%s\n%s", diff, stderr)
	}
	if code, stderr := repomillBeam(t, c.statsArgs(logs, args...)...); code != 0 || strings.Contains(stderr, "job submitted") {
		t.Errorf("a second run has nothing to do: exit code %d\n%s", code, stderr)
	}
	if diff := cmp.Diff(want, sums()); diff != "" {
		t.Errorf("downloads after it (-want +got):\n%s", diff)
	}
}

// What a job on Dataflow is made of, without a cloud.
func TestStatisticsDryRun(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json") // Beam would ask Cloud Storage about its buckets
	args := []string{"stats", "s3://acme-cdn-logs/?region=eu-west-1", "--catalog=mysql://stats@db.example.org/mill?password-file=/run/secrets/password", "--log-format=text",
		"--runner=dataflow", "--project=acme-project", "--region=europe-west1", "--staging-location=gs://acme-dataflow/staging"}
	code, stderr := repomillBeam(t, append(args, "--dry-run")...)
	said := decoded(strings.ReplaceAll(escaped.ReplaceAllString(stderr, " "), `\`, ""), 3)
	if code != 0 || !strings.Contains(said, "JOB_TYPE_BATCH") || !strings.Contains(said, "countFn") || !strings.Contains(said, "writeFn") {
		t.Errorf("exit code %d:\n%.4000s", code, said)
	}
	for fact, wrong := range map[string]struct {
		args []string
		want string
	}{
		"a file":          {append([]string{"stats", "/var/log/nginx/access.log"}, args[2:]...), "workers on other machines cannot read files"},
		"a short memory":  {slices.Concat(args, []string{"--keep-days=3"}), "use 31 or more"},
		"a template":      {slices.Concat(args, []string{"--template-location=gs://acme/x"}), "--template-location is for ingest"},
		"a local catalog": {slices.Concat(args, []string{"--catalog=sqlite:///x"}), "cannot reach sqlite"},
	} {
		if code, stderr := repomillBeam(t, wrong.args...); code != 2 || !strings.Contains(stderr, wrong.want) {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", fact, code, wrong.want, stderr)
		}
	}
}
