data "google_project" "this" {
  project_id = var.project
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project
  display_name = "repomill ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
}

locals {
  channels = concat(sort(var.channels), [for c in google_monitoring_notification_channel.email : c.id])

  # What only Google knows. deploy/monitoring/rules.yml has the alerts on repomill's own metrics.
  alerts = {
    RepomillDeadLetters = {
      runbook  = "RepomillDeadLetters"
      severity = "WARNING"
      about    = "Pub/Sub has moved notifications to ${var.dead_subscription}: workers could not acknowledge them in 100 attempts."
      filter   = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${var.dead_subscription}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      above    = 0
      duration = "0s"
    }
    RepomillNotificationsWait = {
      runbook  = "RepomillUploadStuck"
      severity = "ERROR"
      about    = "A notification has waited for 15 minutes for a worker."
      filter   = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${var.subscription}\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      above    = 900
      duration = "300s"
    }
    RepomillDatabaseDisk = {
      runbook  = "RepomillCatalogDown"
      severity = "ERROR"
      about    = "The disk of the database is 90 % full, and has not grown."
      filter   = "resource.type = \"cloudsql_database\" AND resource.labels.database_id = \"${var.project}:${var.database}\" AND metric.type = \"cloudsql.googleapis.com/database/disk/utilization\""
      above    = 0.9
      duration = "900s"
    }
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = local.alerts

  project               = var.project
  display_name          = each.key
  combiner              = "OR"
  enabled               = var.enabled
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.key
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = each.value.duration

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content   = each.value.about
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}${each.value.runbook}.md"
    }
  }
}
