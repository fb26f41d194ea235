variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the jobs."
  type        = string
}

variable "network" {
  description = "Id of the VPC network."
  type        = string
}

variable "subnet_range" {
  description = "Addresses of the workers of jobs, such as 10.80.0.0/22."
  type        = string
  validation {
    condition     = can(cidrhost(var.subnet_range, 0))
    error_message = "subnet_range is a range of addresses, such as 10.80.0.0/22."
  }
}

variable "router" {
  description = "Name of the Cloud Router of the region, which the NAT of the workers is added to."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket of Dataflow's files. Names of buckets are global."
  type        = string
}

variable "staging_bucket" {
  description = "Name of the staging bucket, which the workers of jobs read."
  type        = string
}

variable "registry" {
  description = "Location and name of the Artifact Registry repository of the images."
  type        = object({ location = string, name = string })
}

variable "launcher_image" {
  description = "Image of the launcher (deploy/dataflow/Dockerfile), by digest; null for no template: images can be pushed when the registry is there."
  type        = string
  default     = null
  validation {
    condition     = var.launcher_image == null || can(regex("^[a-z0-9.-]+/.+@sha256:[0-9a-f]{64}$", var.launcher_image))
    error_message = "launcher_image names an image by its digest: HOST/PATH@sha256:…"
  }
}

variable "worker_image" {
  description = "Image of the workers (deploy/dataflow/README.md, section \"What workers need\"), by digest; null for no template: images can be pushed when the registry is there."
  type        = string
  default     = null
  validation {
    condition     = var.worker_image == null || can(regex("^[a-z0-9.-]+/.+@sha256:[0-9a-f]{64}$", var.worker_image))
    error_message = "worker_image names an image by its digest: HOST/PATH@sha256:…"
  }
  validation {
    condition     = (var.launcher_image == null) == (var.worker_image == null)
    error_message = "Set launcher_image and worker_image together: a launcher without workers starts jobs that fail."
  }
}

variable "metadata" {
  description = "Contents of deploy/dataflow/metadata.json: the parameters of the template."
  type        = string
  validation {
    condition     = can(jsondecode(var.metadata).parameters)
    error_message = "metadata is JSON with the parameters of the template."
  }
}

variable "machine_type" {
  description = "Machine type of the workers of jobs."
  type        = string
  default     = "n2-standard-4"
}

variable "max_workers" {
  description = "Largest number of workers of a job."
  type        = number
  default     = 16
  validation {
    condition     = var.max_workers >= 1 && var.max_workers <= 250
    error_message = "max_workers is between 1 and 250: the database has connections for so many."
  }
}

variable "release_managers" {
  description = "IAM members that may launch jobs from the template, such as group:release@example.org."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for m in var.release_managers : can(regex("^(serviceAccount|group|user|principal|principalSet):.+", m))])
    error_message = "release_managers are single identities or groups, such as group:release@example.org."
  }
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
