package sign

import (
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet returns the signature of content by the first key, as one packet without armour, for an RPM package. rsa reports
// whether that key is RSA. The same content, key and time give the same packet, except with ECDSA.
func (s *Signer) Packet(content []byte, now time.Time) (signature []byte, rsa bool, err error) {
	k := s.keys[0]
	if err := k.validAt(now); err != nil {
		return nil, false, fmt.Errorf("key %s cannot sign: %w", k.certificate, err)
	}
	signature, err = k.signOne(packet.SigTypeBinary, content, now)
	if err != nil {
		return nil, false, fmt.Errorf("key %s: %w", k.certificate, err)
	}
	return signature, k.PubKeyAlgo == packet.PubKeyAlgoRSA || k.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly, nil
}
