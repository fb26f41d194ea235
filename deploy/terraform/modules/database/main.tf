locals {
  flags = merge(var.flags, {
    cloudsql_iam_authentication = "on"
    # Rows of a commit are sent in statements of up to 64 MiB.
    max_allowed_packet = tostring(64 * 1024 * 1024)
    local_infile       = "off"
    slow_query_log     = "on"
    long_query_time    = "2"
    log_output         = "FILE"
  })
}

resource "google_sql_database_instance" "catalog" {
  project             = var.project
  region              = var.region
  name                = "repomill"
  database_version    = "MYSQL_8_4"
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.availability
    deletion_protection_enabled = var.deletion_protection
    disk_type                   = "PD_SSD"
    disk_size                   = var.disk_gb
    disk_autoresize             = true
    disk_autoresize_limit       = var.disk_limit_gb
    # Only Google's connectors get in: the programs connect to the Cloud SQL Auth Proxy beside them.
    connector_enforcement    = "REQUIRED"
    retain_backups_on_delete = true
    user_labels              = var.labels

    ip_configuration {
      ipv4_enabled       = false
      private_network    = var.network
      allocated_ip_range = google_compute_global_address.services.name
      # The proxy has one, which Google renews every hour.
      ssl_mode = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = var.backup_start
      location                       = var.region
      binary_log_enabled             = true
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.retained_backups
        retention_unit   = "COUNT"
      }
    }

    final_backup_config {
      enabled        = true
      retention_days = 30
    }

    maintenance_window {
      day          = var.maintenance.day
      hour         = var.maintenance.hour
      update_track = var.maintenance.track
    }

    insights_config {
      query_insights_enabled  = true
      query_string_length     = 1024
      record_application_tags = false
      record_client_address   = false
    }

    dynamic "database_flags" {
      for_each = local.flags
      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    # The disk grows by itself, and cannot shrink.
    ignore_changes = [settings[0].disk_size]
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_sql_database" "catalog" {
  project         = var.project
  instance        = google_sql_database_instance.catalog.name
  name            = "repomill"
  charset         = "utf8mb4"
  collation       = "utf8mb4_bin"
  deletion_policy = var.deletion_protection ? "ABANDON" : "DELETE"
}
