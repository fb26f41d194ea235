mock_provider "google" {
  mock_resource "google_certificate_manager_dns_authorization" {
    defaults = { dns_resource_record = [{ name = "_acme-challenge.packages.acme.example.", type = "CNAME", data = "proof.example." }] }
  }
}

variables {
  project             = "acme-packages"
  region              = "europe-west3"
  network             = "projects/acme-packages/global/networks/repomill"
  ranges              = { nodes = "10.0.0.0/20", pods = "10.16.0.0/14", services = "10.32.0.0/20" }
  hosts               = ["packages.acme.example"]
  dns_zone            = "acme"
  deletion_protection = true
  identities = {
    repomill-worker = {
      name  = "projects/acme-packages/serviceAccounts/repomill-worker@acme-packages.iam.gserviceaccount.com"
      email = "repomill-worker@acme-packages.iam.gserviceaccount.com"
    }
  }
}

run "cluster" {
  command = plan

  assert {
    condition     = google_container_cluster.this.enable_autopilot && google_container_cluster.this.private_cluster_config[0].enable_private_nodes && google_container_cluster.this.deletion_protection
    error_message = "nodes have public addresses, or the cluster can be deleted"
  }

  assert {
    condition     = !google_container_cluster.this.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled && length(google_container_cluster.this.master_authorized_networks_config) == 0
    error_message = "the control plane has a public address"
  }

  assert {
    condition     = output.oidc_issuer == "https://container.googleapis.com/v1/projects/acme-packages/locations/europe-west3/clusters/repomill"
    error_message = "AWS would trust another issuer"
  }
}

run "listed_networks" {
  command = plan
  variables {
    administrators = { office = "192.0.2.0/24" }
  }

  assert {
    condition     = one(google_container_cluster.this.master_authorized_networks_config[0].cidr_blocks).cidr_block == "192.0.2.0/24"
    error_message = "the listed network does not reach the control plane"
  }
}

run "identities" {
  command = plan

  assert {
    condition = { for ksa, b in google_service_account_iam_member.workload : ksa => "${b.role} ${b.member}" } == {
      for ksa in ["repomill-worker", "repomill-resolver", "repomill-audit", "repomill-stats"] :
      ksa => "roles/iam.workloadIdentityUser serviceAccount:acme-packages.svc.id.goog[repomill/${ksa}]"
    }
    error_message = "another Kubernetes service account may become one of Google's"
  }
}

run "records" {
  command = apply

  assert {
    condition     = google_dns_record_set.host["packages.acme.example"].name == "packages.acme.example." && google_dns_record_set.proof["packages.acme.example"].rrdatas == tolist(["proof.example."])
    error_message = "the records of the host, or of the proof for its certificate, are not there"
  }
}

run "records_kept_elsewhere" {
  command = plan
  variables {
    dns_zone = ""
  }

  assert {
    condition     = length(google_dns_record_set.host) + length(google_dns_record_set.proof) == 0
    error_message = "records are made without a zone"
  }
}

run "a_control_plane_that_all_reach" {
  command = plan
  variables {
    administrators = { all = "0.0.0.0/0" }
  }
  expect_failures = [var.administrators]
}

run "a_url_for_a_host" {
  command = plan
  variables {
    hosts = ["https://packages.acme.example"]
  }
  expect_failures = [var.hosts]
}
