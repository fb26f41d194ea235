variable "environment" {
  description = "Name of the environment: pre or ops."
  type        = string
  validation {
    condition     = contains(["pre", "ops"], var.environment)
    error_message = "environment is pre or ops."
  }
}

variable "project" {
  description = "Id of the Google Cloud project, which has this environment and nothing else."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is the id of a project (6 to 30 lower-case letters, digits and hyphens), not its name and not its number: gcloud projects list."
  }
}

variable "region" {
  description = "Region of Google Cloud, such as europe-west3."
  type        = string
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]$", var.region))
    error_message = "region is a region of Google Cloud, such as europe-west3, and no zone."
  }
}

variable "host" {
  description = "Name under which clients reach the resolver, such as packages.example.org."
  type        = string
  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.host))
    error_message = "host is a name in lower case without https://, such as packages.example.org."
  }
}

variable "dns_zone" {
  description = "Name of the managed zone of Cloud DNS for the records of host; empty if they are kept elsewhere (output dns_records)."
  type        = string
  default     = ""
}

variable "ranges" {
  description = "Private addresses of nodes, pods, services, Dataflow workers, and the first address of the /20 of the database."
  type        = object({ nodes = string, pods = string, services = string, dataflow = string, database = string })
  default = {
    nodes    = "10.0.0.0/20"
    pods     = "10.16.0.0/14"
    services = "10.32.0.0/20"
    dataflow = "10.48.0.0/22"
    database = "10.64.0.0"
  }
}

variable "deletion_protection" {
  description = "Whether database, cluster and buckets refuse to be deleted. On in ops."
  type        = bool
  default     = true
  validation {
    condition     = var.deletion_protection || var.environment != "ops"
    error_message = "deletion_protection is on in ops: a mistake there would delete what clients install from."
  }
}

variable "database" {
  description = "Machine type, standby (REGIONAL) or none (ZONAL), initial disk and number of daily backups of the catalog."
  type = object({
    tier             = string
    availability     = optional(string, "REGIONAL")
    disk_gb          = number
    retained_backups = optional(number, 30)
  })
  validation {
    condition     = var.environment != "ops" || (var.database.availability == "REGIONAL" && var.database.retained_backups >= 30)
    error_message = "In ops the database is REGIONAL and has 30 backups or more."
  }
}

variable "signing_protection" {
  description = "Where signing keys are kept: HSM or SOFTWARE."
  type        = string
  default     = "HSM"
  validation {
    condition     = var.signing_protection == "HSM" || var.environment != "ops"
    error_message = "In ops signing keys are in an HSM."
  }
}

variable "namespace" {
  description = "Namespace of the Helm release."
  type        = string
  default     = "repomill"
}

variable "administrators" {
  description = "Networks that reach the control plane of the cluster by its address; empty: by its DNS name only."
  type        = map(string)
  default     = {}
}

variable "pushers" {
  description = "IAM members that push into the staging bucket without the API."
  type        = set(string)
  default     = []
}

variable "image_pushers" {
  description = "IAM members that push images."
  type        = set(string)
  default     = []
}

variable "release_managers" {
  description = "IAM members that launch Dataflow jobs."
  type        = set(string)
  default     = []
}

variable "dataflow_images" {
  description = "Images of the launcher and the workers of Dataflow jobs, by digest. Without them there is no template."
  type        = object({ launcher = optional(string), worker = optional(string) })
  default     = {}
}

variable "alert_emails" {
  description = "Addresses that alerts are sent to."
  type        = set(string)
  default     = []
}

variable "alert_channels" {
  description = "Resource names of more notification channels."
  type        = set(string)
  default     = []
  validation {
    condition     = var.environment != "ops" || length(var.alert_channels) + length(var.alert_emails) > 0
    error_message = "In ops alerts go to somewhere: set alert_emails or alert_channels."
  }
}

variable "alerts_enabled" {
  description = "Whether alerts are sent. Off for the first apply, before anything runs."
  type        = bool
  default     = true
}

variable "omitted_alerts" {
  description = "Names of alerts that are left out, such as RepomillAPIAbsent without an API and RepomillStatisticsBehind without statistics."
  type        = set(string)
  default     = []
}

variable "runbooks" {
  description = "URL of the folder deploy/runbooks, with a / at the end."
  type        = string
}

variable "billing_account" {
  description = "Id of the billing account for the budget; empty for none."
  type        = string
  default     = ""
}

variable "budget" {
  description = "Expected cost of the project in a month, in whole units of the billing account's currency."
  type        = number
  default     = 1000
}
