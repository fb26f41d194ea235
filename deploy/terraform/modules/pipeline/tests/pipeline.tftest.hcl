mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      email  = "repomill-dataflow@acme-packages.iam.gserviceaccount.com"
      member = "serviceAccount:repomill-dataflow@acme-packages.iam.gserviceaccount.com"
      name   = "projects/acme-packages/serviceAccounts/repomill-dataflow@acme-packages.iam.gserviceaccount.com"
    }
  }
}

variables {
  project          = "acme-packages"
  region           = "europe-west3"
  network          = "projects/acme-packages/global/networks/repomill"
  subnet_range     = "10.48.0.0/22"
  router           = "repomill"
  bucket           = "acme-packages-dataflow"
  staging_bucket   = "acme-packages-staging"
  registry         = { location = "europe-west3", name = "repomill" }
  metadata         = "{\"name\": \"repomill ingest\", \"parameters\": [{\"name\": \"staging\"}]}"
  launcher_image   = "europe-west3-docker.pkg.dev/acme-packages/repomill/launcher@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  worker_image     = "europe-west3-docker.pkg.dev/acme-packages/repomill/worker@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  release_managers = ["group:release@acme.example"]
}

run "template" {
  command = apply

  assert {
    condition     = jsondecode(google_storage_bucket_object.template[0].content).image == var.launcher_image
    error_message = "the template has another launcher"
  }

  assert {
    condition     = jsondecode(google_storage_bucket_object.template[0].content).metadata.parameters[0].name == "staging"
    error_message = "the template has not the parameters of metadata.json"
  }

  assert {
    condition = (
      jsondecode(google_storage_bucket_object.template[0].content).defaultEnvironment.ipConfiguration == "WORKER_IP_PRIVATE" &&
      jsondecode(google_storage_bucket_object.template[0].content).defaultEnvironment.serviceAccountEmail == "repomill-dataflow@acme-packages.iam.gserviceaccount.com" &&
      jsondecode(google_storage_bucket_object.template[0].content).defaultEnvironment.sdkContainerImage == var.worker_image
    )
    error_message = "workers have public addresses, another account or another image"
  }

  assert {
    condition     = output.template == "gs://acme-packages-dataflow/templates/repomill-ingest.json"
    error_message = "the template is elsewhere"
  }
}

run "network" {
  command = plan

  assert {
    condition     = google_compute_subnetwork.dataflow.private_ip_google_access
    error_message = "workers with private addresses do not reach Google's services"
  }

  assert {
    condition     = one(google_compute_firewall.dataflow.allow).ports == tolist(["12345-12346"]) && google_compute_firewall.dataflow.source_ranges == null
    error_message = "workers are reached from elsewhere"
  }
}

run "release_managers" {
  command = plan

  assert {
    condition     = alltrue([for p in google_project_iam_custom_role.launch.permissions : can(regex("^(dataflow\\.(jobs\\.(cancel|create|get|list)|messages\\.list|metrics\\.get)|resourcemanager\\.projects\\.get)$", p))])
    error_message = "release managers may do more than launch, watch and cancel jobs"
  }

  assert {
    condition     = strcontains(google_storage_bucket_iam_member.launch["group:release@acme.example"].condition[0].expression, "objects/templates/")
    error_message = "release managers read more than templates"
  }
}

run "no_images" {
  command = plan
  variables {
    launcher_image = null
    worker_image   = null
  }

  assert {
    condition     = length(google_storage_bucket_object.template) == 0 && output.template == null
    error_message = "there is a template without images"
  }
}

run "an_image_by_tag" {
  command = plan
  variables {
    launcher_image = "europe-west3-docker.pkg.dev/acme-packages/repomill/launcher:latest"
  }
  expect_failures = [var.launcher_image]
}

run "a_launcher_without_workers" {
  command = plan
  variables {
    worker_image = null
  }
  expect_failures = [var.worker_image]
}
