package pgp

// Alike gives every key the ID of the last one.
func (r *Ring) Alike() {
	for i := range r.keys {
		r.keys[i].KeyId = r.keys[len(r.keys)-1].KeyId
	}
}
