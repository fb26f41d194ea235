locals {
  buckets = {
    primary = "s3://${module.store.primary.name}?region=${var.aws_region}"
    replica = "s3://${module.store.replica.name}?region=${var.aws_replica_region}"
  }
}

module "federation" {
  source = "../../modules/federation"

  account_id       = var.aws_account
  name             = "repomill-${var.environment}"
  packages_bucket  = module.store.primary.name
  replica_bucket   = module.store.replica.name
  logs_bucket      = module.store.logs.name
  pointers_from    = var.pointers_from
  published_from   = var.published_from
  distribution_arn = module.cdn.distribution.arn

  cluster    = { issuer = module.serve.oidc_issuer, namespace = var.namespace }
  google_ids = { publish = module.pipeline.account.unique_id }
}

module "store" {
  source    = "../../modules/store"
  providers = { aws = aws, aws.replica = aws.replica }

  account_id          = var.aws_account
  name                = var.packages_bucket
  publish_role_arn    = module.federation.role_arns.publish
  distribution_arn    = module.cdn.distribution.arn
  noncurrent_days     = var.noncurrent_days
  pool_prefixes       = var.pool_prefixes
  replication         = var.replication
  deletion_protection = var.deletion_protection
}

module "cdn" {
  source    = "../../modules/cdn"
  providers = { aws = aws, aws.us_east_1 = aws.us_east_1 }

  name            = "repomill-${var.environment}"
  domain          = var.cdn_host
  zone_id         = var.route53_zone
  certificate_arn = var.cdn_certificate
  primary         = { origin = module.store.primary.origin }
  replica         = { origin = module.store.replica.origin }
  pointers_from   = var.pointers_from
  url_keys        = var.url_keys
  log_bucket_arn  = module.store.logs.arn
  web_acl_arn     = var.web_acl
  price_class     = var.price_class
}
