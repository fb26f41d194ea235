output "runbooks" {
  description = "Runbook of each alert, a file in deploy/runbooks."
  value = { for name, files in { for p in concat(values(google_monitoring_alert_policy.threshold), values(google_monitoring_alert_policy.rules), google_monitoring_alert_policy.statistics, [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) :
    p.display_name => trimprefix(p.documentation[0].links[0].url, var.runbooks)...
    } : name => files[0]
  }
}
