output "account" {
  description = "Service account of the workers of jobs: email, member of IAM policies, resource name, numeric id."
  value = {
    email     = google_service_account.dataflow.email
    member    = google_service_account.dataflow.member
    name      = google_service_account.dataflow.name
    unique_id = google_service_account.dataflow.unique_id
  }
}

output "template" {
  description = "Value of gcloud dataflow flex-template run --template-file-gcs-location; null without images."
  value       = one([for t in google_storage_bucket_object.template : "gs://${t.bucket}/${t.name}"])
}

output "staging_location" {
  description = "Value of repomill-beam --staging-location."
  value       = "gs://${google_storage_bucket.dataflow.name}/staging"
}

output "subnetwork" {
  description = "Value of repomill-beam --subnetwork."
  value       = google_compute_subnetwork.dataflow.self_link
}
