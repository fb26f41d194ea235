# Replication copies objects in no order: the replica is proven whole by repomill check --replica, not by its lag. It is switched off in
# two places: the rules, which are in the primary's region, and the rights, which can be changed while that region is lost.
resource "aws_iam_role" "replication" {
  name = "${var.name}-replication"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "replication" {
  name = "replication"
  role = aws_iam_role.replication.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
        Resource = [local.arns.primary]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
        Resource = ["${local.arns.primary}/*"]
      },
      {
        Effect   = var.replication ? "Allow" : "Deny"
        Action   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
        Resource = ["${local.arns.replica}/*"]
      },
    ]
  })
}

locals {
  # The rule of a longer prefix has the higher priority, so that it decides the storage class.
  replicated = concat(
    [{ id = "all", prefix = "", class = "STANDARD" }],
    [for i, p in sort(var.pool_prefixes) : { id = "pool-${i + 1}", prefix = p, class = "STANDARD_IA" }],
  )
}

resource "aws_s3_bucket_replication_configuration" "primary" {
  bucket = aws_s3_bucket.primary.id
  role   = aws_iam_role.replication.arn

  dynamic "rule" {
    for_each = local.replicated

    content {
      id       = rule.value.id
      priority = rule.key
      status   = var.replication ? "Enabled" : "Disabled"

      filter {
        prefix = rule.value.prefix
      }

      delete_marker_replication {
        status = "Enabled" # a withdrawn package leaves the replica as well
      }

      destination {
        bucket        = local.arns.replica
        storage_class = rule.value.class

        replication_time {
          status = "Enabled"
          time {
            minutes = 15
          }
        }

        metrics {
          status = "Enabled"
          event_threshold {
            minutes = 15
          }
        }
      }
    }
  }

  depends_on = [
    aws_iam_role_policy.replication,
    aws_s3_bucket_versioning.primary,
    aws_s3_bucket_versioning.replica,
  ]
}
