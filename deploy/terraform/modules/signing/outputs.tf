output "key_urls" {
  description = "URL of the first version of each signing key, for --signing-key and repomill key add."
  value = { for name, key in google_kms_crypto_key.this : name =>
    "gcpkms://projects/${var.project}/locations/${var.region}/keyRings/${google_kms_key_ring.this.name}/cryptoKeys/${key.name}/cryptoKeyVersions/1"
  }
}

output "secrets" {
  description = "Resource name of each secret."
  value       = { for name, secret in google_secret_manager_secret.this : name => secret.id }
}
