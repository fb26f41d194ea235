# Workers have private addresses. They reach Google's services through private access, and S3 through the NAT.
resource "google_compute_subnetwork" "dataflow" {
  project                  = var.project
  region                   = var.region
  name                     = "repomill-dataflow"
  network                  = var.network
  ip_cidr_range            = var.subnet_range
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router_nat" "dataflow" {
  project                            = var.project
  region                             = var.region
  router                             = var.router
  name                               = "repomill-dataflow"
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "LIST_OF_SUBNETWORKS"

  subnetwork {
    name                    = google_compute_subnetwork.dataflow.id
    source_ip_ranges_to_nat = ["ALL_IP_RANGES"]
  }

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Workers of a job shuffle data with each other, and are reached from nowhere else.
resource "google_compute_firewall" "dataflow" {
  project                 = var.project
  network                 = var.network
  name                    = "repomill-dataflow"
  description             = "Shuffle of Dataflow"
  direction               = "INGRESS"
  source_service_accounts = [google_service_account.dataflow.email]
  target_service_accounts = [google_service_account.dataflow.email]

  allow {
    protocol = "tcp"
    ports    = ["12345-12346"]
  }
}
