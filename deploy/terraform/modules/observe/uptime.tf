# From outside, through the load balancer: /healthz of the resolver.
resource "google_monitoring_uptime_check_config" "resolver" {
  project            = var.project
  display_name       = "repomill ${var.host}"
  timeout            = "10s"
  period             = "60s"
  log_check_failures = true

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = var.host }
  }

  http_check {
    path         = "/healthz"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }
}

resource "google_monitoring_alert_policy" "uptime" {
  project               = var.project
  display_name          = "RepomillUnreachable"
  combiner              = "OR"
  enabled               = var.enabled
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "RepomillUnreachable"
    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.resolver.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }

  documentation {
    content   = "Two places or more outside cannot reach https://${var.host}/healthz."
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}RepomillResolverAbsent.md"
    }
  }
}
