//go:build !linux

package file

import (
	"os"

	"repomill/schemas/catalog"
)

// setPusher keeps nothing here.
func setPusher(*os.File, catalog.Pusher) {}

// pusherOf knows no pusher here.
func pusherOf(*os.File) catalog.Pusher { return catalog.Pusher{} }
