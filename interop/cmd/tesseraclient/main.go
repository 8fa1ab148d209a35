// Tesseraclient reads a log the way programs built on Tessera do: with its
// client package, over HTTP or from a folder. It fetches the checkpoint, reads
// sampled entries from their bundles, proves each by inclusion, proves sampled
// smaller trees by consistency, and verifies all of it with
// github.com/transparency-dev/merkle.
//
// It prints one line of JSON and exits 0 if all of it verified, else 1.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"

	"stele/interop/internal/keys"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

var (
	logFlag = flag.String("log", "", "the log: an http:// URL, or a folder")
	vkey    = flag.String("vkey", "", "the log's verifier key, or @FILE")
	samples = flag.Int("samples", 100, "how many indexes and how many older sizes to sample")
	seed    = flag.Uint64("seed", 1, "the sample's seed")
	since   = flag.String("since", "", "a checkpoint kept from earlier (a file), to be proven consistent with what is served now")
	policy  = flag.String("policy", "", "a witness policy (a file) that the checkpoint must satisfy")
	minSize = flag.Uint64("min-size", 1, "the smallest tree size to accept")
)

type result struct {
	OK          bool   `json:"ok"`
	Error       string `json:"error,omitempty"`
	Size        uint64 `json:"size"`
	Root        string `json:"root,omitempty"`
	Inclusion   int    `json:"inclusion"`
	Consistency int    `json:"consistency"`
}

// reader is what Tessera's two fetchers, for HTTP and for folders, share.
type reader interface {
	ReadCheckpoint(context.Context) ([]byte, error)
	ReadTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error)
	ReadEntryBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error)
}

func newReader(where string) (reader, error) {
	if !strings.HasPrefix(where, "http://") && !strings.HasPrefix(where, "https://") {
		return client.FileFetcher{Root: where}, nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, err
	}
	return client.NewHTTPFetcher(u, nil)
}

// rootAt computes, from the tiles of the tree of size now, the root it had at
// the given smaller size. The partial tiles of that time need not exist any
// more, so each tile is asked for at its present width.
func rootAt(ctx context.Context, src reader, size, now uint64) ([]byte, error) {
	nodes, err := client.FetchRangeNodes(ctx, size, func(ctx context.Context, level, index uint64, _ uint8) ([]byte, error) {
		return src.ReadTile(ctx, level, index, layout.PartialTileSize(level, index, now))
	})
	if err != nil {
		return nil, err
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := factory.NewRange(0, size, nodes)
	if err != nil {
		return nil, err
	}
	return r.GetRootHash(nil)
}

func check(ctx context.Context, r *result) error {
	key, err := keys.Text(*vkey)
	if err != nil {
		return err
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return fmt.Errorf("vkey: %w", err)
	}
	src, err := newReader(*logFlag)
	if err != nil {
		return err
	}
	cp, raw, _, err := client.FetchCheckpoint(ctx, src.ReadCheckpoint, v, v.Name())
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	r.Size, r.Root = cp.Size, hex.EncodeToString(cp.Hash)
	if cp.Size < *minSize {
		return fmt.Errorf("tree size: expected at least %d, found %d", *minSize, cp.Size)
	}
	if *policy != "" {
		text, err := os.ReadFile(*policy)
		if err != nil {
			return err
		}
		group, err := witness.ParsePolicy(text)
		if err != nil {
			return fmt.Errorf("policy: %w", err)
		}
		if !group.Satisfied(raw) {
			return errors.New("the checkpoint does not satisfy the policy")
		}
	}
	if cp.Size == 0 {
		if want := rfc6962.DefaultHasher.EmptyRoot(); !bytes.Equal(cp.Hash, want) {
			return fmt.Errorf("root of the empty tree: expected %x, found %x", want, cp.Hash)
		}
		return nil
	}

	prover, err := client.NewProofBuilder(ctx, cp.Size, src.ReadTile)
	if err != nil {
		return err
	}
	pick := rand.New(rand.NewPCG(*seed, 0))
	for i := range *samples {
		index := pick.Uint64N(cp.Size)
		// The last entry and the first of the last bundle stand at the edges
		// that partial tiles make.
		switch i {
		case 0:
			index = cp.Size - 1
		case 1:
			index = (cp.Size - 1) / layout.EntryBundleWidth * layout.EntryBundleWidth
		}
		if err := included(ctx, src, prover, cp, index); err != nil {
			return fmt.Errorf("entry %d of %d: %w", index, cp.Size, err)
		}
		r.Inclusion++
	}
	for range *samples {
		if err := consistent(ctx, src, prover, cp, 1+pick.Uint64N(cp.Size), nil); err != nil {
			return err
		}
		r.Consistency++
	}
	if *since == "" {
		return nil
	}
	text, err := os.ReadFile(*since)
	if err != nil {
		return err
	}
	old, _, _, err := log.ParseCheckpoint(text, v.Name(), v)
	if err != nil {
		return fmt.Errorf("%s: %w", *since, err)
	}
	if old.Size == 0 || old.Size > cp.Size {
		return fmt.Errorf("%s: expected a size of 1 to %d, found %d", *since, cp.Size, old.Size)
	}
	r.Consistency++
	return consistent(ctx, src, prover, cp, old.Size, old.Hash)
}

func included(ctx context.Context, src reader, prover *client.ProofBuilder, cp *log.Checkpoint, index uint64) error {
	bundle, err := client.GetEntryBundle(ctx, src.ReadEntryBundle, index/layout.EntryBundleWidth, cp.Size)
	if err != nil {
		return err
	}
	place := int(index % layout.EntryBundleWidth)
	if place >= len(bundle.Entries) {
		return fmt.Errorf("its bundle holds %d entries", len(bundle.Entries))
	}
	hashes, err := prover.InclusionProof(ctx, index)
	if err != nil {
		return err
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[place])
	return proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, leaf, hashes, cp.Hash)
}

// consistent proves that the tree of the given size and root, or of the root
// that the tiles yield for it, is a prefix of cp's.
func consistent(ctx context.Context, src reader, prover *client.ProofBuilder, cp *log.Checkpoint, size uint64, root []byte) error {
	var err error
	if root == nil {
		if root, err = rootAt(ctx, src, size, cp.Size); err != nil {
			return fmt.Errorf("root of size %d: %w", size, err)
		}
	}
	hashes, err := prover.ConsistencyProof(ctx, size, cp.Size)
	if err == nil {
		err = proof.VerifyConsistency(rfc6962.DefaultHasher, size, cp.Size, hashes, root, cp.Hash)
	}
	if err != nil {
		return fmt.Errorf("size %d in size %d: %w", size, cp.Size, err)
	}
	return nil
}

func main() {
	flag.Parse()
	var r result
	err := check(context.Background(), &r)
	if r.OK = err == nil; !r.OK {
		r.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(r)
	if !r.OK {
		os.Exit(1)
	}
}
