package api

// States returns how many principals the limits know something of.
func (l *Limits) States() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.states)
}

// Settle waits until the uses so far are recorded.
func (a *Tokens) Settle() { a.uses.writing.Wait() }

// MaxUses is how many uses are recorded at a time.
const MaxUses = maxUses
