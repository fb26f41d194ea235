# Who applies brings the credentials: gcloud auth application-default login, and AWS SSO. None is in a file here.
provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
}

# sts_region: CloudFront and IAM are changed there, too, so that a fail-over needs neither region of the buckets.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = [var.aws_account]
  sts_region          = "us-east-1"

  default_tags {
    tags = local.labels
  }
}

provider "aws" {
  alias               = "replica"
  region              = var.aws_replica_region
  allowed_account_ids = [var.aws_account]
  sts_region          = "us-east-1"

  default_tags {
    tags = local.labels
  }
}

# CloudFront takes certificates from there, and delivers logs there.
provider "aws" {
  alias               = "us_east_1"
  region              = "us-east-1"
  allowed_account_ids = [var.aws_account]
  sts_region          = "us-east-1"

  default_tags {
    tags = local.labels
  }
}
