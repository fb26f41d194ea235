package gcs

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
)

// explain wraps an error with the operation, the object, and what the operator can do. It is fs.ErrNotExist for an
// absent object and fs.ErrPermission for a refusal. permission is the one that the operation needs.
func (s *Staging) explain(verb, object, permission string, err error) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf("%s gs://%s", verb, s.name)
	if object != "" {
		what += fmt.Sprintf("/%q", object)
	}
	switch {
	case noBucket(err):
		return fmt.Errorf("%s: there is no such bucket; check --staging: %w", what, err)
	case absent(err):
		return fmt.Errorf("%s: %w: %w", what, fs.ErrNotExist, err)
	case hasCode(err, http.StatusUnauthorized):
		return fmt.Errorf("%s: Google does not accept the credentials that --staging is opened with: %w: %w", what, fs.ErrPermission, err)
	case hasCode(err, http.StatusForbidden):
		return fmt.Errorf("%s: grant %s on the bucket of --staging to the identity that this runs as: %w: %w", what, permission, fs.ErrPermission, err)
	case unreachable(err):
		return fmt.Errorf("%s: the store cannot be reached; check --staging (its endpoint) and the network: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// absent reports whether an object does not exist. That includes Google's answer of 403 for an absent object if the
// caller may not list the bucket.
func absent(err error) bool {
	var answer *googleapi.Error
	return errors.Is(err, storage.ErrObjectNotExist) || hasCode(err, http.StatusNotFound) ||
		errors.As(err, &answer) && answer.Code == http.StatusForbidden && strings.Contains(answer.Error(), "storage.objects.list access")
}

// noBucket reports whether Google answered that the bucket does not exist. Its code is that of an absent object.
func noBucket(err error) bool {
	var answer *googleapi.Error
	return errors.Is(err, storage.ErrBucketNotExist) ||
		errors.As(err, &answer) && answer.Code == http.StatusNotFound && strings.Contains(strings.ToLower(answer.Error()), "bucket does not exist")
}

// gone reports whether the generation in a request does not exist.
func gone(err error) bool {
	return hasCode(err, http.StatusPreconditionFailed) || absent(err) && !noBucket(err)
}

func hasCode(err error, code int) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code == code
}

func unreachable(err error) bool {
	var request *url.Error
	var network net.Error
	return errors.Is(err, errStalled) || errors.As(err, &request) || errors.As(err, &network)
}
