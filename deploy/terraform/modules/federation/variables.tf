variable "account_id" {
  description = "The AWS account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has twelve digits, such as 123456789012."
  }
}

variable "name" {
  description = "Prefix of the names of the roles, such as repomill-ops."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "cluster" {
  description = "The Kubernetes cluster whose service accounts take the roles: its OIDC issuer and the namespace of the chart. Null if none does."
  type = object({
    issuer    = string
    namespace = string
    audience  = optional(string, "sts.amazonaws.com")
  })
  default = null

  validation {
    condition     = var.cluster == null || can(regex("^https://[a-z0-9.-]+(/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$", var.cluster.issuer))
    error_message = "cluster.issuer is the https URL of kubectl get --raw /.well-known/openid-configuration, without a slash at its end."
  }

  validation {
    condition     = var.cluster == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.cluster.namespace))
    error_message = "cluster.namespace is one namespace: a pattern would let others take the roles."
  }

  validation {
    condition     = var.cluster != null || length(var.google_ids) > 0
    error_message = "Set cluster, google_ids or both: otherwise nothing can take the roles."
  }
}

variable "google_ids" {
  description = "Unique IDs of Google service accounts, by purpose: machines and Dataflow workers that take a role with --aws-identity google."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for purpose in keys(var.google_ids) : contains(["publish", "serve", "verify", "stats"], purpose)])
    error_message = "keys of google_ids are publish, serve, verify and stats."
  }

  validation {
    condition     = alltrue([for id in values(var.google_ids) : can(regex("^[0-9]{21}$", id))])
    error_message = "google_ids has the 21 digits of each account's unique ID (unique_id of google_service_account), not its address."
  }

  validation {
    condition     = length(distinct(values(var.google_ids))) == length(var.google_ids)
    error_message = "google_ids has one account for each purpose: one that publishes must not serve."
  }
}

variable "google_audience" {
  description = "The audience of Google's ID tokens, which the programs ask for: --aws-audience."
  type        = string
  default     = "sts.amazonaws.com"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._:/-]+$", var.google_audience))
    error_message = "google_audience is one text without wildcards."
  }
}

variable "packages_bucket" {
  description = "The bucket of packages."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]+$", var.packages_bucket))
    error_message = "packages_bucket is the name of a bucket, not its ARN."
  }
}

variable "replica_bucket" {
  description = "Its copy in another region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]+$", var.replica_bucket))
    error_message = "replica_bucket is the name of a bucket, not its ARN."
  }
}

variable "pointers_from" {
  description = "Which bucket the resolver reads: primary or replica. As that of the module cdn."
  type        = string
  default     = "primary"
  nullable    = false

  validation {
    condition     = contains(["primary", "replica"], var.pointers_from)
    error_message = "pointers_from is primary or replica."
  }
}

variable "published_from" {
  description = "Which bucket workers publish to: primary or replica."
  type        = string
  default     = "primary"
  nullable    = false

  validation {
    condition     = contains(["primary", "replica"], var.published_from)
    error_message = "published_from is primary or replica."
  }
}

variable "logs_bucket" {
  description = "The bucket of the CDN's logs."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]+$", var.logs_bucket))
    error_message = "logs_bucket is the name of a bucket, not its ARN."
  }
}

variable "distribution_arn" {
  description = "The distribution in which the publish role may invalidate withdrawn packages, or null."
  type        = string
  default     = null

  validation {
    condition     = var.distribution_arn == null || can(regex("^arn:aws:cloudfront::[0-9]{12}:distribution/[A-Z0-9]+$", var.distribution_arn))
    error_message = "distribution_arn is the ARN of one distribution."
  }
}

variable "signing_key_arns" {
  description = "Keys of AWS KMS that the publish role signs with. Empty if keys are elsewhere."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.signing_key_arns : can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+$", arn))])
    error_message = "signing_key_arns has ARNs of keys: an alias in a policy grants nothing."
  }
}
