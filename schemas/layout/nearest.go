package layout

// Nearest returns the name with the fewest edits from s, the first of equals, or "" if even that one
// differs in more than a third of its letters.
func Nearest(s string, names []string) string {
	best, bestEdits := "", len(s)/3+1
	for _, n := range names {
		if e := edits(s, n); e < bestEdits {
			best, bestEdits = n, e
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
