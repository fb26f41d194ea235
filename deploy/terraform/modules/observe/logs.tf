# Who used the signing keys, read a secret or changed a right. Google writes logs of admin activity without being asked, those of
# reading and signing only where that is switched on.
resource "google_project_iam_audit_config" "reads" {
  for_each = toset(["cloudkms.googleapis.com", "secretmanager.googleapis.com"])

  project = var.project
  service = each.value

  audit_log_config {
    log_type = "DATA_READ"
  }
  audit_log_config {
    log_type = "DATA_WRITE"
  }
}

resource "google_logging_project_bucket_config" "audit" {
  project        = var.project
  location       = var.region
  bucket_id      = "repomill-audit"
  description    = "Audit logs of the project"
  retention_days = var.log_days
}

resource "google_logging_project_sink" "audit" {
  project                = var.project
  name                   = "repomill-audit"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.audit.id}"
  filter                 = "logName : \"cloudaudit.googleapis.com\""
  unique_writer_identity = true
}
