# One role for each purpose. None has a secret: who takes it shows a token that the cluster or Google has signed.
resource "aws_iam_openid_connect_provider" "cluster" {
  for_each = var.cluster == null ? {} : { this = var.cluster }

  url            = each.value.issuer
  client_id_list = [each.value.audience]
}

locals {
  service_accounts = {
    publish = "repomill-worker"
    serve   = "repomill-resolver"
    verify  = "repomill-audit"
    stats   = "repomill-stats"
  }

  issuer = var.cluster == null ? "" : trimprefix(var.cluster.issuer, "https://")

  trust = {
    for purpose, account in local.service_accounts : purpose => concat(
      [
        for cluster in var.cluster == null ? [] : [var.cluster] : {
          Effect    = "Allow"
          Action    = "sts:AssumeRoleWithWebIdentity"
          Principal = { Federated = "arn:aws:iam::${var.account_id}:oidc-provider/${local.issuer}" }
          Condition = {
            StringEquals = {
              "${local.issuer}:aud" = cluster.audience
              "${local.issuer}:sub" = "system:serviceaccount:${cluster.namespace}:${account}"
            }
          }
        }
      ],
      [
        # IAM knows Google itself. Its key "aud" is the token's azp, the account; "oaud" is the token's aud.
        for id in [for p, id in var.google_ids : id if p == purpose] : {
          Effect    = "Allow"
          Action    = "sts:AssumeRoleWithWebIdentity"
          Principal = { Federated = "accounts.google.com" }
          Condition = {
            StringEquals = {
              "accounts.google.com:aud"  = id
              "accounts.google.com:oaud" = var.google_audience
              "accounts.google.com:sub"  = id
            }
          }
        }
      ],
    )
  }
}

# A purpose that nothing is to take has no role.
resource "aws_iam_role" "this" {
  for_each = { for purpose, statements in local.trust : purpose => statements if length(statements) > 0 }

  name                 = "${var.name}-${each.key}"
  max_session_duration = 3600
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = each.value })

  depends_on = [aws_iam_openid_connect_provider.cluster]
}

resource "aws_iam_role_policy" "this" {
  for_each = aws_iam_role.this

  name   = each.key
  role   = each.value.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.permissions[each.key] })
}
