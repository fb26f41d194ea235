terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source                = "hashicorp/aws"
      version               = ">= 5.100, < 7"
      configuration_aliases = [aws.us_east_1] # where CloudFront takes certificates from, and delivers logs
    }
  }
}
