resource "google_service_account" "dataflow" {
  project      = var.project
  account_id   = "repomill-dataflow"
  display_name = "repomill on Dataflow: reads staging, stores packages"
}

resource "google_storage_bucket" "dataflow" {
  project                     = var.project
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  # Files of jobs that ended. Templates stay.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 14
      matches_prefix = ["temp/", "staging/"]
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }
}

# The description of the template, which gcloud dataflow flex-template build would write. Jobs are launched from it and are not
# Terraform's: one that ended would be started by each apply.
resource "google_storage_bucket_object" "template" {
  count = var.launcher_image == null ? 0 : 1

  bucket       = google_storage_bucket.dataflow.name
  name         = "templates/repomill-ingest.json"
  content_type = "application/json"
  content = jsonencode({
    image    = var.launcher_image
    sdkInfo  = { language = "GO" }
    metadata = jsondecode(var.metadata)
    defaultEnvironment = {
      serviceAccountEmail = google_service_account.dataflow.email
      subnetwork          = google_compute_subnetwork.dataflow.self_link
      ipConfiguration     = "WORKER_IP_PRIVATE"
      machineType         = var.machine_type
      maxWorkers          = var.max_workers
      sdkContainerImage   = var.worker_image
      stagingLocation     = "gs://${google_storage_bucket.dataflow.name}/staging"
      tempLocation        = "gs://${google_storage_bucket.dataflow.name}/temp"
    }
  })
}
