# The bucket that CI and the API put packages into. Verdicts lie beside the packages, under .results/.
resource "google_storage_bucket" "staging" {
  project                     = var.project
  name                        = var.bucket
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  # Workers remove finished uploads and their verdicts after their --retention, 7 days. A rule by age cannot see which uploads
  # are finished: the next one only removes what was rejected, and files that are not uploads.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = var.staging_days
    }
  }

  # Files of forms whose place is not known yet. The API removes them after a day.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 2
      matches_prefix = [".incoming/"]
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
}
