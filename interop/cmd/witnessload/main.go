// Witnessload asks witnesses for cosignatures as fast as they answer: N logs,
// each with an Ed25519 key of its own and a chain of growing checkpoints, with
// a fixed number of requests in flight.
//
//	witnessload -logs N -vkeys                                prints the logs' verifier keys, one a line
//	witnessload -logs N [-steps M] [-seed 1] URL VKEYS [URL VKEYS]...   measures these witnesses
//
// Names and keys of the logs follow from the seed, so that witnesses can be
// configured with what -vkeys prints. All logs are one tree of more than a
// million entries, which grows by 1 to 100 entries a checkpoint: proofs are as
// long as a real log's. All that is sent is computed and signed beforehand.
//
// When it is ready it prints "ready", and then obeys lines on standard input,
// each answered by one line of JSON; T counts the witnesses from 0:
//
//	first T K          the first checkpoint of every log, K in flight; each answer's cosignatures are
//	                   verified with VKEYS (separated by commas), all of which have to be there
//	run T K SECONDS    further checkpoints, the logs by turns, none with two requests in flight; what is
//	                   answered in the first half second is not counted
//
// Each line has connections of its own, since litewitness closes those on which nothing came for five
// seconds, and witnesses are asked by turns.
//
// 200 is a cosignature; 429 and 503 are retried after Retry-After or else a
// millisecond, and counted, their time being part of the request's; anything
// else ends the program, with status 1.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stele/interop/internal/keys"
	"stele/interop/internal/wire"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"
)

var (
	count     = flag.Int("logs", 50, "how many logs")
	steps     = flag.Int("steps", 0, "checkpoints a log; 0 for 150,000 altogether")
	seed      = flag.Uint64("seed", 1, "names and keys of the logs follow from it")
	showVkeys = flag.Bool("vkeys", false, "print the logs' verifier keys, and end")
)

const (
	// Entries of the tree before its first checkpoint.
	base = 1_000_000
	// The most that it grows by from one checkpoint to the next.
	growth = 100
	warmup = 500 * time.Millisecond
	// How long one checkpoint is retried.
	patience = time.Minute
)

// step is what all logs have in common at one size.
type step struct {
	// The old size and the proof, as they are sent, with the blank line.
	head []byte
	// The checkpoint's second and third line.
	tail []byte
}

type ed25519Log struct {
	name string
	key  ed25519.PrivateKey
	vkey string
	// The end of each step's request: the checkpoint with its signature.
	notes [][]byte
}

func newLog(n int) *ed25519Log {
	name := fmt.Sprintf("bench.example/%d/%d", *seed, n)
	secret := sha256.Sum256([]byte("the key of " + name))
	key := ed25519.NewKeyFromSeed(secret[:])
	return &ed25519Log{name: name, key: key, vkey: keys.Format(name, keys.Ed25519, key.Public().(ed25519.PublicKey))}
}

// sign signs every step's checkpoint.
func (l *ed25519Log) sign(steps []step) {
	id := sha256.Sum256(append([]byte(l.name+"\n\x01"), l.key.Public().(ed25519.PublicKey)...))
	for _, s := range steps {
		text := append([]byte(l.name+"\n"), s.tail...)
		signature := base64.StdEncoding.EncodeToString(append(id[:4:4], ed25519.Sign(l.key, text)...))
		l.notes = append(l.notes, fmt.Appendf(text, "\n— %s %s\n", l.name, signature))
	}
}

// grow makes the tree, and what all logs send of it.
func grow(n int) []step {
	tree := testonly.New(rfc6962.DefaultHasher)
	random := rand.New(rand.NewPCG(*seed, 0))
	var all []step
	for old := uint64(0); len(all) < n; old = tree.Size() {
		more := 1 + random.IntN(growth)
		if old == 0 {
			more = base
		}
		for range more {
			tree.AppendData(binary.BigEndian.AppendUint64(nil, tree.Size()))
		}
		var proof [][]byte
		if old > 0 {
			var err error
			proof, err = tree.ConsistencyProof(old, tree.Size())
			must(err)
		}
		head := fmt.Appendf(nil, "old %d\n", old)
		for _, hash := range proof {
			head = append(base64.StdEncoding.AppendEncode(head, hash), '\n')
		}
		tail := fmt.Appendf(nil, "%d\n%s\n", tree.Size(), base64.StdEncoding.EncodeToString(tree.Hash()))
		all = append(all, step{append(head, '\n'), tail})
	}
	return all
}

// witness is one that is measured.
type witness struct {
	url       string
	verifiers []note.Verifier
	// How many checkpoints of each log it has cosigned, and which logs wait for
	// their next: one being asked about is in neither hand.
	next    []int
	waiting chan int
}

type result struct {
	InFlight  int     `json:"inFlight"`
	Cosigned  int     `json:"cosigned"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50Ms"`
	P99       float64 `json:"p99Ms"`
	Max       float64 `json:"maxMs"`
	Retried   int64   `json:"retried"`
	// All that were cosigned meanwhile, the first half second's included.
	All int64 `json:"all"`
}

// run asks until the time has come, or with rounds above 0 until every log has
// so many checkpoints cosigned.
func (w *witness) run(logs []*ed25519Log, all []step, inFlight int, from, until time.Time, rounds int) result {
	conns := make([]*wire.Conn, inFlight)
	for i := range conns {
		var err error
		conns[i], err = wire.Dial(w.url, "/add-checkpoint")
		must(err)
		defer conns[i].Close()
	}
	var retried, answered, left atomic.Int64
	left.Store(int64(len(logs)))
	took := make([][]float64, inFlight)
	var workers sync.WaitGroup
	for i := range inFlight {
		workers.Go(func() {
			for {
				now := time.Now()
				if rounds == 0 && now.After(until) || rounds > 0 && left.Add(-1) < 0 {
					return
				}
				n := <-w.waiting
				l, at := logs[n], w.next[n]
				if at == len(all) {
					log.Fatalf("%s: expected at most %d checkpoints to be cosigned, found more: give more -steps", l.name, at)
				}
				now = time.Now()
				answer := w.ask(conns[i], all[at].head, l.notes[at], &retried)
				end := time.Now()
				if at == 0 {
					w.verify(l.name, all[at].tail, answer)
				}
				w.next[n]++
				w.waiting <- n
				answered.Add(1)
				if rounds > 0 || end.After(from) && !end.After(until) {
					took[i] = append(took[i], float64(end.Sub(now).Microseconds())/1000)
				}
			}
		})
	}
	started := time.Now()
	workers.Wait()
	seconds := until.Sub(from).Seconds()
	if rounds > 0 {
		seconds = time.Since(started).Seconds()
	}
	sorted := slices.Concat(took...)
	slices.Sort(sorted)
	r := result{InFlight: inFlight, Cosigned: len(sorted), Retried: retried.Load(), All: answered.Load()}
	r.PerSecond = float64(len(sorted)) / seconds
	if len(sorted) > 0 {
		r.P50, r.P99, r.Max = sorted[len(sorted)/2], sorted[len(sorted)*99/100], sorted[len(sorted)-1]
	}
	return r
}

// ask asks until the checkpoint is cosigned.
func (w *witness) ask(conn *wire.Conn, head, checkpoint []byte, retried *atomic.Int64) string {
	for begun := time.Now(); ; {
		status, wait, answer, err := conn.Post(head, checkpoint)
		must(err)
		if status == 200 {
			return answer
		}
		if status != 429 && status != 503 || time.Since(begun) > patience {
			log.Fatalf("%s: expected 200, found %d %q", w.url, status, answer)
		}
		retried.Add(1)
		time.Sleep(max(wait, time.Millisecond))
	}
}

// verify ends the program unless every key of the witness has cosigned.
func (w *witness) verify(origin string, tail []byte, answer string) {
	signed := fmt.Sprintf("%s\n%s\n%s", origin, tail, answer)
	n, err := note.Open([]byte(signed), note.VerifierList(w.verifiers...))
	if err != nil || len(n.Sigs) != len(w.verifiers) {
		log.Fatalf("%s: expected cosignatures by %d keys, found %q: %v", w.url, len(w.verifiers), answer, err)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("witnessload: ")
	flag.Parse()
	if *count < 1 || flag.NArg()%2 != 0 || flag.NArg() == 0 && !*showVkeys {
		log.Print("expected -logs of at least 1, and -vkeys or URL VKEYS of one witness or more")
		os.Exit(2)
	}
	logs := make([]*ed25519Log, *count)
	for n := range logs {
		logs[n] = newLog(n)
	}
	if *showVkeys {
		out := bufio.NewWriter(os.Stdout)
		for _, l := range logs {
			fmt.Fprintln(out, l.vkey)
		}
		must(out.Flush())
		return
	}
	if *steps == 0 {
		*steps = 150_000 / *count
	}
	all := grow(*steps)
	for _, l := range logs {
		l.sign(all)
	}
	var witnesses []*witness
	for pair := range slices.Chunk(flag.Args(), 2) {
		w := &witness{url: pair[0], next: make([]int, *count), waiting: make(chan int, *count)}
		for vkey := range strings.SplitSeq(pair[1], ",") {
			verifier, _, err := keys.Verifier(vkey)
			must(err)
			w.verifiers = append(w.verifiers, verifier)
		}
		for n := range logs {
			w.waiting <- n
		}
		witnesses = append(witnesses, w)
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var verb string
		var which, inFlight int
		var seconds float64
		line := bytes.NewReader(lines.Bytes())
		n, _ := fmt.Fscan(line, &verb, &which, &inFlight, &seconds)
		if n < 3 || which < 0 || which >= len(witnesses) || inFlight < 1 {
			log.Fatalf("expected first T K, or run T K SECONDS, found %q", lines.Text())
		}
		var r result
		switch now := time.Now(); {
		case verb == "first":
			r = witnesses[which].run(logs, all, inFlight, now, now, 1)
		case verb == "run" && n == 4:
			from := now.Add(warmup)
			r = witnesses[which].run(logs, all, inFlight, from, from.Add(time.Duration(seconds*float64(time.Second))), 0)
		default:
			log.Fatalf("expected first T K, or run T K SECONDS, found %q", lines.Text())
		}
		must(json.NewEncoder(os.Stdout).Encode(r))
	}
}
