package awsidentity

import "time"

// HurryUp makes requests to the metadata server follow each other at once.
func HurryUp() { pause = time.Millisecond }
