// Notecheck opens our signed notes and reads our keys with the field's own
// libraries, and makes notes and keys with them for ours to read.
//
// Standard input is JSON, one object a line; each yields one line with "ok"
// and, where it is false, "error".
//
//	{"kind":"open","note":"…" or "file":"PATH","vkeys":["…"]}
//	    opens the note; "signatures" are those that verified, a cosignature's
//	    with its "time" (Unix seconds), "unverified" the lines of other keys
//	{"kind":"checkpoint", …as above}
//	    also parses the text as a checkpoint: "origin", "size", "root" (hex)
//	{"kind":"vkey","vkey":"…"}      parses a verifier key
//	{"kind":"skey","skey":"…"}      parses a signing key; "vkey" is derived from it
//	{"kind":"sign","text":"…","skeys":["…"]}            answers the "note"
//	{"kind":"generate","name":"…","algorithm":1, 4 or 6} answers "skey" and "vkey"
//	{"kind":"subtree","vkey":"…","line":"— …","origin":"…","start":0,"end":8,"root":"hex"}
//	    verifies a sign-subtree signature line (ML-DSA-44, timestamp 0)
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"stele/interop/internal/jsonl"
	"stele/interop/internal/keys"

	"github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

type question struct {
	Kind      string   `json:"kind"`
	Note      string   `json:"note"`
	File      string   `json:"file"`
	Vkey      string   `json:"vkey"`
	Vkeys     []string `json:"vkeys"`
	Skey      string   `json:"skey"`
	Skeys     []string `json:"skeys"`
	Text      string   `json:"text"`
	Name      string   `json:"name"`
	Algorithm byte     `json:"algorithm"`
	Line      string   `json:"line"`
	Origin    string   `json:"origin"`
	Start     uint64   `json:"start"`
	End       uint64   `json:"end"`
	Root      string   `json:"root"`
}

type signature struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	Time int64  `json:"time,omitempty"`
}

type answer struct {
	OK         bool        `json:"ok"`
	Error      string      `json:"error,omitempty"`
	Text       string      `json:"text,omitempty"`
	Signatures []signature `json:"signatures,omitempty"`
	Unverified []signature `json:"unverified,omitempty"`
	Origin     string      `json:"origin,omitempty"`
	Size       *uint64     `json:"size,omitempty"`
	Root       string      `json:"root,omitempty"`
	Name       string      `json:"name,omitempty"`
	ID         string      `json:"id,omitempty"`
	Algorithm  byte        `json:"algorithm,omitempty"`
	Skey       string      `json:"skey,omitempty"`
	Vkey       string      `json:"vkey,omitempty"`
	Note       string      `json:"note,omitempty"`
}

func open(q question) (a answer, err error) {
	data := []byte(q.Note)
	// A file can hold what a JSON string cannot, such as bad UTF-8.
	if q.File != "" {
		if data, err = os.ReadFile(q.File); err != nil {
			return a, err
		}
	}
	var verifiers []note.Verifier
	cosigner := map[uint32]bool{}
	for _, vkey := range q.Vkeys {
		v, alg, err := keys.Verifier(vkey)
		if err != nil {
			return a, fmt.Errorf("%s: %w", vkey, err)
		}
		cosigner[v.KeyHash()] = alg != keys.Ed25519
		verifiers = append(verifiers, v)
	}
	n, err := note.Open(data, note.VerifierList(verifiers...))
	if err != nil {
		return a, err
	}
	a.Text = n.Text
	for _, s := range n.Sigs {
		sig := signature{Name: s.Name, ID: fmt.Sprintf("%08x", s.Hash)}
		if cosigner[s.Hash] {
			t, err := f_note.CoSigV1Timestamp(s)
			if err != nil {
				return a, err
			}
			sig.Time = t.Unix()
		}
		a.Signatures = append(a.Signatures, sig)
	}
	for _, s := range n.UnverifiedSigs {
		a.Unverified = append(a.Unverified, signature{Name: s.Name, ID: fmt.Sprintf("%08x", s.Hash)})
	}
	if q.Kind == "checkpoint" {
		var cp log.Checkpoint
		rest, err := cp.Unmarshal([]byte(n.Text))
		if err != nil {
			return a, err
		}
		if len(rest) > 0 {
			return a, fmt.Errorf("expected three lines, found extension lines %q", rest)
		}
		a.Origin, a.Size, a.Root = cp.Origin, &cp.Size, hex.EncodeToString(cp.Hash)
	}
	return a, nil
}

func sign(q question) (a answer, err error) {
	var signers []note.Signer
	for _, skey := range q.Skeys {
		s, _, err := keys.Signer(skey)
		if err != nil {
			return a, err
		}
		signers = append(signers, s)
	}
	signed, err := note.Sign(&note.Note{Text: q.Text}, signers...)
	a.Note = string(signed)
	return a, err
}

func generate(q question) (a answer, err error) {
	switch q.Algorithm {
	case keys.Ed25519:
		a.Skey, a.Vkey, err = note.GenerateKey(rand.Reader, q.Name)
	case keys.CosignatureMLDSA44:
		a.Skey, a.Vkey, err = f_note.GenerateMLDSAKey(q.Name)
	case keys.CosignatureEd25519:
		// No library of the field makes these; a signing key's ID is that of
		// its verifier key.
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return a, err
		}
		a.Vkey = keys.Format(q.Name, q.Algorithm, public)
		seed := append([]byte{q.Algorithm}, private.Seed()...)
		a.Skey = fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", q.Name, strings.Split(a.Vkey, "+")[1], base64.StdEncoding.EncodeToString(seed))
	default:
		err = fmt.Errorf("algorithm: expected 1, 4 or 6, found %d", q.Algorithm)
	}
	return a, err
}

func subtree(q question) (a answer, err error) {
	v, err := f_note.NewMLDSAVerifier(q.Vkey)
	if err != nil {
		return a, err
	}
	root, err := hex.DecodeString(q.Root)
	if err != nil {
		return a, err
	}
	fields := strings.Split(strings.TrimSuffix(q.Line, "\n"), " ")
	if len(fields) != 3 || fields[0] != "—" || fields[1] != v.Name() {
		return a, fmt.Errorf("expected one signature line of %s", v.Name())
	}
	sig, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return a, err
	}
	if len(sig) < 12 || !bytes.Equal(sig[:4], binary.BigEndian.AppendUint32(nil, v.KeyHash())) {
		return a, fmt.Errorf("expected key ID %08x", v.KeyHash())
	}
	// The library answers the time it was given, not the one in the line.
	if t := binary.BigEndian.Uint64(sig[4:12]); t != 0 {
		return a, fmt.Errorf("expected timestamp 0, found %d", t)
	}
	if !v.VerifySubtree(0, q.Origin, q.Start, q.End, root, sig[4:]) {
		return a, errors.New("the signature does not verify")
	}
	return a, nil
}

func main() {
	jsonl.Serve(func(q question) (a answer, err error) {
		switch q.Kind {
		case "open", "checkpoint":
			a, err = open(q)
		case "vkey":
			var v note.Verifier
			if v, a.Algorithm, err = keys.Verifier(q.Vkey); err == nil {
				a.Name, a.ID = v.Name(), fmt.Sprintf("%08x", v.KeyHash())
			}
		case "skey":
			var s note.Signer
			if s, a.Vkey, err = keys.Signer(q.Skey); err == nil {
				a.Name, a.ID = s.Name(), fmt.Sprintf("%08x", s.KeyHash())
			}
		case "sign":
			a, err = sign(q)
		case "generate":
			a, err = generate(q)
		case "subtree":
			a, err = subtree(q)
		default:
			return a, fmt.Errorf("kind: unknown %q", q.Kind)
		}
		if err != nil {
			return answer{Error: err.Error()}, nil
		}
		a.OK = true
		return a, nil
	})
}
