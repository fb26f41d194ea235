package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	"repomill/schemas/catalog"
)

// same answers for an upload whose place in staging is taken, by an earlier attempt: it is the same if its bytes are.
func (h *Handler) same(r *http.Request, req request, there catalog.Upload, body *received) (u catalog.Upload, sum string, refused *refusal) {
	sent := req.digest
	if sent == nil || !strings.EqualFold(r.Header.Get("Expect"), "100-continue") { // else the client has not begun to send
		if err := body.drain(); err != nil {
			return u, "", body.refusal()
		}
		sent = body.hash.Sum(nil)
	}
	stored, err := h.stored(r.Context(), there)
	if err != nil {
		return u, "", down("compare", err)
	}
	if !bytes.Equal(sent, stored) {
		return u, "", &refusal{status: http.StatusUnprocessableEntity, field: "idempotency_key",
			message: fmt.Sprintf("another file was sent under this Idempotency-Key: it has the SHA-256 %x, and this one %x; use another key", stored, sent)}
	}
	return there, hex.EncodeToString(stored), nil
}

// stored returns the SHA-256 of an upload in staging: the catalog's, if it has been read, else of its bytes.
func (h *Handler) stored(ctx context.Context, u catalog.Upload) ([]byte, error) {
	if v, known, err := h.hub.await(ctx, u, false); err == nil && known && v.SHA256 != "" {
		return hex.DecodeString(v.SHA256)
	}
	body, _, err := h.Staging.Open(ctx, u)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, body)
	return sum.Sum(nil), err
}
