// Subtreeprobe asks a C2SP tlog-witness to sign subtrees, and judges its answers
// with torchwood: the cosignature of every subtree of a tree, and the status of
// each request that must be refused. One line "ok NAME" or "FAIL NAME: …" a
// check; the exit status is 1 if any failed.
//
//	subtreeprobe -url URL -wkey VKEY -log FILE [-size 14]
//
// -log is the signing key (PRIVATE+KEY+…, Ed25519) of a log that the witness has
// configured and of which it has seen nothing: the probe is this log. -wkey is
// the witness's ML-DSA-44 key, or @FILE.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	base = flag.String("url", "", "the witness's submission prefix")
	wkey = flag.String("wkey", "", "the witness's ML-DSA-44 key, or @FILE")
	file = flag.String("log", "", "a file with the signing key of a log the witness knows")
	size = flag.Int64("size", 14, "of the tree")
)

// hashes holds a tree in memory, as tlog.StoredHashIndex numbers it.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = h[x]
	}
	return out, nil
}

var failed bool

func report(name string, err error) {
	if err != nil {
		failed = true
		fmt.Printf("FAIL %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok %s\n", name)
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	if path, ok := strings.CutPrefix(*wkey, "@"); ok {
		data, err := os.ReadFile(path)
		must(err)
		*wkey = strings.TrimSpace(string(data))
	}
	witness, err := torchwood.NewCosignatureVerifier(*wkey)
	must(err)
	skey, err := os.ReadFile(*file)
	must(err)
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	must(err)

	var tree hashes
	for n := range *size {
		more, err := tlog.StoredHashes(n, fmt.Appendf(nil, "entry %d", n), tree)
		must(err)
		tree = append(tree, more...)
	}
	root, err := tlog.TreeHash(*size, tree)
	must(err)
	text := torchwood.Checkpoint{Origin: signer.Name(), Tree: tlog.Tree{N: *size, Hash: root}}.String()
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	status, answer := post("add-checkpoint", "old 0\n\n"+string(signed))
	if status != 200 {
		log.Fatalf("add-checkpoint: expected 200, found %d %q", status, answer)
	}
	opened, err := note.Open([]byte(text+"\n"+answer), note.VerifierList(witness))
	must(err)
	// "The checkpoint SHOULD only include signatures from the witness's key(s)."
	reference := text + "\n" + line(opened.Sigs[0])

	whole := subtree{0, *size}
	count := 0
	err = nil
	for start := int64(0); start < *size && err == nil; start++ {
		for end := start + 1; end <= *size && err == nil; end++ {
			if !torchwood.ValidSubtree(start, end) {
				continue
			}
			count++
			err = whole.of(tree, start, end).signed(witness, signer.Name(), reference)
		}
	}
	report(fmt.Sprintf("%d subtrees of a tree of %d are signed, and torchwood verifies each", count, *size), err)

	part := whole.of(tree, 8, min(12, *size))
	refused := func(name string, want int, ask request, reference string) {
		status, answer := post("sign-subtree", ask.body(reference))
		if status != want {
			report(name, fmt.Errorf("expected %d, found %d %q", want, status, answer))
			return
		}
		report(name, nil)
	}
	refused("not a subtree", 400, request{start: 1, end: 3, hash: part.hash}, reference)
	refused("an empty subtree", 400, request{start: 8, end: 8, hash: part.hash}, reference)
	refused("beyond the checkpoint", 400, request{start: 0, end: *size + 1, hash: part.hash}, reference)
	refused("another hash", 422, request{part.start, part.end, root, part.proof}, reference)
	refused("a proof too short", 422, request{part.start, part.end, part.hash, part.proof[1:]}, reference)
	refused("a proof too long", 422, request{part.start, part.end, part.hash, append(part.proof[:len(part.proof):len(part.proof)], root)}, reference)
	stranger, _, err := note.GenerateKey(rand.Reader, "unknown.example/log")
	must(err)
	unknown, err := note.NewSigner(stranger)
	must(err)
	other, err := note.Sign(&note.Note{Text: strings.Replace(text, signer.Name(), unknown.Name(), 1)}, unknown)
	must(err)
	refused("an unknown origin", 404, part, string(other))
	refused("a checkpoint the witness has not signed", 403, part, string(signed))
	bad := opened.Sigs[0]
	data, err := base64.StdEncoding.DecodeString(bad.Base64)
	must(err)
	data[len(data)/2] ^= 1
	bad.Base64 = base64.StdEncoding.EncodeToString(data)
	refused("a checkpoint with a bad signature of the witness", 403, part, text+"\n"+line(bad))
	if failed {
		os.Exit(1)
	}
}

type subtree struct{ start, end int64 }

// of is the request for a part of the tree.
func (s subtree) of(tree hashes, start, end int64) request {
	hash, err := torchwood.SubtreeHash(start, end, tree)
	must(err)
	proof, err := torchwood.ProveSubtree(s.end, start, end, tree)
	must(err)
	return request{start, end, hash, proof}
}

type request struct {
	start, end int64
	hash       tlog.Hash
	proof      torchwood.SubtreeProof
}

func (r request) body(reference string) string {
	body := fmt.Sprintf("subtree %d %d\n%s\n", r.start, r.end, r.hash)
	for _, h := range r.proof {
		body += h.String() + "\n"
	}
	return body + "\n" + reference
}

// signed asks, and verifies every line of the answer that is of this key.
func (r request) signed(witness *torchwood.CosignatureVerifier, origin, reference string) error {
	status, answer := post("sign-subtree", r.body(reference))
	if status != 200 {
		return fmt.Errorf("[%d, %d): expected 200, found %d %q", r.start, r.end, status, answer)
	}
	verified := 0
	for line := range strings.Lines(answer) {
		if witness.VerifySubtree(origin, r.start, r.end, r.hash, []byte(line)) {
			verified++
		}
	}
	if verified != 1 {
		return fmt.Errorf("[%d, %d): expected one good cosignature, found %d in %q", r.start, r.end, verified, answer)
	}
	return nil
}

func line(s note.Signature) string {
	return fmt.Sprintf("— %s %s\n", s.Name, s.Base64)
}

func post(path, body string) (int, string) {
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Post(strings.TrimSuffix(*base, "/")+"/"+path, "text/plain", strings.NewReader(body))
	must(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(err)
	return res.StatusCode, string(data)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
