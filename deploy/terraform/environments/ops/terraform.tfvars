# Values of an example. No value here is a secret.
environment = "ops"

# Google Cloud
project             = "acme-packages-ops"
region              = "europe-west3"
host                = "packages.acme.example"
deletion_protection = true

database = {
  tier             = "db-n1-standard-4"
  availability     = "REGIONAL"
  disk_gb          = 200
  retained_backups = 30
}

signing_protection = "HSM"

pushers          = []
image_pushers    = ["serviceAccount:ci@acme-packages-ops.iam.gserviceaccount.com"]
release_managers = ["group:release@acme.example"]

alert_emails    = ["packages-oncall@acme.example"]
runbooks        = "https://git.acme.example/platform/repomill/-/blob/main/deploy/runbooks/"
billing_account = "01AB23-45CD67-89EF01"
budget          = 4000

# AWS
aws_account        = "444455556666"
aws_region         = "eu-central-1"
aws_replica_region = "eu-west-1"
packages_bucket    = "acme-packages-ops"
cdn_host           = "cdn.acme.example"
route53_zone       = "Z0OPS0EXAMPLE"
price_class        = "PriceClass_All"

# The public halves. The private ones never come near Terraform.
url_key = { name = "2026-11", secret_version = 1 }
url_keys = {
  "2026-11" = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKpUXRUcGV2Eqm/CTbQu80JMquXef
    cNMDUYltuYE+ZEdcV+B1jd1pGl/aMllapxP4yntiXNkwq+434zcT3cZfCw==
    -----END PUBLIC KEY-----
  PEM
  "2027-05" = <<-PEM
    -----BEGIN PUBLIC KEY-----
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3WS2xGcCcwcGxgobLQfbFWiwI9Eo
    JJ5rqhUShhSY1qH2HC2qdf3dOd9cgGh0nLuVRCRIc8CTJ9uCZYcaxlqLIQ==
    -----END PUBLIC KEY-----
  PEM
}
