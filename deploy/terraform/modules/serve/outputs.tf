output "cluster" {
  description = "Name of the cluster, for gcloud container clusters get-credentials --dns-endpoint."
  value       = google_container_cluster.this.name
}

output "oidc_issuer" {
  description = "URL of the cluster's issuer of tokens, which the roles in AWS trust."
  value       = "https://container.googleapis.com/v1/projects/${var.project}/locations/${var.region}/clusters/${google_container_cluster.this.name}"
}

output "router" {
  description = "Name of the Cloud Router of the region."
  value       = google_compute_router.this.name
}

output "registry" {
  description = "Location and name of the repository of the images."
  value = {
    location = google_artifact_registry_repository.images.location
    name     = google_artifact_registry_repository.images.repository_id
  }
}

output "images" {
  description = "Prefix of the names of the images."
  value       = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "accounts" {
  description = "Google service account of each Kubernetes service account, for the annotation iam.gke.io/gcp-service-account."
  value       = { for ksa, identity in local.identities : ksa => identity.email }
}

output "own" {
  description = "Service accounts of the resolver, audit and statistics: email, member of IAM policies, numeric id."
  value = { for ksa, account in google_service_account.own : ksa => {
    email     = account.email
    member    = account.member
    unique_id = account.unique_id
  } }
}

output "address" {
  description = "IP address of the load balancer, and its name for the Gateway."
  value = {
    ip   = google_compute_global_address.this.address
    name = google_compute_global_address.this.name
  }
}

output "certificate_map" {
  description = "Name of the certificate map, for the annotation networking.gke.io/certmap of the Gateway."
  value       = google_certificate_manager_certificate_map.this.name
}

output "dns_records" {
  description = "DNS records that have to be there: of each host, and the proof for its certificate."
  value = concat(
    [for host in var.hosts : { name = "${host}.", type = "A", data = google_compute_global_address.this.address }],
    [for host, p in local.proofs : { name = p.name, type = p.type, data = p.data }],
  )
}
