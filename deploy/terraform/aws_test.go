package terraform_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"repomill/testdata/deploytest"
)

// A fault is a change of a file after which a check has to fail, and what it then says.
type fault struct {
	name, file, old, text string
	says                  string
}

// awsModules are the modules for Amazon, with faults that their tests find.
var awsModules = map[string][]fault{
	"store": {
		{"a bucket that can be public", "main.tf",
			"resource \"aws_s3_bucket_public_access_block\" \"primary\" {\n  bucket                  = aws_s3_bucket.primary.id\n  block_public_acls       = true\n  block_public_policy     = true",
			"resource \"aws_s3_bucket_public_access_block\" \"primary\" {\n  bucket                  = aws_s3_bucket.primary.id\n  block_public_acls       = true\n  block_public_policy     = false",
			"a bucket can be made public"},
		{"a CDN that may do everything", "policies.tf", `Action    = ["s3:GetObject"]
          Resource  = ["${local.arns[bucket]}/*"]`, `Action    = ["s3:*"]
          Resource  = ["${local.arns[bucket]}/*"]`, "the CDN may do more than read"},
		{"a typo in an argument", "main.tf", "resource \"aws_s3_bucket\" \"logs\" {\n  bucket        =", "resource \"aws_s3_bucket\" \"logs\" {\n  buckt        =", `An argument named "buckt" is not expected here`},
	},
	"cdn": {
		{"pointers that fail over", "main.tf", "target_origin_id           = var.pointers_from", `target_origin_id           = "immutable"`, "pointers fail over by themselves"},
		{"a version of TLS that does not exist", "main.tf", "TLSv1.2_2021", "TLSv1.2_2031", "expected minimum_protocol_version to be one of"},
	},
	"federation": {
		{"a resolver that may do everything", "permissions.tf", `Action = ["s3:GetObject"], Resource = ["${local.served}/.repomill/*", "${local.served}/install/*"]`,
			`Action = ["s3:*"], Resource = ["${local.served}/*"]`, "the resolver may read more than settings"},
		{"a worker that edits the CDN", "permissions.tf", `["cloudfront:CreateInvalidation"]`, `["cloudfront:CreateInvalidation", "cloudfront:UpdateDistribution"]`,
			"publish may do more than write the bucket and invalidate"},
		{"tokens of Google for any audience", "main.tf", `              "accounts.google.com:oaud" = var.google_audience` + "\n", "", "a token of Google is not pinned"},
		{"tokens of any service account", "main.tf", `:${account}"`, `:*"`, "a role can be taken by another service account than its own"},
	},
}

var passed = regexp.MustCompile(`Success! [1-9][0-9]* passed, 0 failed`)

func TestAWSModules(t *testing.T) {
	deploytest.Slow(t)
	for module, faults := range awsModules {
		t.Run(module, func(t *testing.T) {
			deploytest.Record(t, deploytest.Row{
				Files: "terraform/modules/" + module, Check: "terraform test with a mocked provider, and faults that it has to find", Tool: version(t) + ", hashicorp/aws",
				CannotShow: "what AWS makes of it",
			})
			w := copied(t, "modules/"+module, mirrored(mirror(t, "aws")))
			w.must("init", "-backend=false", "-no-color")
			if out := w.must("test", "-no-color"); !passed.MatchString(out) {
				t.Errorf("no test has run:\n%s", out)
			}
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) { w.finds(t, module, f) })
			}
		})
	}
}

// The modules are for the provider's major versions 5 and 6: that of 6 is known by its schemas alone.
func TestAWSModulesWithSchemas(t *testing.T) {
	deploytest.Slow(t)
	configuration := stubbed(t)
	for module := range awsModules {
		t.Run(module, func(t *testing.T) {
			deploytest.Record(t, deploytest.Row{
				Files: "terraform/modules/" + module, Check: "terraform test with a mocked provider", Tool: version(t) + ", schemas of hashicorp/aws 6",
				CannotShow: "values that the provider itself would refuse, such as a wrong storage class",
			})
			w := copied(t, "modules/"+module, configuration)
			if out := w.must("test", "-no-color"); !passed.MatchString(out) {
				t.Errorf("no test has run:\n%s", out)
			}
			w.finds(t, module, awsModules[module][0])
		})
	}
}

// finds checks that the tests of a module fail with a fault in it, which it takes out again.
func (w *workspace) finds(t *testing.T, module string, f fault) {
	file := filepath.Join(w.root, "modules", module, f.file)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(file, whole, 0o644) //nolint:errcheck // the next fault would not be found
	broken := *w
	broken.t = t
	broken.edit("modules/"+module+"/"+f.file, f.old, f.text)
	broken.refused([]string{f.says}, "test", "-no-color", "-filter=tests/"+module+".tftest.hcl")
}
