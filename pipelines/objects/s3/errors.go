package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

const (
	codeNoKey      = "NoSuchKey"
	codeConcurrent = "ConditionalRequestConflict" // of a conditional write that met another one in progress
)

// errNoDate says that an answer has no Date header, from which the times of releases are taken.
var errNoDate = errors.New("the store's answer has no Date header, which repomill takes the time from")

// code returns the error code of the store; empty if there is none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// response returns the HTTP response of an error; nil if there was none.
func response(err error) *http.Response {
	var re *awshttp.ResponseError
	if errors.As(err, &re) && re.Response != nil {
		return re.Response.Response
	}
	return nil
}

func status(err error) int {
	if r := response(err); r != nil {
		return r.StatusCode
	}
	return 0
}

// isAbsent reports whether the store answered that there is no such object. NotFound is the SDK's code for the answer
// to a HEAD, which has no body.
func isAbsent(err error) bool {
	c := code(err)
	return c == codeNoKey || c == "NotFound"
}

// isRefused reports whether the store answered that the condition of a write is not met.
func isRefused(err error) bool {
	return code(err) == "PreconditionFailed" || status(err) == http.StatusPreconditionFailed
}

// isUploadGone reports whether the store answered that there is no such multipart upload.
func isUploadGone(err error) bool { return code(err) == "NoSuchUpload" }

// date returns the time of an answer's Date header.
func date(r *http.Response) (time.Time, error) {
	if r == nil {
		return time.Time{}, errNoDate
	}
	now, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errNoDate
	}
	return now, nil
}

// named wraps err with the operation and the key. Absence becomes [fs.ErrNotExist].
func named(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	if isAbsent(err) {
		err = fs.ErrNotExist
	}
	return fmt.Errorf("%s %s: %w", verb, key, err)
}
