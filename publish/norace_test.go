//go:build !race

package publish_test

const underRace = false
