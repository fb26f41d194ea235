# Nodes write logs and metrics, and pull images. Pods do not have the rights of their node.
resource "google_service_account" "nodes" {
  project      = var.project
  account_id   = "repomill-nodes"
  display_name = "repomill nodes: logs, metrics, images"
}

resource "google_project_iam_member" "nodes" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.nodes.member
}

# What these programs may do is in AWS. In Google Cloud the resolver reads the key of the URLs, and the others read nothing.
locals {
  own = {
    repomill-resolver = "repomill resolver: reads the published bucket in AWS"
    repomill-audit    = "repomill audit: reads the published buckets in AWS"
    repomill-stats    = "repomill stats: reads the logs of the CDN in AWS, writes counts to the catalog"
  }
  identities = merge(var.identities, {
    for ksa, account in google_service_account.own : ksa => { name = account.name, email = account.email }
  })
}

resource "google_service_account" "own" {
  for_each = local.own

  project      = var.project
  account_id   = each.key
  display_name = each.value
}

# The Kubernetes service account of a name may become the Google service account of the same name. The identity pool of the
# project exists once it has a cluster.
resource "google_service_account_iam_member" "workload" {
  for_each = toset(concat(keys(var.identities), keys(local.own)))

  service_account_id = local.identities[each.value].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.namespace}/${each.value}]"

  depends_on = [google_container_cluster.this]
}
