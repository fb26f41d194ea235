package sign

import (
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet returns the signature of content by the first key alone, as one packet without armour, as packages of RPM have
// it, and whether that key is of RSA. Of the same content, key and time it is the same, unless the key is of ECDSA.
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
