package api

import (
	"context"
	"errors"
)

// A Chain asks several authenticators in order. The first one that knows a credential answers for it. If none does,
// and one of them could not find out, the error is that one's: the credential may be known later.
type Chain []Authenticator

// Authenticate implements [Authenticator].
func (c Chain) Authenticate(ctx context.Context, credential string) (Principal, error) {
	unknown, undecided := ErrUnknownCredential, error(nil)
	for _, a := range c {
		p, err := a.Authenticate(ctx, credential)
		switch {
		case err == nil:
			return p, nil
		case !errors.Is(err, ErrUnknownCredential):
			if undecided == nil {
				undecided = err
			}
		case err != ErrUnknownCredential: //nolint:errorlint // one that says more than that sentence
			unknown = err
		}
	}
	if undecided != nil {
		return Principal{}, undecided
	}
	return Principal{}, unknown
}
