package layout

import "fmt"

// Counted returns a number with a noun that takes an s, such as "1 package" or "2 packages".
func Counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
