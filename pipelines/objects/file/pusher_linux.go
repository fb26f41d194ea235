package file

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"repomill/schemas/catalog"
)

// pusherName is the extended attribute of a staged file that has its pusher, as JSON.
const pusherName = "user.repomill.pusher"

// maxPusherText bounds the attribute in bytes. The characters of a pusher may take several in JSON.
const maxPusherText = 4000

// A pushed is what the attribute has. Another program may write into the file later: then its bytes are of another time.
type pushed struct {
	catalog.Pusher
	Modified time.Time `json:"modified"`
}

// setPusher keeps the pusher of a complete file with the file. A file system without such attributes, or room for them, does not keep
// it: the package counts, not who pushed it.
func setPusher(f *os.File, by catalog.Pusher) {
	if by = by.Kept(); by == (catalog.Pusher{}) {
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	if text, err := json.Marshal(pushed{by, info.ModTime().UTC()}); err == nil {
		unix.Fsetxattr(int(f.Fd()), pusherName, text, 0) //nolint:errcheck // see above
	}
}

// pusherTexts hold room for the attribute between two files.
var pusherTexts = sync.Pool{New: func() any { return new([maxPusherText]byte) }}

// pusherOf returns the pusher of a file; none if that is not known.
func pusherOf(f *os.File) catalog.Pusher {
	room := pusherTexts.Get().(*[maxPusherText]byte)
	defer pusherTexts.Put(room)
	text := room[:]
	n, err := unix.Fgetxattr(int(f.Fd()), pusherName, text)
	if err != nil {
		return catalog.Pusher{}
	}
	var p pushed
	info, err := f.Stat()
	if err != nil || json.Unmarshal(text[:n], &p) != nil || !p.Modified.Equal(info.ModTime()) {
		return catalog.Pusher{}
	}
	return p.Kept()
}
