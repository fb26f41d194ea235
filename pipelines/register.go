package pipelines

import (
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
)

// registerDoFn makes a DoFn, and the types that go in and out of it, known by name to the workers of an engine. Beam calls the methods
// of such a DoFn by reflection, which costs nothing beside the reading of a package. register.DoFn would save that, and compiles every
// form that a DoFn may have: 50 MB of program for the DoFns here.
func registerDoFn[DoFn any]() {
	beam.RegisterDoFn(reflect.TypeFor[DoFn]())
}
