variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the database, that of the workers."
  type        = string
}

variable "network" {
  description = "Id of the VPC network in which the database gets its address."
  type        = string
}

variable "address_range" {
  description = "First address of the /20 range that Google's services get in the network, such as 10.64.0.0."
  type        = string
  validation {
    condition     = can(cidrnetmask("${var.address_range}/20"))
    error_message = "address_range is an IPv4 address, such as 10.64.0.0."
  }
}

variable "tier" {
  description = "Machine type of the database, such as db-n1-standard-4."
  type        = string
  validation {
    condition     = can(regex("^db-(n1-(standard|highmem)-[0-9]+|custom-[0-9]+-[0-9]+)$", var.tier))
    error_message = "tier is db-n1-standard-CPUS, db-n1-highmem-CPUS or db-custom-CPUS-MEGABYTES: the edition ENTERPRISE has no others with CPUs of their own."
  }
}

variable "availability" {
  description = "REGIONAL for a standby in a second zone, ZONAL for none."
  type        = string
  default     = "REGIONAL"
  validation {
    condition     = contains(["REGIONAL", "ZONAL"], var.availability)
    error_message = "availability is REGIONAL or ZONAL."
  }
}

variable "disk_gb" {
  description = "Initial size of the disk in GB. It grows by itself."
  type        = number
  validation {
    condition     = var.disk_gb >= 10
    error_message = "disk_gb is 10 or more."
  }
}

variable "disk_limit_gb" {
  description = "Size in GB up to which the disk grows by itself; 0 for no limit."
  type        = number
  default     = 0
}

variable "deletion_protection" {
  description = "Whether Terraform and Google refuse to delete the database."
  type        = bool
}

variable "retained_backups" {
  description = "Number of daily backups that are kept."
  type        = number
  default     = 30
  validation {
    condition     = var.retained_backups >= 7 && var.retained_backups <= 365
    error_message = "retained_backups is between 7 and 365."
  }
}

variable "backup_start" {
  description = "Time in UTC (HH:MM) at which the four hours begin in which the daily backup is made."
  type        = string
  default     = "02:00"
  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.backup_start))
    error_message = "backup_start is a time of the day in UTC, such as 02:00."
  }
}

variable "maintenance" {
  description = "Day (1 is Monday) and hour in UTC of updates of the database, and their track: week5 gets an update last, canary first."
  type        = object({ day = number, hour = number, track = string })
  default     = { day = 2, hour = 8, track = "stable" }
  validation {
    condition     = var.maintenance.day >= 1 && var.maintenance.day <= 7 && var.maintenance.hour >= 0 && var.maintenance.hour <= 23
    error_message = "maintenance.day is between 1 and 7, maintenance.hour between 0 and 23."
  }
  validation {
    condition     = contains(["canary", "stable", "week5"], var.maintenance.track)
    error_message = "maintenance.track is canary, stable or week5."
  }
}

variable "flags" {
  description = "More flags of the database. Those of the module cannot be replaced."
  type        = map(string)
  default     = {}
}

variable "users" {
  description = "Emails of the service accounts that log in, by a name of your choice. The name of the user is what is before the @."
  type        = map(string)
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
