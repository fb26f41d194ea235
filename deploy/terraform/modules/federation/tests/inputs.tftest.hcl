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

run "nothing_takes_the_roles" {
  command = plan
  variables {
    cluster    = null
    google_ids = {}
  }
  expect_failures = [var.cluster]
}

run "every_namespace" {
  command = plan
  variables {
    cluster = { issuer = "https://issuer.example", namespace = "*" }
  }
  expect_failures = [var.cluster]
}

run "an_address_of_a_service_account" {
  command = plan
  variables {
    google_ids = { serve = "repomill-resolver@acme-ops.iam.gserviceaccount.com" }
  }
  expect_failures = [var.google_ids]
}

run "an_unknown_purpose" {
  command = plan
  variables {
    google_ids = { admin = "100000000000000000003" }
  }
  expect_failures = [var.google_ids]
}

run "an_alias_of_a_key" {
  command = plan
  variables {
    signing_key_arns = ["arn:aws:kms:eu-central-1:123456789012:alias/releases"]
  }
  expect_failures = [var.signing_key_arns]
}
