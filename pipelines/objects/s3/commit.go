package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"repomill/schemas/layout"
)

var (
	// errRefused says that the condition of a write was not met, and that nothing was stored.
	errRefused = errors.New("the object is not as the condition of the write has it")
	// errUnsettled says that the condition is not met now, and may have been met by an earlier attempt, whose answer was lost.
	errUnsettled = errors.New("refused when it was repeated; the first request may have been carried out, and its object replaced since")
)

// commit sends the request that makes a write visible and returns the new version.
//
// The SDK retries a request whose answer was lost. If that request had succeeded, the retry is refused, because the object
// does not meet the condition any more. After a refused retry, commit therefore reads the name of the object's write: if it
// is that of this write, the write has succeeded.
func (b *Bucket) commit(ctx context.Context, w write, send func(count func(*s3.Options)) (etag *string, err error)) (layout.Version, error) {
	var sent tally
	etag, err := send(sent.count)
	refused := isRefused(err) || isAbsent(err) && w.old != ""
	switch {
	case err == nil:
		return layout.Version(aws.ToString(etag)), nil
	case refused && sent == 1:
		return "", errRefused
	case !refused && !isUploadGone(err):
		return "", err
	}
	meta, name, headErr := b.head(ctx, w.object.Key)
	switch {
	case headErr == nil && name == w.name:
		return meta.Version, nil
	case refused:
		return "", fmt.Errorf("%w: %w", errUnsettled, err)
	default:
		return "", err
	}
}

// A tally counts the attempts of a request.
type tally int

// count is an option of the request.
func (n *tally) count(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Tally",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				*n++
				return next.HandleFinalize(ctx, in)
			}), "Retry", middleware.After)
	})
}
