package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"repomill/schemas/catalog"
)

// pusherName is the extended attribute of a staged file that has its pusher, as JSON.
const pusherName = "user.repomill.pusher"

// maxPusherText bounds the attribute in bytes. The characters of a pusher may take several in JSON.
const maxPusherText = 4000

// setPusher keeps the pusher of a file with the file, unless its file system keeps no such attributes.
func setPusher(f *os.File, by catalog.Pusher) error {
	by = by.Kept()
	if by == (catalog.Pusher{}) {
		return nil
	}
	text, err := json.Marshal(by)
	if err != nil {
		return err
	}
	err = unix.Fsetxattr(int(f.Fd()), pusherName, text, 0)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep who pushes it: %w", err)
	}
	return nil
}

// pusherOf returns the pusher of a file; none if it has none that can be read.
func pusherOf(f *os.File) (by catalog.Pusher) {
	text := make([]byte, maxPusherText)
	n, err := unix.Fgetxattr(int(f.Fd()), pusherName, text)
	if err != nil || json.Unmarshal(text[:n], &by) != nil {
		return catalog.Pusher{}
	}
	return by.Kept()
}
