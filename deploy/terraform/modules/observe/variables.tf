variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the bucket of logs."
  type        = string
}

variable "emails" {
  description = "Addresses that alerts are sent to."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for e in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", e))])
    error_message = "emails are addresses such as oncall@example.org."
  }
}

variable "channels" {
  description = "Resource names of more notification channels (PagerDuty, Slack), which were made by hand: their tokens are secrets."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for c in var.channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", c))])
    error_message = "channels are resource names: projects/P/notificationChannels/N."
  }
}

variable "host" {
  description = "Name under which clients reach the resolver; it is checked from outside."
  type        = string
}

variable "subscription" {
  description = "Name of the subscription of the workers."
  type        = string
}

variable "dead_subscription" {
  description = "Name of the subscription that holds dead letters."
  type        = string
}

variable "database" {
  description = "Name of the database instance."
  type        = string
}

variable "rules" {
  description = "The rules of Prometheus whose alerts become policies: deploy/monitoring/rules.yml."
  type        = string
  validation {
    condition     = can(yamldecode(var.rules).groups[0].rules)
    error_message = "rules is the text of a file of rules for Prometheus, with groups."
  }
}

variable "omit" {
  description = "Names of alerts in rules that are left out, such as RepomillAuditAbsent without an audit."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for name in var.omit : name == "RepomillStatisticsBehind" || strcontains(var.rules, "alert: ${name}\n")])
    error_message = "omit has names of alerts in rules, or RepomillStatisticsBehind."
  }
}

variable "enabled" {
  description = "Whether alerts are sent. Off until the first release of the chart runs."
  type        = bool
  default     = true
}

variable "namespace" {
  description = "Namespace of the chart in the cluster."
  type        = string
}

variable "runbooks" {
  description = "URL of the folder of runbooks, with a / at the end."
  type        = string
  validation {
    condition     = can(regex("^https://.+/$", var.runbooks))
    error_message = "runbooks is an https URL that ends in /."
  }
}

variable "log_days" {
  description = "Days for which audit logs are kept."
  type        = number
  default     = 400
  validation {
    condition     = var.log_days >= 30 && var.log_days <= 3650
    error_message = "log_days is between 30 and 3650."
  }
}

variable "billing_account" {
  description = "Id of the billing account, such as 01AB23-45CD67-89EF01, for the budget; empty for none."
  type        = string
  default     = ""
  validation {
    condition     = var.billing_account == "" || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account is such as 01AB23-45CD67-89EF01: gcloud billing accounts list."
  }
}

variable "budget" {
  description = "Expected cost of the project in a month, in whole units of the billing account's currency. It limits nothing: it warns."
  type        = number
  default     = 1000
  validation {
    condition     = var.budget >= 1 && floor(var.budget) == var.budget
    error_message = "budget is a whole number."
  }
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
