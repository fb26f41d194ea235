package s3

// StallingDialer and CopySource are tested by themselves.
var (
	StallingDialer = stallingDialer
	CopySource     = copySource
)

// SetCopySize sets how many bytes one request copies. S3 wants at least 5 MiB.
func (b *Bucket) SetCopySize(n int64) { b.copySize = n }
