package api

// States returns how many principals the limits know something of.
func (l *Limits) States() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.states)
}
