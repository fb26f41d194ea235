package main

// ballast is heap that is never used: the kernel gives its pages no memory. The garbage collector runs when the heap has doubled, and
// counts it. While small packages are processed, 8 to 14 MB of the heap live, so that the collector would run five to ten times a
// second, for a twelfth of the CPU. A heap of any size takes at most so much more memory than without it.
var ballast []byte

// ballastSize is in bytes.
const ballastSize = 32 << 20

// calmGC makes the garbage collector run less often while the heap is small.
func calmGC() { ballast = make([]byte, ballastSize) }
