package pages

// Shrink makes little fit on a page, so that a few packages are as many are otherwise.
func (m *Maker) Shrink() *Maker {
	m.limits = limits{list: 3, bits: 1, top: 4, root: 3}
	return m
}

// Level is the level of a name in the list.
func (m *Maker) Level(name string) int { return m.level(name) }
