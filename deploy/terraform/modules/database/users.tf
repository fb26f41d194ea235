# Users have no passwords. The Cloud SQL Auth Proxy (--auto-iam-authn) logs a program in with its service account. A new user
# may do nothing until the statements of README.md, section "Rights in the database", have run.
resource "google_sql_user" "this" {
  for_each = var.users

  project  = var.project
  instance = google_sql_database_instance.catalog.name
  name     = each.value
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
}

locals {
  # Cloud SQL's roles can be granted to projects only. The condition narrows them to this database and to those that a backup of it
  # is restored to, whose names begin with its own: repomill-2.
  instance = "projects/${var.project}/instances/${google_sql_database_instance.catalog.name}"
  grants = merge([for user, email in var.users : {
    "${user} client"       = { email = email, role = "roles/cloudsql.client" }
    "${user} instanceUser" = { email = email, role = "roles/cloudsql.instanceUser" }
  }]...)
}

resource "google_project_iam_member" "users" {
  for_each = local.grants

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${each.value.email}"

  condition {
    title      = "catalog only"
    expression = "resource.type == \"sqladmin.googleapis.com/Instance\" && (resource.name == \"${local.instance}\" || resource.name.startsWith(\"${local.instance}-\"))"
  }
}
