# The providers are pinned here; the lock file that terraform init writes adds their checksums, and is committed by the
# platform team with its backend.hcl and terraform.tfvars.
terraform {
  required_version = ">= 1.9, < 2"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "7.9.0"
    }
    aws = {
      source  = "hashicorp/aws"
      version = "6.47.0"
    }
  }

  # terraform init -backend-config=backend.hcl
  backend "gcs" {}
}
