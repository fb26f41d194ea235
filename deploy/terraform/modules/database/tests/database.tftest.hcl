mock_provider "google" {}

variables {
  project             = "acme-packages"
  region              = "europe-west3"
  network             = "projects/acme-packages/global/networks/repomill"
  address_range       = "10.64.0.0"
  tier                = "db-n1-standard-4"
  disk_gb             = 100
  deletion_protection = true
  users               = { worker = "repomill-worker@acme-packages.iam.gserviceaccount.com" }
}

run "instance" {
  command = plan

  assert {
    condition     = google_sql_database_instance.catalog.database_version == "MYSQL_8_4" && google_sql_database_instance.catalog.settings[0].availability_type == "REGIONAL"
    error_message = "it is not MySQL 8.4 with a standby"
  }

  assert {
    condition     = !google_sql_database_instance.catalog.settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.catalog.settings[0].ip_configuration[0].private_network == var.network
    error_message = "it has a public address"
  }

  assert {
    condition = (
      google_sql_database_instance.catalog.settings[0].connector_enforcement == "REQUIRED" &&
      google_sql_database_instance.catalog.settings[0].ip_configuration[0].ssl_mode == "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    )
    error_message = "passwords, or connections without TLS, get in"
  }

  assert {
    condition     = google_sql_database_instance.catalog.deletion_protection && google_sql_database_instance.catalog.settings[0].deletion_protection_enabled
    error_message = "both protections against deletion are needed: Terraform's and Google's"
  }

  assert {
    condition = (
      google_sql_database_instance.catalog.settings[0].backup_configuration[0].enabled &&
      google_sql_database_instance.catalog.settings[0].backup_configuration[0].binary_log_enabled &&
      google_sql_database_instance.catalog.settings[0].backup_configuration[0].transaction_log_retention_days == 7 &&
      google_sql_database_instance.catalog.settings[0].backup_configuration[0].backup_retention_settings[0].retained_backups == 30 &&
      google_sql_database_instance.catalog.settings[0].final_backup_config[0].enabled
    )
    error_message = "30 backups, seven days of point-in-time recovery and a final backup are needed"
  }

  assert {
    condition     = { for f in google_sql_database_instance.catalog.settings[0].database_flags : f.name => f.value }["cloudsql_iam_authentication"] == "on"
    error_message = "service accounts cannot log in"
  }

  assert {
    condition     = { for f in google_sql_database_instance.catalog.settings[0].database_flags : f.name => f.value }["max_allowed_packet"] == "67108864"
    error_message = "repomill migrate refuses a max_allowed_packet below 64 MiB"
  }
}

run "users_without_passwords" {
  command = plan

  assert {
    condition     = alltrue([for u in google_sql_user.this : u.type == "CLOUD_IAM_SERVICE_ACCOUNT" && u.password == null])
    error_message = "a user has a password"
  }

  assert {
    condition     = output.catalog_urls == { worker = "mysql://repomill-worker@127.0.0.1:3306/repomill" }
    error_message = "the URL of the catalog is another one"
  }

  assert {
    condition = alltrue([
      for m in google_project_iam_member.users : m.condition[0].expression == join("", [
        "resource.type == \"sqladmin.googleapis.com/Instance\" && ",
        "(resource.name == \"projects/acme-packages/instances/repomill\" || resource.name.startsWith(\"projects/acme-packages/instances/repomill-\"))",
      ])
    ])
    error_message = "the role is not narrowed to this database and those restored from it"
  }
}

run "a_flag_of_the_module_cannot_be_replaced" {
  command = plan
  variables {
    flags = { max_allowed_packet = "1024", max_connections = "1000" }
  }

  assert {
    condition     = { for f in google_sql_database_instance.catalog.settings[0].database_flags : f.name => f.value if startswith(f.name, "max_") } == { max_allowed_packet = "67108864", max_connections = "1000" }
    error_message = "flags replace those of the module"
  }
}

run "a_shared_cpu" {
  command = plan
  variables {
    tier = "db-f1-micro"
  }
  expect_failures = [var.tier]
}
