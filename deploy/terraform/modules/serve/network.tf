resource "google_compute_subnetwork" "cluster" {
  project                  = var.project
  region                   = var.region
  name                     = "repomill-cluster"
  network                  = var.network
  ip_cidr_range            = var.ranges.nodes
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = var.ranges.pods
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = var.ranges.services
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }

  lifecycle {
    # GKE adds ranges when pods need more.
    ignore_changes = [secondary_ip_range]
  }
}

# Nodes have private addresses. Pods reach S3, AWS STS and CloudFront through the NAT. Each resolver and worker keeps connections
# to S3 open, so the ports of a node grow with use.
resource "google_compute_router" "this" {
  project = var.project
  region  = var.region
  name    = "repomill"
  network = var.network
}

resource "google_compute_router_nat" "cluster" {
  project                             = var.project
  region                              = var.region
  router                              = google_compute_router.this.name
  name                                = "repomill-cluster"
  nat_ip_allocate_option              = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat  = "LIST_OF_SUBNETWORKS"
  enable_dynamic_port_allocation      = true
  enable_endpoint_independent_mapping = false
  min_ports_per_vm                    = 256
  max_ports_per_vm                    = 16384

  subnetwork {
    name                    = google_compute_subnetwork.cluster.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
