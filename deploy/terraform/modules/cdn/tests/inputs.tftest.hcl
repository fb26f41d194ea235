mock_provider "aws" {
  mock_resource "aws_cloudfront_distribution" {
    defaults = {
      arn            = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"
      domain_name    = "d111111abcdef8.cloudfront.net"
      hosted_zone_id = "Z2FDTNDATAQYW2"
    }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = {
      arn = "arn:aws:cloudfront::123456789012:function/repomill-ops-paths"
    }
  }
}

mock_provider "aws" {
  alias = "us_east_1"
  mock_resource "aws_cloudwatch_log_delivery_destination" {
    defaults = {
      arn = "arn:aws:logs:us-east-1:123456789012:delivery-destination:repomill-ops"
    }
  }
}

variables {
  name            = "repomill-ops"
  domain          = "cdn.acme.example"
  certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
  primary         = { origin = "acme-packages.s3.eu-central-1.amazonaws.com" }
  replica         = { origin = "acme-packages-replica.s3.eu-west-1.amazonaws.com" }
  log_bucket_arn  = "arn:aws:s3:::acme-packages-logs"
  url_keys = {
    "2026-11" = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEB+now\n-----END PUBLIC KEY-----\n"
    "2027-05" = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnext0\n-----END PUBLIC KEY-----\n"
  }
}

run "neither_zone_nor_certificate" {
  command = plan
  variables {
    certificate_arn = null
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.certificate_arn]
}

run "a_certificate_of_another_region" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.certificate_arn]
}

run "one_key" {
  command = plan
  variables {
    url_keys = { "2026-11" = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----" }
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.url_keys]
}

run "a_private_key" {
  command = plan
  variables {
    url_keys = {
      "2026-11" = "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----"
      "2027-05" = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"
    }
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.url_keys]
}

run "errors_for_a_minute" {
  command = plan
  variables {
    error_seconds = 60
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.error_seconds]
}

run "signatures_in_logs" {
  command = plan
  variables {
    log_fields = ["date", "time", "sc-bytes", "cs-method", "cs-uri-stem", "sc-status", "cs(User-Agent)", "sc-content-len", "cs-uri-query"]
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.log_fields]
}

run "pointers_from_elsewhere" {
  command = plan
  variables {
    pointers_from = "both"
  }
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }
  expect_failures = [var.pointers_from]
}
