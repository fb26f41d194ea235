output "distribution" {
  description = "The distribution: its ID is that of --invalidate cloudfront://ID."
  value = {
    id   = aws_cloudfront_distribution.this.id
    arn  = aws_cloudfront_distribution.this.arn
    name = aws_cloudfront_distribution.this.domain_name
  }
}

output "key_pair_ids" {
  description = "For --key-pair-id of the resolver, by the names of url_keys."
  value       = { for name, key in aws_cloudfront_public_key.url : name => key.id }
}
