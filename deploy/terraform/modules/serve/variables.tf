variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "network" {
  description = "Id of the VPC network."
  type        = string
}

variable "ranges" {
  description = "Addresses of nodes, pods and services, such as { nodes = \"10.0.0.0/20\", pods = \"10.16.0.0/14\", services = \"10.32.0.0/20\" }."
  type        = object({ nodes = string, pods = string, services = string })
  validation {
    condition     = alltrue([for r in values(var.ranges) : can(cidrhost(r, 0))])
    error_message = "ranges are ranges of addresses, such as 10.0.0.0/20."
  }
}

variable "hosts" {
  description = "Names under which clients reach the resolver, such as packages.example.org."
  type        = set(string)
  validation {
    condition     = length(var.hosts) > 0 && alltrue([for h in var.hosts : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", h))])
    error_message = "hosts are names in lower case without https://, such as packages.example.org."
  }
}

variable "dns_zone" {
  description = "Name of the managed zone of Cloud DNS for the records of hosts; empty if they are kept elsewhere."
  type        = string
  default     = ""
}

variable "namespace" {
  description = "Namespace of the Helm release."
  type        = string
  default     = "repomill"
}

variable "identities" {
  description = "Google service accounts of other modules, by the Kubernetes service account that becomes each: resource name and email."
  type        = map(object({ name = string, email = string }))
}

variable "administrators" {
  description = "Networks that reach the control plane by its address; empty: only the DNS name, where Google checks the identity first."
  type        = map(string)
  default     = {}
  validation {
    condition     = !contains(values(var.administrators), "0.0.0.0/0")
    error_message = "administrators are networks of yours, not 0.0.0.0/0."
  }
}

variable "release_channel" {
  description = "Channel of Kubernetes versions: RAPID, REGULAR or STABLE."
  type        = string
  default     = "REGULAR"
  validation {
    condition     = contains(["RAPID", "REGULAR", "STABLE"], var.release_channel)
    error_message = "release_channel is RAPID, REGULAR or STABLE."
  }
}

variable "image_pushers" {
  description = "IAM members that push images, such as the service account of CI."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for m in var.image_pushers : can(regex("^(serviceAccount|group|user|principal|principalSet):.+", m))])
    error_message = "image_pushers are single identities or groups."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the cluster."
  type        = bool
}

variable "labels" {
  description = "Labels of all resources that can have them."
  type        = map(string)
  default     = {}
}
