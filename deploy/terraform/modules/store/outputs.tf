output "primary" {
  description = "The bucket of packages."
  value = {
    name   = aws_s3_bucket.primary.bucket
    arn    = local.arns.primary
    origin = aws_s3_bucket.primary.bucket_regional_domain_name
  }
}

output "replica" {
  description = "Its copy in another region."
  value = {
    name   = aws_s3_bucket.replica.bucket
    arn    = local.arns.replica
    origin = aws_s3_bucket.replica.bucket_regional_domain_name
  }
}

output "logs" {
  description = "The bucket of the CDN's logs."
  value = {
    name = aws_s3_bucket.logs.bucket
    arn  = local.arns.logs
  }

  depends_on = [aws_s3_bucket_policy.logs] # before logs are delivered
}
