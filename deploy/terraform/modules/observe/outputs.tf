output "alerts" {
  description = "Names of the alerts, each of which has a runbook."
  value = sort(concat(keys(local.alerts), [
    google_monitoring_alert_policy.backup.display_name,
    google_monitoring_alert_policy.uptime.display_name,
  ]))
}
