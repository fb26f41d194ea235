package main

import (
	"context"
	"time"
)

// removeParts removes what uploads have left in staging whose process was killed, perhaps that of the start before.
func (s *site) removeParts(ctx context.Context) error {
	folder, ok := s.resources.Staging.(interface {
		RemoveParts(ctx context.Context, now time.Time) (files int, bytes int64, err error)
	})
	if !ok {
		return nil
	}
	files, bytes, err := folder.RemoveParts(ctx, time.Now())
	if files > 0 {
		s.log.Info("removed what interrupted uploads have left in staging", "files", files, "bytes", bytes)
	}
	return err
}
