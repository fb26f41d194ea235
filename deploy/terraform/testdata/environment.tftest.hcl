# Makes an environment of mocks. google_test.go runs this in both environments, and examines what was made.
mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "424242424242" }
  }

  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-424242424242@gs-project-accounts.iam.gserviceaccount.com" }
  }

  mock_resource "google_certificate_manager_dns_authorization" {
    defaults = { dns_resource_record = [{ name = "_acme-challenge.example.", type = "CNAME", data = "proof.example." }] }
  }
}

mock_provider "aws" {}

mock_provider "aws" {
  alias = "replica"
}

mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_acm_certificate" {
    defaults = {
      domain_validation_options = [{
        domain_name           = "cdn.example"
        resource_record_name  = "_proof.cdn.example."
        resource_record_type  = "CNAME"
        resource_record_value = "proof.example."
      }]
    }
  }
}

override_data {
  target = data.google_project.this
  values = { number = "424242424242", labels = { repomill-environment = "ENVIRONMENT" }, project_id = "PROJECT" }
}

override_resource {
  target = module.ingest.google_service_account.worker
  values = {
    email     = "repomill-worker@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-worker@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-worker@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000000"
  }
}

override_resource {
  target = module.ingest.google_service_account.api
  values = {
    email     = "repomill-api@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-api@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-api@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = module.serve.google_service_account.nodes
  values = {
    email     = "repomill-nodes@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-nodes@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-nodes@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000002"
  }
}

override_resource {
  target = module.pipeline.google_service_account.dataflow
  values = {
    email     = "repomill-dataflow@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-dataflow@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-dataflow@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000003"
  }
}

override_resource {
  target = module.serve.google_service_account.own["repomill-resolver"]
  values = {
    email     = "repomill-resolver@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-resolver@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-resolver@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000004"
  }
}

override_resource {
  target = module.serve.google_service_account.own["repomill-audit"]
  values = {
    email     = "repomill-audit@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-audit@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-audit@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000005"
  }
}

override_resource {
  target = module.serve.google_service_account.own["repomill-stats"]
  values = {
    email     = "repomill-stats@PROJECT.iam.gserviceaccount.com"
    member    = "serviceAccount:repomill-stats@PROJECT.iam.gserviceaccount.com"
    name      = "projects/PROJECT/serviceAccounts/repomill-stats@PROJECT.iam.gserviceaccount.com"
    unique_id = "100000000000000000006"
  }
}

override_resource {
  target = module.cdn.aws_cloudfront_distribution.this
  values = { arn = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE" }
}

run "environment" {
  command = apply
}
