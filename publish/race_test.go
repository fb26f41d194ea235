//go:build race

package publish_test

// underRace is set where the race detector watches, and makes everything ten times as slow.
const underRace = true
