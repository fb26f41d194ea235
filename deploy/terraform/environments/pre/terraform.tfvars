# Values of an example. No value here is a secret.
environment = "pre"

# Google Cloud
project             = "acme-packages-pre"
region              = "europe-west3"
host                = "packages-pre.acme.example"
deletion_protection = false

database = {
  tier             = "db-n1-standard-1"
  availability     = "ZONAL"
  disk_gb          = 20
  retained_backups = 7
}

signing_protection = "SOFTWARE"

pushers          = []
image_pushers    = ["serviceAccount:ci@acme-packages-pre.iam.gserviceaccount.com"]
release_managers = ["group:release@acme.example"]

alert_emails    = ["packages-oncall@acme.example"]
runbooks        = "https://git.acme.example/platform/repomill/-/blob/main/deploy/runbooks/"
billing_account = "01AB23-45CD67-89EF01"
budget          = 600

# AWS
aws_account        = "111122223333"
aws_region         = "eu-central-1"
aws_replica_region = "eu-west-1"
packages_bucket    = "acme-packages-pre"
cdn_host           = "cdn-pre.acme.example"
route53_zone       = "Z0PRE0EXAMPLE"
price_class        = "PriceClass_100"

# The public halves. The private ones never come near Terraform.
url_key = { name = "2026-11", secret_version = 1 }
url_keys = {
  "2026-11" = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHHOZXykHvZzcLRfS2N2dZTap8i6c
    B3VNrHLzNT3BT0Rtqtl/45I7TM6zyhY1D2eHa67fCSMIk2E9WbrUcbt1TA==
    -----END PUBLIC KEY-----
  PEM
  "2027-05" = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpFdwtAExAwy639RsCvGtjRWZL4VM
    KG2IzhIIs3392w7lTJi4oquitQE5bVm5X0kdYxEhA5qh42DoIyk8BgmYWQ==
    -----END PUBLIC KEY-----
  PEM
}
