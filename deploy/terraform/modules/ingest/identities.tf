# deploy/machines.md, section 1, has the permissions that each program needs on the staging bucket.

resource "google_service_account" "worker" {
  project      = var.project
  account_id   = "repomill-worker"
  display_name = "repomill worker: reads staging, signs and publishes"
}

resource "google_service_account" "api" {
  project      = var.project
  account_id   = "repomill-api"
  display_name = "repomill API: writes staging"
}

resource "google_storage_bucket_iam_member" "worker" {
  bucket = google_storage_bucket.staging.name
  role   = "roles/storage.objectUser"
  member = google_service_account.worker.member
}

resource "google_pubsub_subscription_iam_member" "worker" {
  project      = var.project
  subscription = google_pubsub_subscription.repomill.name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.worker.member
}

# Custom roles: no predefined role creates and reads objects without listing them.
resource "google_project_iam_custom_role" "stage" {
  project     = var.project
  role_id     = "repomillStage"
  title       = "repomill: stage uploads"
  description = "Create and read objects."
  permissions = ["storage.objects.create", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "push" {
  project     = var.project
  role_id     = "repomillPush"
  title       = "repomill: push"
  description = "Create and read objects, and replace one of the same name."
  permissions = ["storage.objects.create", "storage.objects.get", "storage.objects.delete"]
}

resource "google_project_iam_custom_role" "incoming" {
  project     = var.project
  role_id     = "repomillIncoming"
  title       = "repomill: clean up forms"
  description = "List and delete objects. It is granted below .incoming/ only."
  permissions = ["storage.objects.list", "storage.objects.delete"]
}

locals {
  # Known before the roles are made, so that a plan shows who gets which.
  roles = {
    stage    = "projects/${var.project}/roles/${google_project_iam_custom_role.stage.role_id}"
    push     = "projects/${var.project}/roles/${google_project_iam_custom_role.push.role_id}"
    incoming = "projects/${var.project}/roles/${google_project_iam_custom_role.incoming.role_id}"
  }
}

resource "google_storage_bucket_iam_member" "api" {
  bucket = google_storage_bucket.staging.name
  role   = local.roles.stage
  member = google_service_account.api.member
}

# Forms of packagecloud's clients may send the file before its place.
resource "google_storage_bucket_iam_member" "api_incoming" {
  bucket = google_storage_bucket.staging.name
  role   = local.roles.incoming
  member = google_service_account.api.member

  condition {
    title       = "below .incoming"
    description = "Objects below .incoming/, and lists of them."
    expression = join(" || ", [
      "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/.incoming/\")",
      "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\".incoming/\")",
    ])
  }
}

resource "google_storage_bucket_iam_member" "push" {
  for_each = var.pushers

  bucket = google_storage_bucket.staging.name
  role   = local.roles.push
  member = each.value
}
