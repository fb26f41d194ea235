variable "account_id" {
  description = "The AWS account, which log deliveries have to come from."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id has twelve digits, such as 123456789012."
  }
}

variable "name" {
  description = "The bucket of packages. The replica is called NAME-replica, the bucket of the CDN's logs NAME-logs."
  type        = string
  nullable    = false

  validation {
    # Without dots, which no certificate of Amazon covers.
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,53}[a-z0-9]$", var.name))
    error_message = "name has 3 to 55 lower-case letters, digits and hyphens, and no dots."
  }
}

variable "publish_role_arn" {
  description = "The role that may delete packages. All others are refused, whatever their own policies say."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws:iam::[0-9]{12}:role/[^*?]+$", var.publish_role_arn))
    error_message = "publish_role_arn is the ARN of one role, such as arn:aws:iam::123456789012:role/repomill-ops-publish."
  }
}

variable "distribution_arn" {
  description = "The CloudFront distribution that reads both buckets of packages."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws:cloudfront::[0-9]{12}:distribution/[A-Z0-9]+$", var.distribution_arn))
    error_message = "distribution_arn is the ARN of one distribution, such as arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE."
  }
}

variable "noncurrent_days" {
  description = "Days for which versions are kept that were replaced or deleted: how far back the bucket can be restored."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 30 && var.noncurrent_days == floor(var.noncurrent_days)
    error_message = "noncurrent_days is a whole number of 30 or more: backups of the catalog are kept for 30 days, and may need the bucket of that time."
  }
}

variable "log_days" {
  description = "Days for which the CDN's logs are kept. Statistics are counted from them and stay."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.log_days >= 7 && var.log_days == floor(var.log_days)
    error_message = "log_days is a whole number of 7 or more: logs arrive late."
  }
}

variable "pool_prefixes" {
  description = "Prefixes of keys of packages, such as \"acme/tools/ubuntu/pool/\", that the replica stores as STANDARD_IA at once. It moves other packages there after 30 days."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for p in var.pool_prefixes : can(regex("^[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*/[a-z0-9_]+/pool/([a-z0-9._-]+/)?$", p))])
    error_message = "each of pool_prefixes is OWNER/NAME/OS/pool/ or OWNER/NAME/OS/pool/CODENAME/: other prefixes have indexes among the packages."
  }

  validation {
    condition     = length(var.pool_prefixes) == length(distinct(var.pool_prefixes)) && length(var.pool_prefixes) < 1000
    error_message = "pool_prefixes has each prefix once, and fewer than 1000: S3 takes 1000 rules."
  }
}

variable "replication" {
  description = "Whether the primary is copied to the replica. Off while the replica is what workers publish to."
  type        = bool
  default     = true
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether buckets that are not empty are kept when Terraform is to destroy them."
  type        = bool
  default     = true
  nullable    = false
}
