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

# Signing with a key is daily work. Ending a version of one, or giving others a right on it, is not.
resource "google_monitoring_alert_policy" "keys" {
  project               = var.project
  display_name          = "RepomillSigningKeyChanged"
  combiner              = "OR"
  enabled               = var.enabled
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "RepomillSigningKeyChanged"
    condition_matched_log {
      filter = join(" AND ", [
        "logName : \"cloudaudit.googleapis.com\"",
        "protoPayload.serviceName = \"cloudkms.googleapis.com\"",
        "protoPayload.methodName =~ \"(DestroyCryptoKeyVersion|UpdateCryptoKeyVersion|SetIamPolicy)$\"",
      ])
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    content   = "A version of a signing key was ended or changed, or the rights on a key were."
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}RepomillSigningKeyFails.md"
    }
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
