# Key rings and keys cannot be deleted, only the versions of a key. README.md says how an environment is removed nevertheless.
resource "google_kms_key_ring" "this" {
  project  = var.project
  location = var.region
  name     = "repomill"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key" "this" {
  for_each = var.keys

  key_ring                   = google_kms_key_ring.this.id
  name                       = each.value
  purpose                    = "ASYMMETRIC_SIGN"
  destroy_scheduled_duration = "2592000s"
  labels                     = var.labels

  version_template {
    algorithm        = "RSA_SIGN_PKCS1_4096_SHA512"
    protection_level = var.protection_level
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "signer" {
  for_each = var.keys

  crypto_key_id = google_kms_crypto_key.this[each.value].id
  role          = "roles/cloudkms.signerVerifier"
  member        = var.signer
}

# Values are added with gcloud secrets versions add: Terraform would keep them in its state.
resource "google_secret_manager_secret" "this" {
  for_each = var.secrets

  project   = var.project
  secret_id = each.key
  labels    = var.labels

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  # A replaced or disabled version can be brought back for a week.
  version_destroy_ttl = "604800s"
}

resource "google_secret_manager_secret_iam_member" "reader" {
  # By number: a member is known only when its account is made.
  for_each = merge([for name, members in var.secrets : { for i, m in members : "${name} ${i}" => { name = name, member = m } }]...)

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value.name].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}
