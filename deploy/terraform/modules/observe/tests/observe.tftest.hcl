mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "424242424242" }
  }
}

variables {
  project           = "acme-packages"
  region            = "europe-west3"
  host              = "packages.acme.example"
  emails            = ["oncall@acme.example"]
  channels          = ["projects/acme-packages/notificationChannels/42"]
  subscription      = "repomill"
  dead_subscription = "staging-dead"
  database          = "repomill"
  runbooks          = "https://git.acme.example/runbooks/"
  billing_account   = "01AB23-45CD67-89EF01"
}

run "alerts" {
  command = apply

  assert {
    condition     = strcontains(google_monitoring_alert_policy.threshold["RepomillDeadLetters"].conditions[0].condition_threshold[0].filter, "subscription_id = \"staging-dead\"") && google_monitoring_alert_policy.threshold["RepomillDeadLetters"].conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "there is no alert on dead letters"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.backup.conditions[0].condition_prometheus_query_language[0].query, "user_repomill_database_backups") && google_logging_metric.backups.name == "repomill-database-backups"
    error_message = "the alert on backups asks for another metric"
  }

  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) : length(p.notification_channels) == 2])
    error_message = "an alert has no receiver"
  }

  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.threshold), [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) : can(regex("^https://git\\.acme\\.example/runbooks/Repomill[A-Za-z]+\\.md$", p.documentation[0].links[0].url))])
    error_message = "an alert has no runbook"
  }

  assert {
    condition     = jsondecode(google_monitoring_dashboard.google.dashboard_json).mosaicLayout.tiles[1].xPos == 6
    error_message = "the charts lie on each other"
  }
}

run "audit_logs" {
  command = plan

  assert {
    condition     = google_logging_project_bucket_config.audit.retention_days == 400 && join(" ", keys(google_project_iam_audit_config.reads)) == "cloudkms.googleapis.com secretmanager.googleapis.com"
    error_message = "who used a signing key is not written down for a year"
  }
}

run "no_budget" {
  command = plan
  variables {
    billing_account = ""
  }

  assert {
    condition     = length(google_billing_budget.this) == 0
    error_message = "there is a budget without a billing account"
  }
}

run "a_name_for_a_billing_account" {
  command = plan
  variables {
    billing_account = "ACME"
  }
  expect_failures = [var.billing_account]
}
