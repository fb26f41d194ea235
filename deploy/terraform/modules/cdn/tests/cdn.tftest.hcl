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

run "origins" {
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  assert {
    condition     = alltrue([for o in aws_cloudfront_distribution.this.origin : o.origin_access_control_id == aws_cloudfront_origin_access_control.this.id]) && length(aws_cloudfront_distribution.this.origin) == 2
    error_message = "an origin is read without origin access control"
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always" && aws_cloudfront_origin_access_control.this.origin_access_control_origin_type == "s3"
    error_message = "requests to the buckets are not signed"
  }

  assert {
    condition     = [for m in one(aws_cloudfront_distribution.this.origin_group).member : m.origin_id] == ["primary", "replica"]
    error_message = "failover does not go from the primary to the replica"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].target_origin_id == "primary"
    error_message = "pointers fail over by themselves"
  }

  assert {
    condition = [for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.path_pattern if b.target_origin_id == "immutable"] == [
      "*.deb", "*.rpm",
      "*/by-hash/SHA256/????????????????????????????????????????????????????????????????",
      "*/repodata/????????????????????????????????????????????????????????????????-*.gz",
    ]
    error_message = "something else than packages and digest-named indexes fails over"
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this.ordered_cache_behavior) == 4
    error_message = "there are behaviors that no assertion is about"
  }
}

run "every_path" {
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  assert {
    condition = alltrue([
      for b in concat(aws_cloudfront_distribution.this.default_cache_behavior, aws_cloudfront_distribution.this.ordered_cache_behavior) :
      toset(b.trusted_key_groups) == toset([aws_cloudfront_key_group.url.id]) && b.viewer_protocol_policy == "https-only"
      && toset(b.allowed_methods) == toset(["GET", "HEAD"]) && !b.compress
    ])
    error_message = "something is served without a signature or TLS, or compressed"
  }

  assert {
    condition = alltrue([
      for b in concat(aws_cloudfront_distribution.this.default_cache_behavior, aws_cloudfront_distribution.this.ordered_cache_behavior) :
      [for f in b.function_association : "${f.event_type} ${f.function_arn}"] == ["viewer-request arn:aws:cloudfront::123456789012:function/repomill-ops-paths"]
    ])
    error_message = "a path is served without the function that refuses folders and internal keys"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_root_object == "index.html"
    error_message = "\"/\" would be the list of all keys if the function were taken away"
  }

  assert {
    condition = alltrue([
      for p in values(aws_cloudfront_cache_policy.this) : alltrue([
        for k in p.parameters_in_cache_key_and_forwarded_to_origin :
        k.cookies_config[0].cookie_behavior == "none" && k.headers_config[0].header_behavior == "none" && k.query_strings_config[0].query_string_behavior == "none"
        && !k.enable_accept_encoding_gzip && !k.enable_accept_encoding_brotli
      ]) && p.min_ttl == 0
    ])
    error_message = "the cache key has more than the path, or no-cache is not obeyed"
  }

  assert {
    condition     = aws_cloudfront_cache_policy.this["pointers"].default_ttl == 0 && aws_cloudfront_cache_policy.this["pointers"].max_ttl <= 300
    error_message = "pointers may be cached for longer than five minutes"
  }

  assert {
    condition     = { for e in aws_cloudfront_distribution.this.custom_error_response : e.error_code => e.error_caching_min_ttl } == { 403 = 2, 404 = 2, 500 = 2, 502 = 2, 503 = 2, 504 = 2 }
    error_message = "an error is cached for longer than it should be"
  }

  assert {
    condition     = alltrue([for e in aws_cloudfront_distribution.this.custom_error_response : coalesce(e.response_code, 0) == 0])
    error_message = "an error is answered with another status"
  }

  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021" && aws_cloudfront_distribution.this.viewer_certificate[0].ssl_support_method == "sni-only"
    error_message = "old TLS is accepted"
  }

  assert {
    condition     = length(aws_cloudfront_key_group.url.items) == 2 && length(output.key_pair_ids) == 2
    error_message = "the URL key cannot be rotated"
  }
}

run "logs" {
  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  assert {
    condition     = aws_cloudwatch_log_delivery_destination.this.delivery_destination_configuration[0].destination_resource_arn == "arn:aws:s3:::acme-packages-logs" && aws_cloudwatch_log_delivery_source.this.log_type == "ACCESS_LOGS"
    error_message = "logs are not delivered to the bucket of logs"
  }

  assert {
    condition     = length(setintersection(["c-ip", "x-forwarded-for", "cs-uri-query", "cs(Cookie)", "cs(Referer)"], aws_cloudwatch_log_delivery.this.record_fields)) == 0
    error_message = "logs have addresses of clients, or signatures"
  }
}

run "pointers_from_the_replica" {
  variables {
    pointers_from = "replica"
  }

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].target_origin_id == "replica" && [for m in one(aws_cloudfront_distribution.this.origin_group).member : m.origin_id] == ["replica", "primary"]
    error_message = "the replica does not serve"
  }
}

run "certificate_and_name" {
  variables {
    certificate_arn = null
    zone_id         = "Z0123456789ABC"
  }

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  override_resource {
    target = aws_acm_certificate.this
    values = {
      arn = "arn:aws:acm:us-east-1:123456789012:certificate/87654321-1234-1234-1234-123456789012"
      domain_validation_options = [{
        domain_name           = "cdn.acme.example"
        resource_record_name  = "_proof.cdn.acme.example"
        resource_record_type  = "CNAME"
        resource_record_value = "_value.acm-validations.aws"
      }]
    }
  }

  assert {
    condition     = keys(aws_route53_record.name) == ["A", "AAAA"] && alltrue([for r in aws_route53_record.name : r.alias[0].name == "d111111abcdef8.cloudfront.net"])
    error_message = "the name does not lead to the distribution"
  }

  assert {
    condition     = aws_route53_record.proof["this"].name == "_proof.cdn.acme.example"
    error_message = "the certificate is not proven"
  }
}
