data "google_project" "this" {
  project_id = var.project
}

# Asking for the service agent of Cloud Storage creates it.
data "google_storage_project_service_account" "this" {
  project = var.project
}

locals {
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "staging" {
  project = var.project
  name    = "staging"
  labels  = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_topic_iam_member" "storage" {
  project = var.project
  topic   = google_pubsub_topic.staging.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
}

# Cloud Storage refuses a notification to a topic that its service agent may not publish to.
resource "google_storage_notification" "staging" {
  bucket         = google_storage_bucket.staging.name
  topic          = google_pubsub_topic.staging.id
  event_types    = ["OBJECT_FINALIZE"]
  payload_format = "JSON_API_V1"

  depends_on = [google_pubsub_topic_iam_member.storage]
}

# A worker renews the deadline of an event while it processes the upload.
resource "google_pubsub_subscription" "repomill" {
  project                    = var.project
  name                       = "repomill"
  topic                      = google_pubsub_topic.staging.id
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"
  labels                     = var.labels

  # Without it, a subscription without traffic for 31 days is removed.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # An upload is not lost with its event: workers scan the bucket, too. A hundred attempts take most of a day, so that an event
  # is here because something is wrong, and not because workers were slow.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead.id
    max_delivery_attempts = 100
  }

  depends_on = [google_pubsub_topic_iam_member.dead]
}

resource "google_pubsub_topic" "dead" {
  project = var.project
  name    = "staging-dead"
  labels  = var.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

# A topic keeps nothing for subscriptions that it gets later.
resource "google_pubsub_subscription" "dead" {
  project                    = var.project
  name                       = "staging-dead"
  topic                      = google_pubsub_topic.dead.id
  ack_deadline_seconds       = 600
  message_retention_duration = "1209600s"
  labels                     = var.labels

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub itself moves a dead letter: it publishes to the one and acknowledges at the other.
resource "google_pubsub_topic_iam_member" "dead" {
  project = var.project
  topic   = google_pubsub_topic.dead.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead" {
  project      = var.project
  subscription = google_pubsub_subscription.repomill.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
