variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the staging bucket, such as europe-west3."
  type        = string
}

variable "bucket" {
  description = "Name of the staging bucket. Names of buckets are global."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket has 3 to 63 characters: lower-case letters, digits, - and _."
  }
}

variable "pushers" {
  description = "IAM members that push into the bucket without the API, such as serviceAccount:ci@PROJECT.iam.gserviceaccount.com."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for m in var.pushers : can(regex("^(serviceAccount|group|user|principal|principalSet):.+", m))])
    error_message = "pushers are single identities or groups, such as group:ci@example.org: packages that anyone may write are not repomill's."
  }
}

variable "staging_days" {
  description = "Age in days at which Cloud Storage removes what repomill has left in staging. Above the retention of the worker."
  type        = number
  default     = 30
  validation {
    condition     = var.staging_days >= 14 && var.staging_days <= 365
    error_message = "staging_days is between 14 and 365: uploads that wait for a worker must not be removed."
  }
}

variable "soft_delete_days" {
  description = "Days for which a removed object can be restored."
  type        = number
  default     = 7
  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "soft_delete_days is between 7 and 90, the limits of Cloud Storage."
  }
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
