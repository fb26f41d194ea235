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
  namespace         = "repomill"
  runbooks          = "https://git.acme.example/runbooks/"
  billing_account   = "01AB23-45CD67-89EF01"
  rules             = <<-YAML
    groups:
      - name: repomill-serving
        rules:
          - {record: "repomill:x:ratio", expr: vector(1)}
          - alert: RepomillClockSkew
            expr: max by (instance) (repomill_resolver_clock_skew_seconds) > 5
            for: 5m
            labels: {severity: warning}
            annotations:
              summary: 'The clock of {{ $labels.instance }} differs by {{ $value | humanizeDuration }}'
              runbook_url: deploy/runbooks/RepomillClockSkew.md
          - alert: RepomillSigningKeyExpires
            expr: min(repomill_signing_key_expiry_timestamp_seconds) - time() < 180 * 86400
            labels: {severity: info}
            annotations: {summary: It expires, runbook_url: deploy/runbooks/RepomillSigningKeyExpires.md}
          - alert: RepomillSigningKeyExpires
            expr: min(repomill_signing_key_expiry_timestamp_seconds) - time() < 7 * 86400
            labels: {severity: critical}
            annotations: {summary: It expires, runbook_url: deploy/runbooks/RepomillSigningKeyExpires.md}
          - alert: RepomillDiskFull
            expr: min(repomill_disk_free_bytes) < 1
            labels: {severity: critical}
            annotations: {summary: It is full, runbook_url: deploy/runbooks/RepomillDiskFull.md}
          - alert: RepomillAuditAbsent
            expr: absent(repomill_audit_last_success_timestamp_seconds)
            for: 1h
            labels: {severity: warning}
            annotations: {summary: It is absent, runbook_url: deploy/runbooks/RepomillAuditAbsent.md}
  YAML
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
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.threshold), values(google_monitoring_alert_policy.rules), google_monitoring_alert_policy.statistics, [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) : length(p.notification_channels) == 2])
    error_message = "an alert has no receiver"
  }

  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.threshold), values(google_monitoring_alert_policy.rules), google_monitoring_alert_policy.statistics, [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) : can(regex("^https://git\\.acme\\.example/runbooks/Repomill[A-Za-z]+\\.md$", p.documentation[0].links[0].url))])
    error_message = "an alert has no runbook"
  }

  assert {
    condition     = jsondecode(google_monitoring_dashboard.google.dashboard_json).mosaicLayout.tiles[1].xPos == 6
    error_message = "the charts lie on each other"
  }
}

run "statistics" {
  command = plan

  assert {
    condition = (
      strcontains(google_monitoring_alert_policy.statistics[0].conditions[0].condition_prometheus_query_language[0].query, "user_repomill_statistics_runs{") &&
      google_logging_metric.statistics.name == "repomill-statistics-runs" &&
      can(regex("textPayload =~ \"(.*)\"$", google_logging_metric.statistics.filter)) &&
      can(regex(regex("textPayload =~ \"(.*)\"$", google_logging_metric.statistics.filter)[0], "1 log counted, 23 unchanged: 5 lines, 4 downloads"))
    )
    error_message = "the alert on statistics does not count the last line of a run"
  }
}

run "rules" {
  command = plan

  assert {
    condition = { for k, p in google_monitoring_alert_policy.rules : k => "${p.display_name} ${p.severity} ${p.conditions[0].condition_prometheus_query_language[0].duration}" } == {
      "RepomillAuditAbsent-warning"        = "RepomillAuditAbsent WARNING 3600s"
      "RepomillClockSkew-warning"          = "RepomillClockSkew WARNING 300s"
      "RepomillSigningKeyExpires-critical" = "RepomillSigningKeyExpires CRITICAL 0s"
      "RepomillSigningKeyExpires-info"     = "RepomillSigningKeyExpires WARNING 0s"
    }
    error_message = "the policies are not the alerts of the rules"
  }

  assert {
    condition = (
      google_monitoring_alert_policy.rules["RepomillClockSkew-warning"].conditions[0].condition_prometheus_query_language[0].query == "max by (instance) (repomill_resolver_clock_skew_seconds) > 5" &&
      google_monitoring_alert_policy.rules["RepomillClockSkew-warning"].documentation[0].content == "The clock of … differs by …"
    )
    error_message = "a policy has another query or text than its rule"
  }
}

run "alerts_before_the_chart" {
  command = plan
  variables {
    enabled = false
    omit    = ["RepomillAuditAbsent", "RepomillStatisticsBehind"]
  }

  assert {
    condition     = alltrue([for p in concat(values(google_monitoring_alert_policy.threshold), values(google_monitoring_alert_policy.rules), google_monitoring_alert_policy.statistics, [google_monitoring_alert_policy.backup, google_monitoring_alert_policy.uptime, google_monitoring_alert_policy.keys]) : !p.enabled])
    error_message = "an alert is sent before anything runs"
  }

  assert {
    condition     = !contains(keys(google_monitoring_alert_policy.rules), "RepomillAuditAbsent-warning") && length(google_monitoring_alert_policy.statistics) == 0
    error_message = "an alert that is left out is there"
  }
}

run "a_typo_in_the_name_of_an_alert" {
  command = plan
  variables {
    omit = ["RepomillAuditAbsnt"]
  }
  expect_failures = [var.omit]
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
