variable "name" {
  description = "Prefix of the names of all that this makes, such as repomill-ops."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "domain" {
  description = "The name of the CDN, --cdn of the resolver: another one than that of --public-url."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is a name in lower case without a scheme, such as cdn.acme.example."
  }
}

variable "zone_id" {
  description = "The Route 53 zone in which the certificate is proven and the name is set. Without one, set certificate_arn, and the name where your DNS is."
  type        = string
  default     = null

  validation {
    condition     = var.zone_id == null || can(regex("^Z[A-Z0-9]+$", var.zone_id))
    error_message = "zone_id is that of a hosted zone, such as Z0123456789ABC."
  }
}

variable "certificate_arn" {
  description = "A certificate for domain in us-east-1. Leave it out with zone_id."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+$", var.certificate_arn))
    error_message = "certificate_arn is the ARN of a certificate in us-east-1: CloudFront takes no others."
  }

  validation {
    condition     = (var.certificate_arn == null) != (var.zone_id == null)
    error_message = "Set zone_id, and a certificate is made; or certificate_arn, and none is."
  }
}

variable "primary" {
  description = "The bucket of packages: output primary of the module store."
  type        = object({ origin = string })
  nullable    = false
}

variable "replica" {
  description = "Its copy in another region: output replica of the module store."
  type        = object({ origin = string })
  nullable    = false
}

variable "pointers_from" {
  description = "Which bucket answers for all that changes: primary or replica. Set replica only after repomill check --replica has passed."
  type        = string
  default     = "primary"
  nullable    = false

  validation {
    condition     = contains(["primary", "replica"], var.pointers_from)
    error_message = "pointers_from is primary or replica."
  }
}

variable "url_keys" {
  description = "Public keys of signed URLs in PEM, by a name of yours such as its month. Two: the one that resolvers sign with, and the next."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(var.url_keys) >= 2 && length(var.url_keys) <= 5
    error_message = "url_keys has 2 to 5 keys: with one, it could not be replaced without refusing URLs that are signed already."
  }

  validation {
    condition     = alltrue([for name, pem in var.url_keys : can(regex("^[a-z0-9-]{1,32}$", name))])
    error_message = "names of url_keys have up to 32 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for pem in values(var.url_keys) : startswith(trimspace(pem), "-----BEGIN PUBLIC KEY-----") && endswith(trimspace(pem), "-----END PUBLIC KEY-----")])
    error_message = "each of url_keys is a public key in PEM, as openssl pkey -pubout prints it. A private key must never be here: Terraform keeps it in its state."
  }

  validation {
    condition     = length(distinct([for pem in values(var.url_keys) : trimspace(pem)])) == length(var.url_keys)
    error_message = "two of url_keys are the same key."
  }
}

variable "error_seconds" {
  description = "Seconds for which the CDN answers again that an object is absent or a bucket does not answer."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.error_seconds >= 0 && var.error_seconds <= 5
    error_message = "error_seconds is 0 to 5: a client that asks just before a package is published would keep others from it."
  }
}

variable "log_bucket_arn" {
  description = "The bucket of the CDN's logs: output logs.arn of the module store."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:aws:s3:::[a-z0-9][a-z0-9.-]+$", var.log_bucket_arn))
    error_message = "log_bucket_arn is the ARN of a bucket."
  }
}

variable "log_fields" {
  description = "Fields of the logs. The default leaves out addresses of clients, and queries, which are valid signatures for an hour."
  type        = list(string)
  nullable    = false
  default = [
    "date", "time", "x-edge-location", "sc-bytes", "cs-method", "cs(Host)", "cs-uri-stem", "sc-status", "cs(User-Agent)",
    "x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol", "cs-bytes", "time-taken", "ssl-protocol", "ssl-cipher",
    "x-edge-response-result-type", "cs-protocol-version", "time-to-first-byte", "x-edge-detailed-result-type", "sc-content-type",
    "sc-content-len", "sc-range-start", "sc-range-end", "c-country",
  ]

  validation {
    condition     = !contains(var.log_fields, "cs-uri-query") && !contains(var.log_fields, "cs(Cookie)")
    error_message = "log_fields has no cs-uri-query and no cs(Cookie): they are credentials."
  }

  validation {
    condition     = alltrue([for f in ["date", "time", "sc-bytes", "cs-method", "cs-uri-stem", "sc-status", "cs(User-Agent)", "sc-content-len"] : contains(var.log_fields, f)])
    error_message = "log_fields has date, time, sc-bytes, cs-method, cs-uri-stem, sc-status, cs(User-Agent) and sc-content-len: statistics are counted from them."
  }
}

variable "web_acl_arn" {
  description = "A web ACL of WAF for CloudFront, or null."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:aws:wafv2:us-east-1:[0-9]{12}:global/webacl/[^/]+/[^/]+$", var.web_acl_arn))
    error_message = "web_acl_arn is the ARN of a global web ACL in us-east-1."
  }
}

variable "price_class" {
  description = "Which edges serve: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_All"
  nullable    = false

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "price_class is PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}
