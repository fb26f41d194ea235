variable "aws_account" {
  description = "Id of the AWS account. Terraform refuses credentials of another one."
  type        = string
  validation {
    condition     = can(regex("^[0-9]{12}$", var.aws_account))
    error_message = "aws_account has twelve digits, in quotes: aws sts get-caller-identity."
  }
}

variable "aws_region" {
  description = "Region of the packages, such as eu-central-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a region of AWS, such as eu-central-1."
  }
}

variable "aws_replica_region" {
  description = "Region of the replica, such as eu-west-1."
  type        = string
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_replica_region)) && var.aws_replica_region != var.aws_region
    error_message = "aws_replica_region is another region than aws_region: a replica beside the packages is lost with them."
  }
  validation {
    condition     = substr(var.aws_replica_region, 0, 3) == substr(var.aws_region, 0, 3)
    error_message = "aws_replica_region is in the part of the world of aws_region (eu-, us-, ap-): packages may not have to leave it, and replication across costs more."
  }
}

variable "packages_bucket" {
  description = "Name of the S3 bucket of packages. Names of buckets are global."
  type        = string
}

variable "noncurrent_days" {
  description = "Days for which replaced and deleted objects are kept."
  type        = number
  default     = 90
}

variable "pool_prefixes" {
  description = "Prefixes of packages that the replica stores as STANDARD_IA at once."
  type        = list(string)
  default     = []
}

variable "cdn_host" {
  description = "Name of the CDN, such as cdn.example.org."
  type        = string
  validation {
    condition     = var.cdn_host != var.host
    error_message = "cdn_host is another name than host: the resolver redirects from the one to the other."
  }
}

variable "route53_zone" {
  description = "Id of the Route 53 zone of cdn_host; null with cdn_certificate."
  type        = string
  default     = null
}

variable "cdn_certificate" {
  description = "ARN of a certificate for cdn_host in us-east-1; null with route53_zone."
  type        = string
  default     = null
}

variable "url_keys" {
  description = "Public keys of signed URLs in PEM, by name: the one that resolvers sign with, and the next."
  type        = map(string)
}

variable "url_key" {
  description = "The key that resolvers sign with: its name in url_keys, and the version of the secret repomill-url-key that has its private half."
  type        = object({ name = string, secret_version = number })
  validation {
    condition     = contains(keys(var.url_keys), var.url_key.name)
    error_message = "url_key.name is one of the names in url_keys."
  }
  validation {
    condition     = var.url_key.secret_version >= 1 && floor(var.url_key.secret_version) == var.url_key.secret_version
    error_message = "url_key.secret_version is a number from gcloud secrets versions list repomill-url-key: with \"latest\", a new version would reach pods before its name does."
  }
}

variable "pointers_from" {
  description = "Bucket that answers for indexes: primary, or replica after repomill check --replica has passed."
  type        = string
  default     = "primary"
}

variable "published_from" {
  description = "Bucket that workers publish to: primary, or replica if the primary's region is lost for long."
  type        = string
  default     = "primary"
  validation {
    condition     = var.published_from == "primary" || !var.replication
    error_message = "With published_from = \"replica\", set replication = false: S3 would write old objects of the primary over new ones."
  }
}

variable "replication" {
  description = "Whether S3 copies the primary to the replica."
  type        = bool
  default     = true
}

variable "web_acl" {
  description = "ARN of a web ACL for the CDN, or null."
  type        = string
  default     = null
}

variable "price_class" {
  description = "Edges of the CDN: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_All"
}
