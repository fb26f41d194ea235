# Cloud SQL has no metric of its backups. It writes an audit log entry for each.
resource "google_logging_metric" "backups" {
  project     = var.project
  name        = "repomill-database-backups"
  description = "Automated backups of the database that have succeeded"
  filter = join(" AND ", [
    "logName = \"projects/${var.project}/logs/cloudaudit.googleapis.com%2Fsystem_event\"",
    "resource.type = \"cloudsql_database\"",
    "resource.labels.database_id = \"${var.project}:${var.database}\"",
    "protoPayload.methodName = \"cloudsql.instances.automatedBackup\"",
    "severity < ERROR",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

# Policies look back 25 hours at most. Backups start at about the same time each day, so that 25 hours without one are a missing
# one. A new environment alerts until its first backup. PromQL needs the kind of resource of a metric that may have several.
resource "google_monitoring_alert_policy" "backup" {
  project               = var.project
  display_name          = "RepomillBackupMissing"
  combiner              = "OR"
  enabled               = var.enabled
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "RepomillBackupMissing"
    condition_prometheus_query_language {
      query               = "(sum(increase(logging_googleapis_com:user_${replace(google_logging_metric.backups.name, "-", "_")}{monitored_resource=\"cloudsql_database\"}[24h])) or vector(0)) < 1"
      duration            = "3600s"
      evaluation_interval = "300s"
      # The metric has no data before the first backup.
      disable_metric_validation = true
    }
  }

  documentation {
    content   = "No automated backup of the database has succeeded for a day."
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}RepomillBackupMissing.md"
    }
  }
}
