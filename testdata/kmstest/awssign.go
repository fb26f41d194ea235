package kmstest

import (
	"crypto"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// answerSign signs as AWS does: a digest as it is, a message after hashing it, and with Ed25519 messages alone.
func (k *awsKey) answerSign(in awsRequest, fault Fault) (any, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	if k.usage != types.KeyUsageTypeSignVerify || !slices.Contains(awsKinds[types.KeySpec(k.kind)].algorithms, in.SigningAlgorithm) {
		return nil, refuse("InvalidKeyUsageException", "%s cannot be used with %s", ARN(k.id), in.SigningAlgorithm)
	}
	pure := in.SigningAlgorithm == types.SigningAlgorithmSpecEd25519Sha512
	one := k.key
	one.hash = hashOf(in.SigningAlgorithm)
	one.pss = strings.Contains(string(in.SigningAlgorithm), "PSS")
	switch {
	case in.SigningAlgorithm == types.SigningAlgorithmSpecEd25519PhSha512, pure && in.MessageType != types.MessageTypeRaw, len(in.Message) > 4096:
		return nil, refuse("ValidationException", "MessageType %s does not go with %s", in.MessageType, in.SigningAlgorithm)
	case in.MessageType == types.MessageTypeDigest && len(in.Message) != one.hash.Size():
		return nil, refuse("ValidationException", "Digest is invalid length for algorithm %s.", in.SigningAlgorithm)
	case !pure && in.MessageType != types.MessageTypeDigest:
		in.Message = sum(one.hash, in.Message)
	}
	signature, err := one.signature(in.Message, fault)
	if err != nil {
		return nil, refuse("KMSInternalException", "%v", err)
	}
	if fault == Damaged {
		signature[len(signature)/2] ^= 1
	}
	return map[string]any{"KeyId": ARN(k.id), "Signature": signature, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
