output "bucket" {
  description = "Name of the staging bucket."
  value       = google_storage_bucket.staging.name
}

output "staging_url" {
  description = "Value of --staging."
  value       = "gs://${google_storage_bucket.staging.name}"
}

output "events_url" {
  description = "Value of the worker's --events."
  value       = "pubsub://${var.project}/${google_pubsub_subscription.repomill.name}"
}

output "dead_subscription" {
  description = "Name of the subscription that holds dead letters."
  value       = google_pubsub_subscription.dead.name
}

output "subscription" {
  description = "Name of the subscription of the workers."
  value       = google_pubsub_subscription.repomill.name
}

output "worker" {
  description = "Service account of the workers: email, member of IAM policies, resource name, numeric id."
  value = {
    email     = google_service_account.worker.email
    member    = google_service_account.worker.member
    name      = google_service_account.worker.name
    unique_id = google_service_account.worker.unique_id
  }
}

output "api" {
  description = "Service account of the API: email, member of IAM policies, resource name, numeric id."
  value = {
    email     = google_service_account.api.email
    member    = google_service_account.api.member
    name      = google_service_account.api.name
    unique_id = google_service_account.api.unique_id
  }
}
