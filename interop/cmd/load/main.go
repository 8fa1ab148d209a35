// Load sends entries to a log's POST /add as fast as it answers, with a fixed
// number of requests in flight, and says how many were acknowledged a second.
//
//	load -url URL -in-flight 64 -seconds 10 [-warmup 2] [-size 1024] [-seed 1] [-limit 0] [-rate 0] [-proof] [-bodies FILE]
//
// With -rate it sends so many a second instead, evenly, as long as there are
// connections free, and how long each took counts from when it was due. With
// -proof it asks for the entry's proof (Accept: text/x.tlog.proof), not for its
// index alone.
//
// With -bodies the entries are the lines of a file, each sent once, in their
// order; there must be enough of them.
//
// Each of the requests in flight has a connection of its own, kept alive, and
// is followed by the next only when it is answered. Entries are unique: the
// seed, a number and pseudo-random bytes. 200 is an acknowledgement; 429 and
// 503 are retried after Retry-After (counted, not acknowledged); anything else
// ends the run.
//
// It prints one line of JSON: acknowledgements within the measured time,
// per second, and how long each took from its first attempt on, milliseconds.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stele/interop/internal/wire"
)

var (
	target   = flag.String("url", "", "the log: an http:// URL")
	inFlight = flag.Int("in-flight", 64, "requests in flight, each on its own connection")
	seconds  = flag.Float64("seconds", 10, "how long to measure")
	warmup   = flag.Float64("warmup", 2, "how long to send before measuring")
	size     = flag.Int("size", 1024, "bytes an entry, at least 32")
	seed     = flag.Uint64("seed", 1, "entries differ between seeds")
	rate     = flag.Float64("rate", 0, "entries a second; 0 for as many as are acknowledged")
	proof    = flag.Bool("proof", false, "ask for proofs, not for indexes alone")
	lines    = flag.String("bodies", "", "a file whose lines are the entries")
	limit    = flag.Int64("limit", 0, "stop after this many entries, however long that takes: to fill a log")
)

type result struct {
	InFlight     int     `json:"inFlight"`
	Seconds      float64 `json:"seconds"`
	Acknowledged int     `json:"acknowledged"`
	PerSecond    float64 `json:"perSecond"`
	P50          float64 `json:"p50Ms"`
	P99          float64 `json:"p99Ms"`
	Max          float64 `json:"maxMs"`
	Retried      int64   `json:"retried"`
	// Last index seen, of all entries including the warm-up's.
	MaxIndex uint64 `json:"maxIndex"`
}

var (
	started  time.Time
	bodies   [][]byte
	numbers  atomic.Int64
	retried  atomic.Int64
	maxIndex atomic.Uint64
)

// How long one entry is retried.
const patience = time.Minute

// worker has one connection and one request in flight.
type worker struct {
	conn   *wire.Conn
	body   []byte
	random *rand.ChaCha8
	// Milliseconds of those acknowledged within the measured time.
	took []float64
}

func (w *worker) run(from, until time.Time) error {
	for {
		now := time.Now()
		if *limit == 0 && now.After(until) {
			return nil
		}
		number := numbers.Add(1)
		if *rate > 0 {
			now = started.Add(time.Duration(float64(number) / *rate * float64(time.Second)))
			if now.After(until) {
				return nil
			}
			time.Sleep(time.Until(now))
		}
		if *limit > 0 && number > *limit {
			return nil
		}
		if *lines == "" {
			w.random.Read(w.body)
			binary.BigEndian.PutUint64(w.body, *seed)
			binary.BigEndian.PutUint64(w.body[8:], uint64(started.UnixNano()))
			binary.BigEndian.PutUint64(w.body[16:], uint64(number))
		} else if number <= int64(len(bodies)) {
			w.body = bodies[number-1]
		} else {
			return fmt.Errorf("expected more than the %d entries of %s", len(bodies), *lines)
		}
		for {
			status, wait, answer, err := w.conn.Post(w.body)
			if err != nil {
				return err
			}
			if status == 200 {
				if *proof {
					_, answer, _ = strings.Cut(answer, "\nindex ")
					answer, _, _ = strings.Cut(answer, "\n")
				}
				index, err := strconv.ParseUint(strings.TrimSpace(answer), 10, 64)
				if err != nil {
					return fmt.Errorf("expected an index, found %q", answer)
				}
				for old := maxIndex.Load(); index > old && !maxIndex.CompareAndSwap(old, index); old = maxIndex.Load() {
				}
				break
			}
			if status != 429 && status != 503 {
				return fmt.Errorf("expected 200, found %d %q", status, answer)
			}
			retried.Add(1)
			time.Sleep(max(wait, 10*time.Millisecond))
			if time.Since(now) > patience {
				return fmt.Errorf("expected 200 within %s, found %d %q", patience, status, answer)
			}
		}
		if end := time.Now(); *limit > 0 || (end.After(from) && !end.After(until)) {
			w.took = append(w.took, float64(end.Sub(now).Microseconds())/1000)
		}
	}
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("load: ")
	flag.Parse()
	if *target == "" || *size < 32 || *inFlight < 1 {
		log.Print("expected -url http://HOST:PORT, -size of at least 32, -in-flight of at least 1")
		os.Exit(2)
	}
	if *lines != "" {
		file, err := os.ReadFile(*lines)
		if err != nil {
			log.Fatal(err)
		}
		bodies = bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
	}
	workers := make([]*worker, *inFlight)
	for i := range workers {
		var key [32]byte
		binary.BigEndian.PutUint64(key[:], *seed)
		binary.BigEndian.PutUint64(key[8:], uint64(i))
		workers[i] = &worker{
			body:   make([]byte, *size),
			random: rand.NewChaCha8(key),
		}
		var err error
		if workers[i].conn, err = wire.Dial(*target, "/add"); err != nil {
			log.Fatal(err)
		}
		if *proof {
			workers[i].conn.Accept = "text/x.tlog.proof"
		}
	}
	started = time.Now()
	from := started.Add(time.Duration(*warmup * float64(time.Second)))
	until := from.Add(time.Duration(*seconds * float64(time.Second)))
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			if err := w.run(from, until); err != nil {
				log.Fatal(err)
			}
		})
	}
	all.Wait()
	r := result{InFlight: *inFlight, Seconds: *seconds, Retried: retried.Load(), MaxIndex: maxIndex.Load()}
	if *limit > 0 {
		r.Seconds = time.Since(started).Seconds()
	}
	var took []float64
	for _, w := range workers {
		took = append(took, w.took...)
	}
	slices.Sort(took)
	r.Acknowledged = len(took)
	r.PerSecond = float64(len(took)) / r.Seconds
	if len(took) > 0 {
		r.P50, r.P99, r.Max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
	json.NewEncoder(os.Stdout).Encode(r)
}
