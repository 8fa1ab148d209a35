// Witnessprobe asks a C2SP tlog-witness one question for each answer that its
// specification lists, and a few that it leaves open, and prints what came
// back: one line of JSON a case.
//
//	witnessprobe -url URL -wkey VKEY -log FILE -other FILE [-monitoring URL] [-expect FILE -column NAME]
//
// -monitoring is where the witness serves what it has cosigned, if that is not
// where it cosigns.
//
// -log and -other are signing keys (PRIVATE+KEY+…, Ed25519) of two logs that
// the witness has configured and of which it has seen nothing: the probe *is*
// these logs, and shows the witness forks of them, so use keys made for it.
//
// With -expect the statuses are compared with a table (witness-answers.tsv):
// the line "ok NAME" or "FAIL NAME: expected…, found…" takes the place of the
// JSON, and the exit status is 1 if any failed.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"stele/interop/internal/keys"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"
)

var (
	base   = flag.String("url", "", "the witness's submission prefix")
	reads  = flag.String("monitoring", "", "the witness's monitoring prefix, if it is another")
	wkey   = flag.String("wkey", "", "the witness's verifier key, or @FILE; several are separated by commas")
	first  = flag.String("log", "", "a file with the signing key of a log the witness knows")
	second = flag.String("other", "", "a file with the signing key of another log the witness knows")
	third  = flag.String("empty", "", "a file with the signing key of a third, where the witness gives up a log that signs an impossible empty tree")
	expect = flag.String("expect", "", "a table of expected answers")
	column = flag.String("column", "specification", "the table's column to compare with")
)

// logKey signs checkpoints of one tree, and of a fork of it that shares no
// entry.
type logKey struct {
	signer note.Signer
	tree   *testonly.Tree
	fork   *testonly.Tree
}

func newLog(file string) logKey {
	skey, err := os.ReadFile(file)
	must(err)
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	must(err)
	l := logKey{signer, testonly.New(rfc6962.DefaultHasher), testonly.New(rfc6962.DefaultHasher)}
	for n := range 64 {
		l.tree.AppendData(fmt.Appendf(nil, "entry %d", n))
		l.fork.AppendData(fmt.Appendf(nil, "other entry %d", n))
	}
	return l
}

func text(origin string, size uint64, root []byte) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root))
}

func sign(text string, signers ...note.Signer) string {
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	must(err)
	return string(signed)
}

// at signs the tree's checkpoint of a size.
func (l logKey) at(tree *testonly.Tree, size uint64) string {
	return sign(text(l.signer.Name(), size, tree.HashAt(size)), l.signer)
}

// proof is the consistency proof from one size to another, in lines.
func (l logKey) proof(from, to uint64) (lines []string) {
	hashes, err := l.tree.ConsistencyProof(from, to)
	must(err)
	for _, h := range hashes {
		lines = append(lines, base64.StdEncoding.EncodeToString(h))
	}
	return lines
}

// request is an add-checkpoint body.
func request(old uint64, proof []string, checkpoint string) string {
	return fmt.Sprintf("old %d\n%s\n%s", old, strings.Join(append(proof, ""), "\n"), checkpoint)
}

// padded adds signature lines of an unknown key to a request, which a witness
// ignores, until its body has about the given size. With the log's own they are
// at most 16, which every witness has to take.
func padded(body string, size int) string {
	for len(body) < size {
		sig := make([]byte, max(5, min(size/14, size-len(body))*3/4))
		rand.Read(sig)
		body += fmt.Sprintf("— padding.example %s\n", base64.StdEncoding.EncodeToString(sig))
	}
	return body
}

type answer struct {
	Case        string `json:"case"`
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
	// Cosigned names the keys of -wkey whose cosignature verified over the
	// checkpoint that was sent, dated within a minute of now.
	Cosigned []string `json:"cosigned,omitempty"`
}

type probe struct {
	verifiers note.Verifiers
	want      map[string]string
	failed    int
}

// ask sends one request. Where a checkpoint is given, a 200 without a good
// cosignature over it is reported as status 0.
func (p *probe) ask(name, method, path, body, checkpoint string) {
	a := answer{Case: name}
	prefix := *base
	if method == "GET" && strings.HasSuffix(path, "/checkpoint") && *reads != "" {
		prefix = *reads
	}
	req, err := http.NewRequest(method, strings.TrimSuffix(prefix, "/")+path, strings.NewReader(body))
	must(err)
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		a.Body = err.Error()
	} else {
		data, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			a.Body = err.Error()
		} else {
			a.Status, a.ContentType, a.Body = res.StatusCode, res.Header.Get("Content-Type"), string(data)
		}
	}
	if a.Status == 200 && checkpoint != "" {
		if n, err := note.Open([]byte(checkpoint+a.Body), p.verifiers); err == nil {
			for _, s := range n.Sigs {
				if t, err := f_note.CoSigV1Timestamp(s); err == nil && time.Since(t).Abs() < time.Minute {
					a.Cosigned = append(a.Cosigned, fmt.Sprintf("%s+%08x", s.Name, s.Hash))
				}
			}
		}
		if len(a.Cosigned) == 0 {
			a.Status, a.Body = 0, "200 without a good cosignature: "+a.Body
		}
	}
	p.report(a)
}

// add asks add-checkpoint.
func (p *probe) add(name string, old uint64, proof []string, checkpoint string) {
	p.ask(name, "POST", "/add-checkpoint", request(old, proof, checkpoint), checkpoint)
}

func (p *probe) report(a answer) {
	if p.want == nil {
		if len(a.Body) > 400 {
			a.Body = a.Body[:400] + "…"
		}
		enc := json.NewEncoder(os.Stdout)
		enc.SetEscapeHTML(false)
		must(enc.Encode(a))
		return
	}
	// A 409 is its status and the size it names: "409 8", or "409" alone. What
	// the table expects may be several answers, or "any".
	found := fmt.Sprint(a.Status)
	if a.Status == 409 && a.ContentType == "text/x.tlog.size" {
		found += " " + strings.TrimSuffix(a.Body, "\n")
	}
	want, ok := p.want[a.Case]
	switch {
	case !ok:
		want = "a line in the table"
		fallthrough
	case want != "any" && !slices.Contains(strings.Split(want, "|"), found):
		p.failed++
		fmt.Printf("FAIL %s: expected %s, found %s %q\n", a.Case, want, found, a.Body)
	default:
		fmt.Printf("ok %s\n", a.Case)
	}
}

// table reads one column of a tab-separated table whose first column names the
// case; lines that begin with "#" are comments.
func table(file, column string) map[string]string {
	data, err := os.ReadFile(file)
	must(err)
	want, at := map[string]string{}, 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if at == 0 {
			for i, name := range fields {
				if name == column {
					at = i
				}
			}
			if at == 0 {
				log.Fatalf("%s: no column %q", file, column)
			}
			continue
		}
		want[fields[0]] = fields[at]
	}
	return want
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("witnessprobe: ")
	flag.Parse()
	p := &probe{}
	var verifiers []note.Verifier
	for vkey := range strings.SplitSeq(*wkey, ",") {
		vkey, err := keys.Text(vkey)
		must(err)
		v, _, err := keys.Verifier(vkey)
		must(err)
		verifiers = append(verifiers, v)
	}
	p.verifiers = note.VerifierList(verifiers...)
	if *expect != "" {
		p.want = table(*expect, *column)
	}
	liar := *third
	if liar == "" {
		liar = *first
	}
	p.run(newLog(*first), newLog(*second), newLog(liar))
	if p.failed > 0 {
		os.Exit(1)
	}
}

func (p *probe) run(l, other, liar logKey) {
	origin := l.signer.Name()
	skey, _, err := note.GenerateKey(rand.Reader, origin)
	must(err)
	stranger, err := note.NewSigner(skey)
	must(err)
	empty := rfc6962.DefaultHasher.EmptyRoot()

	// What is wrong whatever the witness has seen.
	skey, _, err = note.GenerateKey(rand.Reader, "unknown.example/log")
	must(err)
	unknown, err := note.NewSigner(skey)
	must(err)
	p.add("unknown-origin", 0, nil, sign(text(unknown.Name(), 8, l.tree.HashAt(8)), unknown))
	p.add("unknown-key", 0, nil, sign(text(origin, 8, l.tree.HashAt(8)), stranger))
	p.add("bad-signature", 0, nil, strings.Replace(l.at(l.tree, 8), "\n8\n", "\n9\n", 1))
	p.ask("unsigned", "POST", "/add-checkpoint", request(0, nil, text(origin, 8, l.tree.HashAt(8))), "")
	p.ask("empty-body", "POST", "/add-checkpoint", "", "")
	p.ask("no-old-line", "POST", "/add-checkpoint", "\n"+l.at(l.tree, 8), "")
	p.ask("get", "GET", "/add-checkpoint", "", "")
	hash := sha256.Sum256([]byte(origin))
	p.ask("monitoring-before", "GET", fmt.Sprintf("/%x/checkpoint", hash), "", "")

	// The first checkpoint. The other log's is sent with an old size that the
	// witness cannot know: it may be one that lost its state.
	p.add("first-old-not-zero", 4, other.proof(4, 8), other.at(other.tree, 8))
	p.add("empty-tree-other-root", 0, nil, sign(text(liar.signer.Name(), 0, l.tree.HashAt(1)), liar.signer))
	p.add("empty-tree", 0, nil, sign(text(origin, 0, empty), l.signer))
	p.add("empty-tree-again", 0, nil, sign(text(origin, 0, empty), l.signer))
	p.add("first-with-proof", 0, l.proof(4, 8), l.at(l.tree, 8))
	p.add("first", 0, nil, l.at(l.tree, 8))

	// The witness has size 8.
	p.ask("monitoring", "GET", fmt.Sprintf("/%x/checkpoint", hash), "", "")
	p.add("same", 8, nil, l.at(l.tree, 8))
	p.add("same-with-proof", 8, l.proof(4, 8), l.at(l.tree, 8))
	p.add("old-too-small", 0, nil, l.at(l.tree, 8))
	p.add("old-too-small-growing", 4, l.proof(4, 16), l.at(l.tree, 16))
	p.add("old-too-large", 12, l.proof(12, 16), l.at(l.tree, 16))
	p.add("old-above-size", 8, nil, l.at(l.tree, 4))
	p.add("smaller", 4, nil, l.at(l.tree, 4))
	p.add("bad-proof", 8, l.proof(7, 16), l.at(l.tree, 16))
	p.add("no-proof", 8, nil, l.at(l.tree, 16))
	// Of a size that the log never has here: two trees of one size would convict it.
	p.add("fork", 8, l.proof(8, 64), l.at(l.fork, 64))
	p.add("fork-old-zero", 0, nil, l.at(l.fork, 64))
	p.add("back-to-empty", 8, nil, sign(text(origin, 0, empty), l.signer))
	p.ask("proof-not-base64", "POST", "/add-checkpoint", request(8, []string{"?"}, l.at(l.tree, 16)), "")
	p.ask("proof-short-hash", "POST", "/add-checkpoint", request(8, []string{"AAAA"}, l.at(l.tree, 16)), "")
	p.ask("old-negative", "POST", "/add-checkpoint", strings.Replace(request(8, l.proof(8, 16), l.at(l.tree, 16)), "old 8", "old -8", 1), "")
	p.ask("proof-of-64-lines", "POST", "/add-checkpoint", request(8, append(l.proof(8, 16), make64()...), l.at(l.tree, 16)), "")
	p.add("grow", 8, l.proof(8, 16), l.at(l.tree, 16))

	// From here the tree grows by one at each case that should be accepted, so
	// a refusal shows as a 409 in the next: sizes are asked from small to large.
	size := uint64(16)
	grow := func(name string, body func(uint64) (string, string)) {
		b, checkpoint := body(size)
		p.ask(name, "POST", "/add-checkpoint", b, checkpoint)
		size = p.latest(l, size)
	}
	grow("old-leading-zero", func(size uint64) (string, string) {
		cp := l.at(l.tree, size+1)
		return strings.Replace(request(size, l.proof(size, size+1), cp), "old ", "old 0", 1), cp
	})
	grow("trailing-space", func(size uint64) (string, string) {
		cp := l.at(l.tree, size+1)
		return strings.Replace(request(size, l.proof(size, size+1), cp), "\n", " \n", 1), cp
	})
	grow("extension-line", func(size uint64) (string, string) {
		cp := sign(text(origin, size+1, l.tree.HashAt(size+1))+"extension\n", l.signer)
		return request(size, l.proof(size, size+1), cp), cp
	})
	grow("crlf", func(size uint64) (string, string) {
		cp := l.at(l.tree, size+1)
		return strings.ReplaceAll(request(size, l.proof(size, size+1), cp), "\n", "\r\n"), cp
	})
	grow("signatures-16", func(size uint64) (string, string) {
		cp := l.at(l.tree, size+1) + strings.Repeat("— padding.example "+base64.StdEncoding.EncodeToString(make([]byte, 76))+"\n", 15)
		return request(size, l.proof(size, size+1), cp), cp
	})
	grow("signatures-101", func(size uint64) (string, string) {
		cp := l.at(l.tree, size+1) + strings.Repeat("— padding.example "+base64.StdEncoding.EncodeToString(make([]byte, 76))+"\n", 100)
		return request(size, l.proof(size, size+1), cp), ""
	})
	for _, kib := range []int{8, 10, 16, 17, 52, 64, 128, 129, 1024} {
		grow(fmt.Sprintf("body-%d-kib", kib), func(size uint64) (string, string) {
			b := padded(request(size, l.proof(size, size+1), l.at(l.tree, size+1)), kib<<10-500)
			return b, b[strings.Index(b, "\n\n")+2:]
		})
	}
	p.ask("sign-subtree", "POST", "/sign-subtree", "", "")
	// Last: a witness that keeps proof of it takes nothing more from this log.
	p.add("same-other-root", size, nil, l.at(l.fork, size))
}

// latest asks for the witness's size by sending an old size of zero.
func (p *probe) latest(l logKey, atLeast uint64) uint64 {
	body := request(0, nil, l.at(l.tree, atLeast))
	res, err := http.Post(strings.TrimSuffix(*base, "/")+"/add-checkpoint", "", strings.NewReader(body))
	must(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(err)
	var size uint64
	if _, err := fmt.Fscan(bytes.NewReader(data), &size); err != nil || res.StatusCode != 409 {
		log.Fatalf("old size 0: expected a 409 with a size, found %d %q", res.StatusCode, data)
	}
	return size
}

// make64 is more proof lines than the specification's 63.
func make64() (lines []string) {
	for range 64 {
		lines = append(lines, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	}
	return lines
}
