mock_provider "aws" {}

mock_provider "aws" {
  alias = "replica"
}

variables {
  account_id       = "123456789012"
  name             = "acme-packages"
  publish_role_arn = "arn:aws:iam::123456789012:role/repomill-ops-publish"
  distribution_arn = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"
  pool_prefixes    = ["acme/tools/ubuntu/pool/"]
}

run "a_short_account" {
  command = plan
  variables {
    account_id = "12345"
  }
  providers = {
    aws         = aws
    aws.replica = aws.replica
  }
  expect_failures = [var.account_id]
}

run "a_name_with_dots" {
  command = plan
  variables {
    name = "packages.acme.example"
  }
  providers = {
    aws         = aws
    aws.replica = aws.replica
  }
  expect_failures = [var.name]
}

run "any_role_may_delete" {
  command = plan
  variables {
    publish_role_arn = "arn:aws:iam::123456789012:role/*"
  }
  providers = {
    aws         = aws
    aws.replica = aws.replica
  }
  expect_failures = [var.publish_role_arn]
}

run "a_prefix_with_indexes" {
  command = plan
  variables {
    pool_prefixes = ["acme/tools/ubuntu/dists/"]
  }
  providers = {
    aws         = aws
    aws.replica = aws.replica
  }
  expect_failures = [var.pool_prefixes]
}

run "versions_for_a_week" {
  command = plan
  variables {
    noncurrent_days = 7
  }
  providers = {
    aws         = aws
    aws.replica = aws.replica
  }
  expect_failures = [var.noncurrent_days]
}
