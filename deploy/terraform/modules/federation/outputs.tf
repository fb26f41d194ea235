output "role_arns" {
  description = "AWS_ROLE_ARN of each purpose."
  value       = { for purpose, role in aws_iam_role.this : purpose => "arn:aws:iam::${var.account_id}:role/${role.name}" }
}
