mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "424242424242" }
  }

  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-424242424242@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  project = "acme-packages"
  region  = "europe-west3"
  bucket  = "acme-packages-staging"
  pushers = ["group:ci@acme.example"]
}

run "bucket" {
  command = plan

  assert {
    condition     = google_storage_bucket.staging.uniform_bucket_level_access && google_storage_bucket.staging.public_access_prevention == "enforced"
    error_message = "staging can be made public"
  }

  assert {
    condition     = google_storage_bucket.staging.soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "a removed object cannot be restored for a week"
  }

  assert {
    condition = { for r in google_storage_bucket.staging.lifecycle_rule : join("", concat([one(r.action).type], coalesce(one(r.condition).matches_prefix, []))) => one(r.condition).age } == {
      "Delete"                         = 30
      "Delete.incoming/"               = 2
      "AbortIncompleteMultipartUpload" = 7
    }
    error_message = "the lifecycle of staging is another one: an upload that waits could be removed"
  }
}

run "events" {
  command = apply

  assert {
    condition     = google_storage_notification.staging.event_types == toset(["OBJECT_FINALIZE"]) && google_storage_notification.staging.payload_format == "JSON_API_V1"
    error_message = "workers understand OBJECT_FINALIZE in JSON_API_V1 only"
  }

  assert {
    condition     = google_pubsub_subscription.repomill.ack_deadline_seconds == 600
    error_message = "the deadline is shorter than an upload"
  }

  assert {
    condition     = alltrue([for s in [google_pubsub_subscription.repomill, google_pubsub_subscription.dead] : s.expiration_policy[0].ttl == ""])
    error_message = "a subscription without traffic is removed"
  }

  assert {
    condition     = google_pubsub_subscription.repomill.dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "uploads that are only slow become dead letters"
  }

  assert {
    condition     = google_pubsub_subscription.dead.topic == google_pubsub_topic.dead.id && google_pubsub_topic.dead.name == "staging-dead"
    error_message = "nothing keeps the dead letters"
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.storage.member == "serviceAccount:service-424242424242@gs-project-accounts.iam.gserviceaccount.com" &&
      google_pubsub_topic_iam_member.storage.topic == "staging"
    )
    error_message = "Cloud Storage may not publish"
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.dead.topic == "staging-dead" && google_pubsub_topic_iam_member.dead.role == "roles/pubsub.publisher" &&
      google_pubsub_subscription_iam_member.dead.subscription == "repomill" && google_pubsub_subscription_iam_member.dead.role == "roles/pubsub.subscriber" &&
      alltrue([for m in [google_pubsub_topic_iam_member.dead.member, google_pubsub_subscription_iam_member.dead.member] : m == "serviceAccount:service-424242424242@gcp-sa-pubsub.iam.gserviceaccount.com"])
    )
    error_message = "Pub/Sub may not move dead letters: it needs publisher on their topic and subscriber on the source"
  }
}

run "rights" {
  command = plan

  assert {
    condition     = google_project_iam_custom_role.stage.permissions == toset(["storage.objects.create", "storage.objects.get"])
    error_message = "the API gets more than it needs"
  }

  assert {
    condition     = !contains(google_project_iam_custom_role.push.permissions, "storage.objects.list")
    error_message = "CI may list what others push"
  }

  assert {
    condition     = strcontains(google_storage_bucket_iam_member.api_incoming.condition[0].expression, "acme-packages-staging/objects/.incoming/")
    error_message = "the API may list and delete uploads"
  }
}

run "packages_that_anyone_may_write" {
  command = plan
  variables {
    pushers = ["allUsers"]
  }
  expect_failures = [var.pushers]
}

run "uploads_removed_before_they_are_read" {
  command = plan
  variables {
    staging_days = 7
  }
  expect_failures = [var.staging_days]
}
