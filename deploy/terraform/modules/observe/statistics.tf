# The statistics are a CronJob, which no one asks for metrics. What a run prints at its end is counted.
resource "google_logging_metric" "statistics" {
  project     = var.project
  name        = "repomill-statistics-runs"
  description = "Runs of repomill stats that have ended"
  filter = join(" AND ", [
    "resource.type = \"k8s_container\"",
    "resource.labels.namespace_name = \"${var.namespace}\"",
    "resource.labels.container_name = \"stats\"",
    "textPayload =~ \"^[0-9]+ logs? counted, [0-9]+ unchanged: \"",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_monitoring_alert_policy" "statistics" {
  count = contains(var.omit, "RepomillStatisticsBehind") ? 0 : 1

  project               = var.project
  display_name          = "RepomillStatisticsBehind"
  combiner              = "OR"
  enabled               = var.enabled
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "RepomillStatisticsBehind"
    condition_prometheus_query_language {
      query               = "(sum(increase(logging_googleapis_com:user_${replace(google_logging_metric.statistics.name, "-", "_")}{monitored_resource=\"k8s_container\"}[6h])) or vector(0)) < 1"
      duration            = "3600s"
      evaluation_interval = "300s"
      # The metric has no data before the first run.
      disable_metric_validation = true
    }
  }

  documentation {
    content   = "No run of the statistics has ended for six hours."
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}RepomillStatisticsBehind.md"
    }
  }
}
