# What Google measures. deploy/monitoring/dashboards has the dashboards of repomill's own metrics, for Grafana.
locals {
  charts = [
    { title = "Notifications that wait", query = "pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id=~\"${var.subscription}|${var.dead_subscription}\"}" },
    { title = "Oldest notification, seconds", query = "pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=~\"${var.subscription}|${var.dead_subscription}\"}" },
    { title = "CPU of the database", query = "cloudsql_googleapis_com:database_cpu_utilization{monitored_resource=\"cloudsql_database\",database_id=\"${var.project}:${var.database}\"}" },
    { title = "Disk of the database", query = "cloudsql_googleapis_com:database_disk_utilization{monitored_resource=\"cloudsql_database\",database_id=\"${var.project}:${var.database}\"}" },
    { title = "Connections of the database", query = "cloudsql_googleapis_com:database_network_connections{monitored_resource=\"cloudsql_database\",database_id=\"${var.project}:${var.database}\"}" },
    { title = "Backups in a day", query = "sum(increase(logging_googleapis_com:user_${replace(google_logging_metric.backups.name, "-", "_")}{monitored_resource=\"cloudsql_database\"}[24h]))" },
  ]
}

resource "google_monitoring_dashboard" "google" {
  project = var.project
  dashboard_json = jsonencode({
    displayName = "repomill: Google services"
    mosaicLayout = {
      columns = 12
      tiles = [for i, chart in local.charts : {
        xPos   = (i % 2) * 6
        yPos   = floor(i / 2) * 4
        width  = 6
        height = 4
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [{ timeSeriesQuery = { prometheusQuery = chart.query }, plotType = "LINE" }]
          }
        }
      }]
    }
  })
}
