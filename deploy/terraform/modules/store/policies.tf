locals {
  # Known before the buckets are made, so that a plan shows the policies.
  arns = {
    primary = "arn:aws:s3:::${var.name}"
    replica = "arn:aws:s3:::${local.replica_name}"
    logs    = "arn:aws:s3:::${local.logs_name}"
  }

  package_policies = {
    for bucket in ["primary", "replica"] : bucket => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "DenyPlainHTTP"
          Effect    = "Deny"
          Principal = "*"
          Action    = "s3:*"
          Resource  = [local.arns[bucket], "${local.arns[bucket]}/*"]
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
        {
          # Replication and lifecycle rules do not delete with this action.
          Sid       = "DenyDeletionOfPackages"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:DeleteObject"]
          Resource  = ["${local.arns[bucket]}/*/pool/*", "${local.arns[bucket]}/*.deb", "${local.arns[bucket]}/*.rpm"]
          Condition = { ArnNotEquals = { "aws:PrincipalArn" = var.publish_role_arn } }
        },
        {
          # Versions are the backup: only lifecycle rules end them.
          Sid       = "DenyDeletionOfVersions"
          Effect    = "Deny"
          Principal = "*"
          Action    = ["s3:DeleteObjectVersion"]
          Resource  = ["${local.arns[bucket]}/*"]
        },
        {
          Sid       = "CDNReads"
          Effect    = "Allow"
          Principal = { Service = "cloudfront.amazonaws.com" }
          Action    = ["s3:GetObject"]
          Resource  = ["${local.arns[bucket]}/*"]
          Condition = { StringEquals = { "aws:SourceArn" = var.distribution_arn } }
        },
        {
          # Settings, manifests, prepared indexes.
          Sid       = "DenyWhatIsInternal"
          Effect    = "Deny"
          Principal = { Service = "cloudfront.amazonaws.com" }
          Action    = ["s3:GetObject"]
          Resource  = ["${local.arns[bucket]}/.*", "${local.arns[bucket]}/*/.*"]
        },
        {
          # With this an absent object is answered with 404, at which apt and dnf go on. The distribution never asks for
          # the list itself, which would be the answer to "/": see the module cdn.
          Sid       = "CDNLearnsOfAbsence"
          Effect    = "Allow"
          Principal = { Service = "cloudfront.amazonaws.com" }
          Action    = ["s3:ListBucket"]
          Resource  = [local.arns[bucket]]
          Condition = { StringEquals = { "aws:SourceArn" = var.distribution_arn } }
        },
      ]
    })
  }
}

resource "aws_s3_bucket_policy" "primary" {
  bucket = aws_s3_bucket.primary.id
  policy = local.package_policies.primary

  depends_on = [aws_s3_bucket_public_access_block.primary]
}

resource "aws_s3_bucket_policy" "replica" {
  provider = aws.replica
  bucket   = aws_s3_bucket.replica.id
  policy   = local.package_policies.replica

  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyPlainHTTP"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.arns.logs, "${local.arns.logs}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "CDNDeliversLogs"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = ["s3:PutObject"]
        Resource  = ["${local.arns.logs}/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id }
          ArnLike      = { "aws:SourceArn" = "arn:aws:logs:us-east-1:${var.account_id}:delivery-source:*" }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.logs]
}
