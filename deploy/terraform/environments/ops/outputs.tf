# terraform output -json helm_values >infrastructure.json; helm upgrade … --values infrastructure.json
output "helm_values" {
  description = "Values of the chart that follow from this environment. Digests of images and sizes are in the values of the release."
  value = {
    environment   = var.environment
    image         = { repository = "${module.serve.images}/repomill" }
    resolverImage = { repository = "${module.serve.images}/repomill-resolver" }
    publicURL     = "https://${var.host}"
    cdnURL        = "https://${var.cdn_host}"
    staging       = module.ingest.staging_url
    events        = module.ingest.events_url
    bucket        = local.buckets[var.published_from]
    # For repomill yank --now, by hand in a pod.
    worker   = { env = { REPOMILL_INVALIDATE = "cloudfront://${module.cdn.distribution.id}" } }
    toolbox  = { env = { REPOMILL_INVALIDATE = "cloudfront://${module.cdn.distribution.id}" } }
    resolver = { env = { REPOMILL_BUCKET = local.buckets[var.pointers_from] } }

    catalog = {
      worker   = { url = module.database.catalog_urls.worker }
      api      = { url = module.database.catalog_urls.api }
      stats    = { url = module.database.catalog_urls.stats }
      networks = [module.database.address_range]
    }
    cloudSQLProxy = { instance = module.database.connection_name }

    signing = { kmsKeys = [for name in sort(keys(module.signing.key_urls)) : module.signing.key_urls[name]] }
    urlKey = {
      keyPairID     = module.cdn.key_pair_ids[var.url_key.name]
      secretManager = "projects/${var.project}/secrets/${local.url_secret}/versions/${var.url_key.secret_version}"
    }

    google = { project = var.project }
    # Tokens are exchanged in the region of a bucket that is used.
    aws = { region = contains([var.pointers_from, var.published_from], "replica") ? var.aws_replica_region : var.aws_region, roles = module.federation.role_arns }

    gateway = {
      enabled     = true
      gke         = true
      hostnames   = [var.host]
      className   = "gke-l7-global-external-managed"
      annotations = { "networking.gke.io/certmap" = module.serve.certificate_map }
      address     = module.serve.address.name
    }
    monitoring = { kind = "PodMonitoring", runbooks = var.runbooks }
    audit      = { replica = var.replication ? local.buckets.replica : "" }
    stats      = { logs = ["s3://${module.store.logs.name}?region=${var.aws_region}"] }
  }
}

output "cluster" {
  description = "For gcloud container clusters get-credentials."
  value       = { name = module.serve.cluster, region = var.region, project = var.project }
}

output "dns_records" {
  description = "Records that host needs, if dns_zone is empty."
  value       = module.serve.dns_records
}

output "signing_keys" {
  description = "URLs of the signing keys, for repomill key add."
  value       = module.signing.key_urls
}

output "dataflow" {
  description = "Flags of repomill-beam and of the template."
  value = {
    template              = module.pipeline.template
    service_account_email = module.pipeline.account.email
    staging_location      = module.pipeline.staging_location
    subnetwork            = module.pipeline.subnetwork
    sdk_container_image   = var.dataflow_images.worker
    aws_identity          = "google"
    aws_role              = module.federation.role_arns.publish
    # Only images with a Cloud SQL Auth Proxy reach it: deploy/dataflow/README.md, "With Terraform".
    catalog = module.database.catalog_urls.dataflow
  }
}

output "statistics" {
  description = "Log bucket and catalog of repomill stats."
  value       = { logs = module.store.logs.name, catalog = module.database.catalog_urls.stats }
}

output "replica" {
  description = "URL of the replica, for repomill check --replica."
  value       = local.buckets.replica
}

output "distribution" {
  description = "Id of the distribution, for --invalidate cloudfront://ID."
  value       = module.cdn.distribution.id
}
