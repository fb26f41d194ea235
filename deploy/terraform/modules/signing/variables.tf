variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Location of the key ring, such as europe-west3."
  type        = string
}

variable "keys" {
  description = "Names of the signing keys. Each signs every release; the second is on standby until it is promoted."
  type        = set(string)
  default     = ["releases", "releases-next"]
  validation {
    condition     = length(var.keys) >= 2
    error_message = "keys has two names at least: clients need the next key before it signs."
  }
  validation {
    condition     = alltrue([for k in var.keys : can(regex("^[A-Za-z0-9_-]{1,63}$", k))])
    error_message = "The names of keys have 1 to 63 letters, digits, _ and -."
  }
}

variable "protection_level" {
  description = "HSM, or SOFTWARE for keys that cost less."
  type        = string
  default     = "HSM"
  validation {
    condition     = contains(["HSM", "SOFTWARE"], var.protection_level)
    error_message = "protection_level is HSM or SOFTWARE."
  }
}

variable "signer" {
  description = "The one IAM member that signs: the service account of the workers."
  type        = string
  validation {
    condition     = can(regex("^serviceAccount:repomill-worker@", var.signer))
    error_message = "signer is the service account of the workers: only they sign."
  }
}

variable "secrets" {
  description = "Secrets by name, with the IAM members that read each. Terraform makes them without a value. Operators need no entry: they have rights in the project."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for m in flatten(values(var.secrets)) : can(regex("^serviceAccount:repomill-(resolver|worker)@", m))])
    error_message = "Secrets are read by the service account of the resolver (key of the URLs) or of the workers."
  }
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
