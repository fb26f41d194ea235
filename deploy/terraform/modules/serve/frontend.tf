# The address and certificates of the load balancer, which the Gateway of the chart makes.
resource "google_compute_global_address" "this" {
  project = var.project
  name    = "repomill"
}

resource "google_certificate_manager_dns_authorization" "this" {
  for_each = var.hosts

  project = var.project
  name    = replace(each.value, ".", "-")
  domain  = each.value
  labels  = var.labels
}

resource "google_certificate_manager_certificate" "this" {
  project = var.project
  name    = "repomill"
  labels  = var.labels

  managed {
    domains            = var.hosts
    dns_authorizations = [for a in google_certificate_manager_dns_authorization.this : a.id]
  }
}

resource "google_certificate_manager_certificate_map" "this" {
  project = var.project
  name    = "repomill"
  labels  = var.labels
}

resource "google_certificate_manager_certificate_map_entry" "this" {
  for_each = var.hosts

  project      = var.project
  name         = replace(each.value, ".", "-")
  map          = google_certificate_manager_certificate_map.this.name
  hostname     = each.value
  certificates = [google_certificate_manager_certificate.this.id]
  labels       = var.labels
}

locals {
  # The certificate is issued when the record of its authorization is there.
  proofs = { for host, a in google_certificate_manager_dns_authorization.this : host => one(a.dns_resource_record) }
}

resource "google_dns_record_set" "host" {
  for_each = var.dns_zone == "" ? toset([]) : var.hosts

  project      = var.project
  managed_zone = var.dns_zone
  name         = "${each.value}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.this.address]
}

resource "google_dns_record_set" "proof" {
  for_each = var.dns_zone == "" ? toset([]) : var.hosts

  project      = var.project
  managed_zone = var.dns_zone
  name         = local.proofs[each.value].name
  type         = local.proofs[each.value].type
  ttl          = 300
  rrdatas      = [local.proofs[each.value].data]
}
