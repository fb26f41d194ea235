# The same files in pre and ops: the environments differ in terraform.tfvars and backend.hcl.
locals {
  labels = { app = "repomill", environment = var.environment }

  url_secret = "repomill-url-key"

  # All APIs are on before anything is made that needs one.
  project = one(distinct([for s in google_project_service.this : s.project]))
}

data "google_project" "this" {
  project_id = var.project

  lifecycle {
    postcondition {
      condition     = try(self.labels["repomill-environment"], "") == var.environment
      error_message = "The project ${var.project} is not labelled repomill-environment=${var.environment}. If it is the right one: gcloud alpha projects update ${var.project} --update-labels=repomill-environment=${var.environment}"
    }
  }
}

resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "billingbudgets.googleapis.com",
    "certificatemanager.googleapis.com",
    "cloudkms.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "dataflow.googleapis.com",
    "dns.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ])

  project            = data.google_project.this.project_id
  service            = each.value
  disable_on_destroy = false
}

resource "google_compute_network" "this" {
  project                 = local.project
  name                    = "repomill"
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}
