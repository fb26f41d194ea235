# Autopilot: private nodes of Google's, with workload identity, Dataplane V2 (NetworkPolicies) and shielded machines.
resource "google_container_cluster" "this" {
  project             = var.project
  location            = var.region
  name                = "repomill"
  enable_autopilot    = true
  deletion_protection = var.deletion_protection
  network             = var.network
  subnetwork          = google_compute_subnetwork.cluster.id
  resource_labels     = var.labels

  release_channel {
    channel = var.release_channel
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  # kubectl and helm use the DNS name of the control plane, where IAM decides. Its addresses are for listed networks only.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = length(var.administrators) > 0
    }
  }

  dynamic "master_authorized_networks_config" {
    for_each = length(var.administrators) > 0 ? [var.administrators] : []
    content {
      dynamic "cidr_blocks" {
        for_each = master_authorized_networks_config.value
        content {
          display_name = cidr_blocks.key
          cidr_block   = cidr_blocks.value
        }
      }
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account = google_service_account.nodes.email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    }
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  # A pod mounts the key of the URLs as a file, as its own identity.
  secret_manager_config {
    enabled = true
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "POD", "DEPLOYMENT", "HPA"]
    managed_prometheus {
      enabled = true
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
  }

  security_posture_config {
    mode               = "BASIC"
    vulnerability_mode = "VULNERABILITY_BASIC"
  }

  maintenance_policy {
    recurring_window {
      start_time = "2026-01-05T08:00:00Z"
      end_time   = "2026-01-05T14:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"
    }
  }

  depends_on = [google_project_iam_member.nodes]
}
