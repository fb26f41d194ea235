# Objects have Cache-Control, which follows from their keys. These are its bounds. Nothing of a request but the path
# is part of the key: neither signatures nor headers.
resource "aws_cloudfront_cache_policy" "this" {
  for_each = {
    immutable = { default = 86400, max = 31536000 }
    pointers  = { default = 0, max = 300 }
  }

  name        = "${var.name}-${each.key}"
  min_ttl     = 0
  default_ttl = each.value.default
  max_ttl     = each.value.max

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = false
    enable_accept_encoding_gzip   = false

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "none"
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "this" {
  name = var.name

  security_headers_config {
    content_type_options {
      override = true
    }

    content_security_policy {
      content_security_policy = "default-src 'none'; frame-ancestors 'none'; sandbox"
      override                = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer" # the address of a page is a signed URL
      override        = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
  }
}

resource "aws_cloudfront_public_key" "url" {
  for_each = var.url_keys

  # A key is never changed: another one under the name of yours is another key of CloudFront.
  name        = "${var.name}-${each.key}-${substr(sha256(trimspace(each.value)), 0, 8)}"
  encoded_key = "${trimspace(each.value)}\n"

  # A key that is taken out is removed only after the group has been changed: CloudFront keeps one that is in use.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudfront_key_group" "url" {
  name  = var.name
  items = [for name in sort(keys(var.url_keys)) : aws_cloudfront_public_key.url[name].id]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.name
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

# Answers for folders and hidden keys, and rewrites other spellings of paths.
resource "aws_cloudfront_function" "paths" {
  name    = "${var.name}-paths"
  runtime = "cloudfront-js-2.0"
  code    = file("${path.module}/function.js")
  publish = true
}
