resource "google_project_iam_member" "worker" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.dataflow.member
}

# They read packages, and write and replace verdicts.
resource "google_storage_bucket_iam_member" "staging" {
  bucket = var.staging_bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.dataflow.member
}

resource "google_storage_bucket_iam_member" "dataflow" {
  bucket = google_storage_bucket.dataflow.name
  role   = "roles/storage.objectUser"
  member = google_service_account.dataflow.member
}

resource "google_artifact_registry_repository_iam_member" "images" {
  project    = var.project
  location   = var.registry.location
  repository = var.registry.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.dataflow.member
}

# Launch, watch and cancel jobs, and nothing else: roles/dataflow.admin also reads and writes all buckets.
resource "google_project_iam_custom_role" "launch" {
  project     = var.project
  role_id     = "repomillLaunch"
  title       = "repomill: launch jobs"
  description = "Launch Dataflow jobs from a template, watch and cancel them."
  permissions = [
    "dataflow.jobs.cancel",
    "dataflow.jobs.create",
    "dataflow.jobs.get",
    "dataflow.jobs.list",
    "dataflow.messages.list",
    "dataflow.metrics.get",
    "resourcemanager.projects.get",
  ]
}

resource "google_project_iam_member" "launch" {
  for_each = var.release_managers

  project = var.project
  role    = "projects/${var.project}/roles/${google_project_iam_custom_role.launch.role_id}"
  member  = each.value
}

# A job runs as the service account of the workers: its launcher has to be allowed to use that.
resource "google_service_account_iam_member" "launch" {
  for_each = var.release_managers

  service_account_id = google_service_account.dataflow.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

resource "google_storage_bucket_iam_member" "launch" {
  for_each = var.release_managers

  bucket = google_storage_bucket.dataflow.name
  role   = "roles/storage.objectViewer"
  member = each.value

  condition {
    title      = "templates only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/templates/\")"
  }
}
