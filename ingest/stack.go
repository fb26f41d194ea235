package ingest

// stackRoom is about as many bytes as the stack of a goroutine needs to store an upload: a [catalog.Package] has more than 600, and most
// functions on the way have several.
const stackRoom = 20 << 10

// growStack has the stack of this goroutine grow at once to what an upload needs. It would be copied four times otherwise, each time with
// more on it, since a new goroutine has 2 KiB.
//
//go:noinline
func growStack(at int) byte {
	var room [stackRoom]byte
	return room[at%stackRoom]
}
