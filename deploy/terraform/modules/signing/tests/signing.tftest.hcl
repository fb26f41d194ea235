mock_provider "google" {}

variables {
  project = "acme-packages"
  region  = "europe-west3"
  signer  = "serviceAccount:repomill-worker@acme-packages.iam.gserviceaccount.com"
  secrets = { repomill-url-key = [] }
}

run "keys" {
  command = plan

  assert {
    condition = alltrue([for k in google_kms_crypto_key.this :
    k.purpose == "ASYMMETRIC_SIGN" && k.version_template[0].algorithm == "RSA_SIGN_PKCS1_4096_SHA512" && k.version_template[0].protection_level == "HSM"])
    error_message = "a key is not RSA 4096 for signatures in an HSM"
  }

  assert {
    condition     = alltrue([for k in google_kms_crypto_key.this : k.destroy_scheduled_duration == "2592000s"])
    error_message = "a destroyed version cannot be restored for 30 days"
  }

  assert {
    condition     = { for name, m in google_kms_crypto_key_iam_member.signer : name => "${m.role} ${m.member}" } == { for name in ["releases", "releases-next"] : name => "roles/cloudkms.signerVerifier ${var.signer}" }
    error_message = "not only workers sign, or not with all keys"
  }

  assert {
    condition     = output.key_urls["releases"] == "gcpkms://projects/acme-packages/locations/europe-west3/keyRings/repomill/cryptoKeys/releases/cryptoKeyVersions/1"
    error_message = "the URL of a key is not the form that --signing-key takes"
  }
}

run "another_signer" {
  command = plan
  variables {
    signer = "serviceAccount:repomill-api@acme-packages.iam.gserviceaccount.com"
  }
  expect_failures = [var.signer]
}

run "one_key_only" {
  command = plan
  variables {
    keys = ["releases"]
  }
  expect_failures = [var.keys]
}

run "a_secret_that_the_api_reads" {
  command = plan
  variables {
    secrets = { repomill-url-key = ["serviceAccount:repomill-api@acme-packages.iam.gserviceaccount.com"] }
  }
  expect_failures = [var.secrets]
}
