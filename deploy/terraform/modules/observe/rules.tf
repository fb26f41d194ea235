# The alerts of deploy/monitoring/rules.yml, evaluated by Google on the metrics that the cluster sends, and sent to the same channels as the
# others. The chart has the recording rules that some of them read: its monitoring.rules stays on.
locals {
  severities = { critical = "CRITICAL", error = "ERROR", warning = "WARNING", info = "WARNING" }
  seconds    = { s = 1, m = 60, h = 3600 }

  # An alert has a rule for each of its severities.
  rules = merge([
    for group in yamldecode(var.rules).groups : {
      for rule in group.rules : "${rule.alert}-${rule.labels.severity}" => {
        group    = group.name
        alert    = rule.alert
        severity = rule.labels.severity
        query    = rule.expr
        duration = "${tonumber(regex("^[0-9]+", try(rule["for"], "0s"))) * local.seconds[regex("[a-z]+$", try(rule["for"], "0s"))]}s"
        # Google has the values beside the text, and does not know Prometheus' templates.
        about   = replace(rule.annotations.summary, "/\\{\\{[^}]*\\}\\}/", "…")
        runbook = basename(rule.annotations.runbook_url)
      } if can(rule.alert) && !contains(concat(tolist(var.omit), ["RepomillBackupMissing", "RepomillDeadLetters", "RepomillDiskFull"]), try(rule.alert, ""))
    }
  ]...)
}

# Not those of one machine, and not those for which this module asks Google's own metrics.
resource "google_monitoring_alert_policy" "rules" {
  for_each = local.rules

  project               = var.project
  display_name          = each.value.alert
  combiner              = "OR"
  enabled               = var.enabled
  severity              = local.severities[each.value.severity]
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.alert
    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "30s"
      rule_group          = each.value.group
      alert_rule          = each.value.alert
      labels              = { severity = each.value.severity }
      # No metric is there before the chart is.
      disable_metric_validation = true
    }
  }

  documentation {
    content   = each.value.about
    mime_type = "text/markdown"
    links {
      display_name = "Runbook"
      url          = "${var.runbooks}${each.value.runbook}"
    }
  }
}
