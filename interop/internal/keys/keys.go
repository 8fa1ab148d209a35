// Package keys reads keys in the formats of C2SP signed-note and answers with
// the field's own signers and verifiers: golang.org/x/mod/sumdb/note for
// Ed25519 (0x01), github.com/transparency-dev/formats/note for cosignatures
// (0x04 Ed25519, 0x06 ML-DSA-44).
package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"filippo.io/mldsa"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// Signature types of C2SP signed-note.
const (
	Ed25519            = 0x01
	CosignatureEd25519 = 0x04
	CosignatureMLDSA44 = 0x06
)

// algorithm returns the type byte of a key of either form, and what follows
// it. Names hold no "+", base64 may: so fields are counted from the left.
func algorithm(key string) (byte, []byte, error) {
	fields := 3
	if strings.HasPrefix(key, "PRIVATE+KEY+") {
		fields = 5
	}
	parts := strings.SplitN(key, "+", fields)
	if len(parts) != fields {
		return 0, nil, fmt.Errorf("malformed key: expected %d fields, found %d", fields, len(parts))
	}
	raw, err := base64.StdEncoding.DecodeString(parts[fields-1])
	if err != nil || len(raw) == 0 {
		return 0, nil, fmt.Errorf("malformed key: %v", err)
	}
	return raw[0], raw[1:], nil
}

// Verifier returns the field's verifier for a verifier key ("vkey").
func Verifier(vkey string) (note.Verifier, byte, error) {
	alg, _, err := algorithm(vkey)
	if err != nil {
		return nil, 0, err
	}
	var v note.Verifier
	switch alg {
	case Ed25519:
		v, err = note.NewVerifier(vkey)
	case CosignatureEd25519, CosignatureMLDSA44:
		// This one does not compare the key ID in the text with the one it
		// derives, which is what a test of our vkeys is about.
		if v, err = f_note.NewVerifierForCosignatureV1(vkey); err == nil {
			if id := strings.SplitN(vkey, "+", 3)[1]; id != fmt.Sprintf("%08x", v.KeyHash()) {
				err = fmt.Errorf("key ID: expected %08x, found %s", v.KeyHash(), id)
			}
		}
	default:
		err = fmt.Errorf("signature type: expected 1, 4 or 6, found %d", alg)
	}
	return v, alg, err
}

// Signer returns the field's signer for a signing key ("skey",
// PRIVATE+KEY+…), and the verifier key that belongs to it.
func Signer(skey string) (note.Signer, string, error) {
	alg, seed, err := algorithm(skey)
	if err != nil {
		return nil, "", err
	}
	var s note.Signer
	var public []byte
	switch alg {
	case Ed25519, CosignatureEd25519:
		if alg == Ed25519 {
			s, err = note.NewSigner(skey)
		} else {
			s, err = f_note.NewSignerForCosignatureV1(skey)
		}
		if err == nil {
			public = ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		}
	case CosignatureMLDSA44:
		if s, err = f_note.NewMLDSASigner(skey); err == nil {
			var key *mldsa.PrivateKey
			if key, err = mldsa.NewPrivateKey(mldsa.MLDSA44(), seed); err == nil {
				public = key.PublicKey().Bytes()
			}
		}
	default:
		err = fmt.Errorf("signature type: expected 1, 4 or 6, found %d", alg)
	}
	if err != nil {
		return nil, "", err
	}
	vkey := Format(s.Name(), alg, public)
	// The signing key's own ID must be the one that its parts yield: the
	// cosignature signer ignores it.
	if want, found := strings.Split(vkey, "+")[1], strings.SplitN(skey, "+", 5)[3]; want != found {
		return nil, "", fmt.Errorf("key ID: expected %s, found %s", want, found)
	}
	return s, vkey, nil
}

// Format makes a verifier key, with the key ID of C2SP signed-note.
func Format(name string, alg byte, public []byte) string {
	key := append([]byte{alg}, public...)
	id := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%08x+%s", name, binary.BigEndian.Uint32(id[:4]), base64.StdEncoding.EncodeToString(key))
}

// Text returns a flag's value, or for "@FILE" the file's, without its newline.
func Text(value string) (string, error) {
	file, isFile := strings.CutPrefix(value, "@")
	if !isFile {
		return value, nil
	}
	data, err := os.ReadFile(file)
	return strings.TrimRight(string(data), "\n"), err
}
