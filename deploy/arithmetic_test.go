package deploy_test

import (
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

// sum is a code span with a product or sum and its value, such as `20,000 × 0.023 = 460`.
var sum = regexp.MustCompile("`([0-9][^`=]*|\\([^`=]*) = ([0-9.,]+)`")

// wrongSums returns the code spans of a document whose value is more than half a percent off.
func wrongSums(t *testing.T, body string) (checked int, wrong []string) {
	t.Helper()
	for _, m := range sum.FindAllStringSubmatch(body, -1) {
		plain := strings.NewReplacer(",", "", "×", "*", "/", "/1.0/").Replace(m[1]) // /1.0/: a division of decimals
		value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, plain)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		says := constant.MakeFromLiteral(strings.ReplaceAll(m[2], ",", ""), token.FLOAT, 0)
		is, _ := constant.Float64Val(value.Value)
		want, _ := constant.Float64Val(says)
		if checked++; math.Abs(is-want) > 0.005*is {
			wrong = append(wrong, m[0])
		}
	}
	return checked, wrong
}

// TestArithmetic multiplies again what documents say.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cost.md", "scale.md", "dataflow/README.md"} {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n, wrong := wrongSums(t, string(body)); n < 5 || len(wrong) > 0 {
			t.Errorf("%s: %d sums, wrong ones: %q", name, n, wrong)
		}
	}
	if n, wrong := wrongSums(t, "`2 × 1,000 = 2,000` and `3 / 2 = 1` and `(1 + 2) × 2 = 7`"); n != 3 || len(wrong) != 2 {
		t.Errorf("of three sums with two wrong ones: %d, wrong %q", n, wrong)
	}
}
