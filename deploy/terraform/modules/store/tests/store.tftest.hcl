mock_provider "aws" {}

mock_provider "aws" {
  alias = "replica"
}

variables {
  account_id       = "123456789012"
  name             = "acme-packages"
  publish_role_arn = "arn:aws:iam::123456789012:role/repomill-ops-publish"
  distribution_arn = "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE"
  pool_prefixes    = ["acme/tools/ubuntu/pool/"]
}

run "buckets" {
  command = plan

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  assert {
    condition = alltrue([
      for block in [aws_s3_bucket_public_access_block.primary, aws_s3_bucket_public_access_block.replica, aws_s3_bucket_public_access_block.logs] :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "a bucket can be made public"
  }

  assert {
    condition = alltrue([
      for v in [aws_s3_bucket_versioning.primary, aws_s3_bucket_versioning.replica] : v.versioning_configuration[0].status == "Enabled"
    ])
    error_message = "a bucket of packages keeps no versions"
  }

  assert {
    condition = alltrue([
      for o in [aws_s3_bucket_ownership_controls.primary, aws_s3_bucket_ownership_controls.replica, aws_s3_bucket_ownership_controls.logs] :
      o.rule[0].object_ownership == "BucketOwnerEnforced"
    ])
    error_message = "an object may belong to another account"
  }

  assert {
    condition = alltrue(flatten([
      for e in [aws_s3_bucket_server_side_encryption_configuration.primary, aws_s3_bucket_server_side_encryption_configuration.replica, aws_s3_bucket_server_side_encryption_configuration.logs] :
      [for r in e.rule : r.apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"]
    ]))
    error_message = "a bucket is not encrypted"
  }

  assert {
    condition = alltrue([
      for l in [aws_s3_bucket_lifecycle_configuration.primary, aws_s3_bucket_lifecycle_configuration.replica] :
      [for r in l.rule : r.noncurrent_version_expiration[0].noncurrent_days if r.id == "versions"] == [90]
      && [for r in l.rule : r.abort_incomplete_multipart_upload[0].days_after_initiation if r.id == "unfinished-uploads"] == [7]
    ])
    error_message = "replaced versions and unfinished uploads are not kept as long as they should be"
  }

  assert {
    condition     = !aws_s3_bucket.primary.force_destroy && !aws_s3_bucket.replica.force_destroy && !aws_s3_bucket.logs.force_destroy
    error_message = "terraform destroy would delete packages"
  }
}

run "replication" {
  command = plan

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  assert {
    condition = alltrue([
      for r in aws_s3_bucket_replication_configuration.primary.rule :
      r.status == "Enabled" && r.delete_marker_replication[0].status == "Enabled"
      && r.destination[0].bucket == "arn:aws:s3:::acme-packages-replica"
      && r.destination[0].replication_time[0].status == "Enabled" && r.destination[0].replication_time[0].time[0].minutes == 15
      && r.destination[0].metrics[0].status == "Enabled"
    ])
    error_message = "a rule does not replicate everything within 15 minutes, with metrics"
  }

  assert {
    condition = {
      for r in aws_s3_bucket_replication_configuration.primary.rule : r.filter[0].prefix => "${r.priority} ${r.destination[0].storage_class}"
      } == {
      ""                        = "0 STANDARD"
      "acme/tools/ubuntu/pool/" = "1 STANDARD_IA"
    }
    error_message = "indexes are not in STANDARD, or the pool is not in STANDARD_IA"
  }

  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.replica.rule : one(r.transition).storage_class if r.id == "packages"] == ["STANDARD_IA"]
    error_message = "packages of other prefixes stay in STANDARD"
  }
}

run "no_replication" {
  command = plan

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  variables {
    replication = false
  }

  assert {
    condition     = alltrue([for r in aws_s3_bucket_replication_configuration.primary.rule : r.status == "Disabled"])
    error_message = "a rule still replicates"
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.replication.policy).Statement : s.Resource if s.Effect == "Deny" && contains(s.Action, "s3:ReplicateObject")] == [["arn:aws:s3:::acme-packages-replica/*"]]
    error_message = "S3 may still write into the replica"
  }
}

run "policies" {
  command = plan

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  assert {
    condition = alltrue([
      for p in [aws_s3_bucket_policy.primary, aws_s3_bucket_policy.replica, aws_s3_bucket_policy.logs] : alltrue([
        for s in jsondecode(p.policy).Statement : s.Effect == "Deny" || s.Principal != "*" && can(s.Principal.Service) && !can(s.Principal.AWS)
      ])
    ])
    error_message = "a bucket's policy allows something to others than a service"
  }

  assert {
    condition = {
      for s in jsondecode(aws_s3_bucket_policy.primary.policy).Statement : s.Sid => s.Action if s.Effect == "Allow"
      } == {
      CDNReads           = ["s3:GetObject"]
      CDNLearnsOfAbsence = ["s3:ListBucket"]
    }
    error_message = "the CDN may do more than read"
  }

  assert {
    condition = alltrue([
      for s in jsondecode(aws_s3_bucket_policy.primary.policy).Statement :
      s.Condition.StringEquals["aws:SourceArn"] == "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE" if s.Effect == "Allow"
    ])
    error_message = "other distributions may read the bucket"
  }

  assert {
    condition = [
      for s in jsondecode(aws_s3_bucket_policy.primary.policy).Statement : [s.Resource, s.Condition.ArnNotEquals["aws:PrincipalArn"]] if s.Sid == "DenyDeletionOfPackages"
      ] == [[
        ["arn:aws:s3:::acme-packages/*/pool/*", "arn:aws:s3:::acme-packages/*.deb", "arn:aws:s3:::acme-packages/*.rpm"],
        "arn:aws:iam::123456789012:role/repomill-ops-publish",
    ]]
    error_message = "others than the publish role may delete packages"
  }

  assert {
    condition = alltrue([
      for name, p in { acme-packages = aws_s3_bucket_policy.primary, acme-packages-replica = aws_s3_bucket_policy.replica } : alltrue([
        [for s in jsondecode(p.policy).Statement : s.Resource if s.Sid == "DenyWhatIsInternal"] == [["arn:aws:s3:::${name}/.*", "arn:aws:s3:::${name}/*/.*"]],
        [for s in jsondecode(p.policy).Statement : [s.Action, s.Resource] if s.Sid == "DenyDeletionOfVersions"] == [[["s3:DeleteObjectVersion"], ["arn:aws:s3:::${name}/*"]]],
      ])
    ])
    error_message = "the CDN may read settings, or versions may be deleted"
  }

  assert {
    condition = [
      for s in jsondecode(aws_s3_bucket_policy.logs.policy).Statement : [s.Principal.Service, s.Action, s.Condition.StringEquals["aws:SourceAccount"]] if s.Effect == "Allow"
    ] == [["delivery.logs.amazonaws.com", ["s3:PutObject"], "123456789012"]]
    error_message = "others than CloudWatch's deliveries of this account may write logs"
  }
}
