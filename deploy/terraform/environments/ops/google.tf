module "ingest" {
  source = "../../modules/ingest"

  project = local.project
  region  = var.region
  bucket  = "${var.project}-staging"
  pushers = var.pushers
  labels  = local.labels
}

module "database" {
  source = "../../modules/database"

  project             = local.project
  region              = var.region
  network             = google_compute_network.this.id
  address_range       = var.ranges.database
  tier                = var.database.tier
  availability        = var.database.availability
  disk_gb             = var.database.disk_gb
  retained_backups    = var.database.retained_backups
  deletion_protection = var.deletion_protection
  labels              = local.labels

  users = {
    worker   = module.ingest.worker.email
    api      = module.ingest.api.email
    stats    = module.serve.own["repomill-stats"].email
    dataflow = module.pipeline.account.email
  }
}

module "serve" {
  source = "../../modules/serve"

  project             = local.project
  region              = var.region
  network             = google_compute_network.this.id
  ranges              = { nodes = var.ranges.nodes, pods = var.ranges.pods, services = var.ranges.services }
  hosts               = [var.host]
  dns_zone            = var.dns_zone
  namespace           = var.namespace
  administrators      = var.administrators
  image_pushers       = var.image_pushers
  deletion_protection = var.deletion_protection
  labels              = local.labels

  identities = {
    repomill-worker = { name = module.ingest.worker.name, email = module.ingest.worker.email }
    repomill-api    = { name = module.ingest.api.name, email = module.ingest.api.email }
    # The hook that migrates the catalog.
    repomill-migrate = { name = module.ingest.worker.name, email = module.ingest.worker.email }
  }
}

module "signing" {
  source = "../../modules/signing"

  project          = local.project
  region           = var.region
  protection_level = var.signing_protection
  signer           = module.ingest.worker.member
  secrets          = { (local.url_secret) = [module.serve.own["repomill-resolver"].member] }
  labels           = local.labels
}

module "pipeline" {
  source = "../../modules/pipeline"

  project          = local.project
  region           = var.region
  network          = google_compute_network.this.id
  subnet_range     = var.ranges.dataflow
  router           = module.serve.router
  bucket           = "${var.project}-dataflow"
  staging_bucket   = module.ingest.bucket
  registry         = module.serve.registry
  launcher_image   = var.dataflow_images.launcher
  worker_image     = var.dataflow_images.worker
  metadata         = file("${path.module}/../../../dataflow/metadata.json")
  release_managers = var.release_managers
  labels           = local.labels
}

module "observe" {
  source = "../../modules/observe"

  project           = local.project
  region            = var.region
  host              = var.host
  emails            = var.alert_emails
  channels          = var.alert_channels
  subscription      = module.ingest.subscription
  dead_subscription = module.ingest.dead_subscription
  database          = module.database.instance
  rules             = file("${path.module}/../../../monitoring/rules.yml")
  omit              = var.omitted_alerts
  enabled           = var.alerts_enabled
  namespace         = var.namespace
  runbooks          = var.runbooks
  billing_account   = var.billing_account
  budget            = var.budget
  labels            = local.labels
}
