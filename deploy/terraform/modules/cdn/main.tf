locals {
  # Objects that never change under their names: these, and no others, fail over to the other bucket by themselves. The
  # names of pointers, and indexes under plain names, match none of them; paths_test.go has both.
  digest = join("", [for i in range(64) : "?"])
  immutable = [
    "*.deb",
    "*.rpm",
    "*/by-hash/SHA256/${local.digest}",
    "*/repodata/${local.digest}-*.gz",
  ]

  # With pointers from the replica, it is the first for the immutable ones as well: the primary does not answer then.
  origins = var.pointers_from == "primary" ? ["primary", "replica"] : ["replica", "primary"]
}

resource "aws_cloudfront_distribution" "this" {
  comment             = var.name
  enabled             = true
  is_ipv6_enabled     = true
  http_version        = "http2and3"
  price_class         = var.price_class
  aliases             = [var.domain]
  web_acl_id          = var.web_acl_arn
  wait_for_deployment = true

  # So that "/" is not the list of all keys, even without the function. Pages are those of the resolver's name.
  default_root_object = "index.html"

  dynamic "origin" {
    for_each = { primary = var.primary.origin, replica = var.replica.origin }

    content {
      origin_id                = origin.key
      domain_name              = origin.value
      origin_access_control_id = aws_cloudfront_origin_access_control.this.id
      connection_attempts      = 2
      connection_timeout       = 3
    }
  }

  origin_group {
    origin_id = "immutable"

    failover_criteria {
      status_codes = [500, 502, 503, 504]
    }

    dynamic "member" {
      for_each = local.origins

      content {
        origin_id = member.value
      }
    }
  }

  # Pointers and all that is not below. Failover is per request: one 503 would serve an older pointer, or the two files of
  # a pair from different regions.
  default_cache_behavior {
    target_origin_id           = var.pointers_from
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    viewer_protocol_policy     = "https-only"
    compress                   = false
    cache_policy_id            = aws_cloudfront_cache_policy.this["pointers"].id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
    trusted_key_groups         = [aws_cloudfront_key_group.url.id]

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.paths.arn
    }
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.immutable

    content {
      path_pattern               = ordered_cache_behavior.value
      target_origin_id           = "immutable"
      allowed_methods            = ["GET", "HEAD"]
      cached_methods             = ["GET", "HEAD"]
      viewer_protocol_policy     = "https-only"
      compress                   = false
      cache_policy_id            = aws_cloudfront_cache_policy.this["immutable"].id
      response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id
      trusted_key_groups         = [aws_cloudfront_key_group.url.id]

      function_association {
        event_type   = "viewer-request"
        function_arn = aws_cloudfront_function.paths.arn
      }
    }
  }

  dynamic "custom_error_response" {
    for_each = [403, 404, 500, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = var.error_seconds
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = var.zone_id == null ? var.certificate_arn : one(values(aws_acm_certificate_validation.this)).certificate_arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }
}
