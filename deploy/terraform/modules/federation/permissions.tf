locals {
  packages = "arn:aws:s3:::${var.packages_bucket}"
  replica  = "arn:aws:s3:::${var.replica_bucket}"
  logs     = "arn:aws:s3:::${var.logs_bucket}"

  served    = var.pointers_from == "primary" ? local.packages : local.replica
  published = var.published_from == "primary" ? local.packages : local.replica

  # What a resolver answers with bytes. A "*" is any text, with slashes: of published objects, pages alone have these endings, and
  # those that are internal are denied.
  pages    = ["assets/*", "index.html", "*/index.html", "*/index.json", "*/status.json", "*/feed.atom", "*/p/*.html", "*/p/*.json", "*/names/*.html", "*/names/*.json", "*/snapshots/*.json"]
  internal = [".history/*", ".prepared/*", ".collect/*", ".snapshots/*", ".embargo/*"]

  # s3:ListBucket is on the bucket: without it S3 answers that an absent object is forbidden.
  permissions = {
    publish = concat(
      [
        {
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
          Resource = ["${local.published}/*"]
        },
        { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.published] },
      ],
      [for arn in var.distribution_arn == null ? [] : [var.distribution_arn] : {
        Effect = "Allow", Action = ["cloudfront:CreateInvalidation"], Resource = [arn]
      }],
      [for arns in length(var.signing_key_arns) == 0 ? [] : [var.signing_key_arns] : {
        Effect = "Allow", Action = ["kms:GetPublicKey", "kms:Sign"], Resource = arns
      }],
    )

    serve = [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${local.served}/.repomill/*", "${local.served}/install/*"] },
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = [for key in local.pages : "${local.served}/${key}"] },
      { Effect = "Deny", Action = ["s3:GetObject"], Resource = [for key in local.internal : "${local.served}/${key}"] },
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.served] },
    ]

    verify = [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${local.packages}/*", "${local.replica}/*"] },
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.packages, local.replica] },
    ]

    stats = [
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${local.logs}/*"] },
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.logs] },
    ]
  }
}
