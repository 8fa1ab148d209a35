// Merklecheck verifies Merkle proofs with github.com/transparency-dev/merkle,
// so that ours are judged by a verifier we did not write.
//
// Standard input is JSON, one object a line; hashes are lower-case hex:
//
//	{"kind":"inclusion","index":1,"treeSize":2,"leafHash":"…","proof":["…"],"rootHash":"…"}
//	{"kind":"consistency","oldSize":1,"oldRoot":"…","newSize":2,"newRoot":"…","proof":["…"]}
//
// Standard output is one line for each, in order: {"ok":true}, or
// {"ok":false,"error":"…"}. The field names are those of our own
// verifyInclusion and verifyConsistency. A line that is no such object ends
// the run with status 2; a proof that fails does not, since a test may want it
// to fail.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"stele/interop/internal/jsonl"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	b, err := hex.DecodeString(s)
	*h = b
	return err
}

type question struct {
	Kind     string     `json:"kind"`
	Index    uint64     `json:"index"`
	TreeSize uint64     `json:"treeSize"`
	LeafHash hexBytes   `json:"leafHash"`
	RootHash hexBytes   `json:"rootHash"`
	OldSize  uint64     `json:"oldSize"`
	OldRoot  hexBytes   `json:"oldRoot"`
	NewSize  uint64     `json:"newSize"`
	NewRoot  hexBytes   `json:"newRoot"`
	Proof    []hexBytes `json:"proof"`
}

type answer struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

func (q question) check() error {
	hashes := make([][]byte, len(q.Proof))
	for i, h := range q.Proof {
		hashes[i] = h
	}
	if q.Kind == "inclusion" {
		return proof.VerifyInclusion(rfc6962.DefaultHasher, q.Index, q.TreeSize, q.LeafHash, hashes, q.RootHash)
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, q.OldSize, q.NewSize, hashes, q.OldRoot, q.NewRoot)
}

func main() {
	jsonl.Serve(func(q question) (answer, error) {
		if q.Kind != "inclusion" && q.Kind != "consistency" {
			return answer{}, fmt.Errorf(`kind: expected "inclusion" or "consistency", found %q`, q.Kind)
		}
		if err := q.check(); err != nil {
			return answer{Error: err.Error()}, nil
		}
		return answer{OK: true}, nil
	})
}
