# Google's services get a range of the network, in which the database has its address.
resource "google_compute_global_address" "services" {
  project       = var.project
  name          = "repomill-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = var.address_range
  prefix_length = 20
  network       = var.network
}

# ABANDON: Google refuses to end the connection for some days after the last database in it was deleted.
resource "google_service_networking_connection" "services" {
  network                 = var.network
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
  deletion_policy         = "ABANDON"
}
