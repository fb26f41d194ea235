output "connection_name" {
  description = "Name of the database for the Cloud SQL Auth Proxy: PROJECT:REGION:INSTANCE."
  value       = "${var.project}:${var.region}:${google_sql_database_instance.catalog.name}"
}

output "instance" {
  description = "Name of the database instance."
  value       = google_sql_database_instance.catalog.name
}

output "catalog_urls" {
  description = "Value of --catalog for each user, beside a Cloud SQL Auth Proxy on port 3306 of the loopback interface."
  value = { for user, email in var.users :
    user => "mysql://${split("@", email)[0]}@127.0.0.1:3306/${google_sql_database.catalog.name}"
  }
}

output "address_range" {
  description = "Addresses among which is that of the database."
  value       = "${var.address_range}/20"
}
