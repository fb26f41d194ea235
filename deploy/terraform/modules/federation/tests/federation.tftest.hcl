mock_provider "aws" {}

variables {
  account_id       = "123456789012"
  name             = "repomill-ops"
  packages_bucket  = "acme-packages"
  replica_bucket   = "acme-packages-replica"
  logs_bucket      = "acme-packages-logs"
  distribution_arn = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"
  cluster = {
    issuer    = "https://container.googleapis.com/v1/projects/acme-ops/locations/europe-west3/clusters/packages"
    namespace = "repomill"
  }
  google_ids = {
    publish = "100000000000000000001"
    verify  = "100000000000000000002"
  }
}

run "trust" {
  command = plan

  assert {
    condition = {
      for purpose, role in aws_iam_role.this : purpose => [
        for s in jsondecode(role.assume_role_policy).Statement : s.Condition.StringEquals if s.Principal.Federated != "accounts.google.com"
      ]
      } == {
      for purpose, account in { publish = "worker", serve = "resolver", verify = "audit", stats = "stats" } : purpose => [{
        "container.googleapis.com/v1/projects/acme-ops/locations/europe-west3/clusters/packages:aud" = "sts.amazonaws.com"
        "container.googleapis.com/v1/projects/acme-ops/locations/europe-west3/clusters/packages:sub" = "system:serviceaccount:repomill:repomill-${account}"
      }]
    }
    error_message = "a role can be taken by another service account than its own"
  }

  assert {
    condition = {
      for purpose, role in aws_iam_role.this : purpose => [
        for s in jsondecode(role.assume_role_policy).Statement : s.Condition.StringEquals if s.Principal.Federated == "accounts.google.com"
      ]
      } == {
      publish = [{ "accounts.google.com:aud" = "100000000000000000001", "accounts.google.com:oaud" = "sts.amazonaws.com", "accounts.google.com:sub" = "100000000000000000001" }]
      serve   = []
      verify  = [{ "accounts.google.com:aud" = "100000000000000000002", "accounts.google.com:oaud" = "sts.amazonaws.com", "accounts.google.com:sub" = "100000000000000000002" }]
      stats   = []
    }
    error_message = "a token of Google is not pinned to account and audience"
  }

  assert {
    condition = alltrue(flatten([
      for role in aws_iam_role.this : [
        for s in jsondecode(role.assume_role_policy).Statement :
        s.Action == "sts:AssumeRoleWithWebIdentity" && keys(s.Principal) == ["Federated"] && keys(s.Condition) == ["StringEquals"]
      ]
    ]))
    error_message = "a role can be taken otherwise than with a web identity"
  }

  assert {
    condition     = output.role_arns.serve == "arn:aws:iam::123456789012:role/repomill-ops-serve"
    error_message = "the output does not name the role"
  }
}

run "serve" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role_policy.this["serve"].policy).Statement == [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::acme-packages/.repomill/*", "arn:aws:s3:::acme-packages/install/*"] },
      {
        Effect = "Allow", Action = ["s3:GetObject"], Resource = [
          "arn:aws:s3:::acme-packages/assets/*", "arn:aws:s3:::acme-packages/index.html", "arn:aws:s3:::acme-packages/*/index.html",
          "arn:aws:s3:::acme-packages/*/index.json", "arn:aws:s3:::acme-packages/*/status.json", "arn:aws:s3:::acme-packages/*/feed.atom",
          "arn:aws:s3:::acme-packages/*/p/*.html", "arn:aws:s3:::acme-packages/*/p/*.json",
          "arn:aws:s3:::acme-packages/*/names/*.html", "arn:aws:s3:::acme-packages/*/names/*.json", "arn:aws:s3:::acme-packages/*/snapshots/*.json",
        ]
      },
      {
        Effect   = "Deny", Action = ["s3:GetObject"],
        Resource = ["arn:aws:s3:::acme-packages/.history/*", "arn:aws:s3:::acme-packages/.prepared/*", "arn:aws:s3:::acme-packages/.collect/*", "arn:aws:s3:::acme-packages/.snapshots/*", "arn:aws:s3:::acme-packages/.embargo/*"]
      },
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-packages"] },
    ]
    error_message = "the resolver may read more than settings, what sets clients up, and pages, or less"
  }
}

run "serve_from_the_replica" {
  command = plan
  variables {
    pointers_from = "replica"
  }

  assert {
    condition = alltrue([
      for key in ["", "/.repomill/*", "/install/*", "/*/index.html", "/.history/*"] :
      contains(flatten([for s in jsondecode(aws_iam_role_policy.this["serve"].policy).Statement : s.Resource]), "arn:aws:s3:::acme-packages-replica${key}")
    ])
    error_message = "the resolver may not read the replica"
  }

  assert {
    condition = alltrue([
      for arn in flatten([for s in jsondecode(aws_iam_role_policy.this["serve"].policy).Statement : s.Resource]) :
      startswith("${arn}/", "arn:aws:s3:::acme-packages-replica/")
    ])
    error_message = "the resolver still reads the primary"
  }
}

run "publish_to_the_replica" {
  command = plan
  variables {
    published_from = "replica"
  }

  assert {
    condition = toset(flatten([
      for s in jsondecode(aws_iam_role_policy.this["publish"].policy).Statement : s.Resource if !contains(s.Action, "cloudfront:CreateInvalidation")
    ])) == toset(["arn:aws:s3:::acme-packages-replica", "arn:aws:s3:::acme-packages-replica/*"])
    error_message = "publish may not write the replica, or still the primary"
  }

  assert {
    condition     = contains(flatten([for s in jsondecode(aws_iam_role_policy.this["serve"].policy).Statement : s.Resource]), "arn:aws:s3:::acme-packages")
    error_message = "resolvers leave the primary before the replica is whole"
  }
}

run "who_writes" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for purpose, p in aws_iam_role_policy.this : [
        for s in jsondecode(p.policy).Statement : [for a in s.Action : contains(["s3:GetObject", "s3:ListBucket"], a)]
      ] if purpose != "publish"
    ]))
    error_message = "another role than publish may do more than read"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.this["publish"].policy).Statement : s.Action])) == toset([
      "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "cloudfront:CreateInvalidation",
    ])
    error_message = "publish may do more than write the bucket and invalidate"
  }

  assert {
    condition = alltrue(flatten([
      for p in aws_iam_role_policy.this : [
        for s in jsondecode(p.policy).Statement : [for a in s.Action : !strcontains(a, "*") && !startswith(a, "iam:")] if s.Effect == "Allow"
      ]
    ]))
    error_message = "a role has actions by a pattern, or edits IAM"
  }

  assert {
    condition = [
      for s in jsondecode(aws_iam_role_policy.this["publish"].policy).Statement : s.Resource if contains(s.Action, "cloudfront:CreateInvalidation")
    ] == [["arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"]]
    error_message = "publish may invalidate in other distributions"
  }

  assert {
    condition = alltrue(flatten([
      for s in jsondecode(aws_iam_role_policy.this["publish"].policy).Statement : [
        for r in s.Resource : startswith(r, "arn:aws:s3:::acme-packages/") || r == "arn:aws:s3:::acme-packages" || startswith(r, "arn:aws:cloudfront:")
      ]
    ]))
    error_message = "publish may write another bucket"
  }
}

run "who_reads" {
  command = plan

  assert {
    condition     = toset(flatten([for s in jsondecode(aws_iam_role_policy.this["stats"].policy).Statement : s.Resource])) == toset(["arn:aws:s3:::acme-packages-logs", "arn:aws:s3:::acme-packages-logs/*"])
    error_message = "stats may read more than the logs"
  }

  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.this["verify"].policy).Statement : s.Resource])) == toset([
      "arn:aws:s3:::acme-packages", "arn:aws:s3:::acme-packages/*", "arn:aws:s3:::acme-packages-replica", "arn:aws:s3:::acme-packages-replica/*",
    ])
    error_message = "verify may not read the two buckets of packages, or reads more"
  }
}

run "a_signing_key" {
  command = plan
  variables {
    signing_key_arns = ["arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"]
  }

  assert {
    condition = {
      for purpose, p in aws_iam_role_policy.this : purpose => [for s in jsondecode(p.policy).Statement : s.Resource if contains(s.Action, "kms:Sign")]
      } == {
      publish = [["arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012"]]
      serve   = []
      stats   = []
      verify  = []
    }
    error_message = "others than publish may sign, or with other keys"
  }
}

run "machines_without_a_cluster" {
  command = plan
  variables {
    cluster = null
  }

  assert {
    condition     = keys(aws_iam_role.this) == ["publish", "verify"] && length(aws_iam_openid_connect_provider.cluster) == 0
    error_message = "a role that nothing can take was made"
  }
}
