package file_test

import (
	"errors"

	"repomill/pipelines/objects/objectstest"
)

const (
	pointer = objectstest.Pointer
	pool    = objectstest.Pool
)

var errBody = errors.New("the body failed")

var (
	create    = objectstest.Create
	swap      = objectstest.Swap
	get       = objectstest.Get
	checkBody = objectstest.CheckBody
	race      = objectstest.Race
)
