// Proofcheck verifies a C2SP tlog-proof against a C2SP tlog-policy with
// github.com/transparency-dev/formats (the proof's syntax, the quorum),
// golang.org/x/mod/sumdb/note (signatures) and transparency-dev/merkle.
//
//	proofcheck -proof FILE -policy FILE (-entry FILE | -leaf-hash HEX) [-repeat 1]
//
// It prints one line of JSON and exits 0 if the proof verified, else 1. With
// -repeat it verifies the proof so many times and says how many a second.
//
// The libraries leave two things to their caller, so they are done here: a
// policy's "log" lines are ignored by them, and a "witness" line without a
// URL, which is all an offline verifier needs, is refused by them.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	tlogproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

var (
	proofFile  = flag.String("proof", "", "the tlog-proof")
	policyFile = flag.String("policy", "", "the policy")
	entryFile  = flag.String("entry", "", "the entry whose inclusion is proven")
	leafHash   = flag.String("leaf-hash", "", "or its leaf hash, hex")
	repeat     = flag.Int("repeat", 1, "how many times to verify it")
)

type result struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
	Origin string `json:"origin,omitempty"`
	Index  uint64 `json:"index"`
	Size   uint64 `json:"size"`
	// Of -repeat.
	PerSecond float64 `json:"perSecond,omitempty"`
}

// split returns the verifiers of a policy's log lines, and the policy with a
// URL on every witness line.
func split(policy string) (logs []note.Verifier, filled string, err error) {
	var lines []string
	for line := range strings.Lines(policy) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && fields[0] == "log":
			v, err := note.NewVerifier(fields[1])
			if err != nil {
				return nil, "", fmt.Errorf("%s: %w", fields[1], err)
			}
			logs = append(logs, v)
		case len(fields) == 3 && fields[0] == "witness":
			// Never asked; only unlike any other witness's.
			line = fmt.Sprintf("%s http://127.0.0.1/%d\n", strings.Join(fields, " "), len(lines))
		}
		lines = append(lines, line)
	}
	return logs, strings.Join(lines, ""), nil
}

func check(r *result) error {
	text, err := os.ReadFile(*policyFile)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(*proofFile)
	if err != nil {
		return err
	}
	logs, filled, err := split(string(text))
	if err != nil {
		return err
	}
	quorum, err := witness.ParsePolicy([]byte(filled))
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}

	leaf, err := hex.DecodeString(*leafHash)
	if err != nil {
		return fmt.Errorf("-leaf-hash: %w", err)
	}
	if *entryFile != "" {
		entry, err := os.ReadFile(*entryFile)
		if err != nil {
			return err
		}
		leaf = rfc6962.DefaultHasher.HashLeaf(entry)
	}

	started := time.Now()
	for range *repeat {
		if err := verify(r, data, leaf, logs, quorum); err != nil {
			return err
		}
	}
	if *repeat > 1 {
		r.PerSecond = float64(*repeat) / time.Since(started).Seconds()
	}
	return nil
}

func verify(r *result, data, leaf []byte, logs []note.Verifier, quorum witness.Group) error {
	var p tlogproof.TLogProof
	if err := p.Unmarshal(data); err != nil {
		return err
	}
	if string(p.Marshal()) != string(data) {
		return errors.New("the library writes the same proof otherwise")
	}
	r.Index = p.Index

	// A log's key counts only for the origin it is named after.
	var cp *log.Checkpoint
	var err error
	for _, v := range logs {
		if cp, _, _, err = log.ParseCheckpoint(p.Checkpoint, v.Name(), v); err == nil {
			break
		}
	}
	if cp == nil {
		return fmt.Errorf("checkpoint: no log of the policy signed it: %v", err)
	}
	r.Origin, r.Size = cp.Origin, cp.Size
	if !quorum.Satisfied(p.Checkpoint) {
		return errors.New("the checkpoint does not satisfy the policy's quorum")
	}
	hashes := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		hashes[i] = p.Hashes[i][:]
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, leaf, hashes, cp.Hash)
}

func main() {
	flag.Parse()
	if (*entryFile == "") == (*leafHash == "") {
		fmt.Fprintln(os.Stderr, "proofcheck: expected either -entry or -leaf-hash")
		os.Exit(2)
	}
	var r result
	err := check(&r)
	if r.OK = err == nil; !r.OK {
		r.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(r)
	if !r.OK {
		os.Exit(1)
	}
}
