// Package jsonl answers questions that arrive as JSON, one object a line, so
// that a test in another language can ask many of one process.
package jsonl

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Serve reads questions from standard input and writes one answer a line, in
// order, until the input ends. A line that does not parse as Q, or that names
// a field Q does not have (a misspelt one would read as zero), ends the
// program with status 2; so does an error from answer, which is for questions
// that make no sense. What a question finds out, good or bad, is in A.
func Serve[Q, A any](answer func(Q) (A, error)) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	out := bufio.NewWriter(os.Stdout)
	number := 0
	fail := func(err error) {
		out.Flush()
		fmt.Fprintf(os.Stderr, "line %d: %v\n", number, err)
		os.Exit(2)
	}
	for lines.Scan() {
		number++
		var q Q
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&q); err != nil {
			fail(err)
		}
		a, err := answer(q)
		if err != nil {
			fail(err)
		}
		if err := json.NewEncoder(out).Encode(a); err != nil {
			fail(err)
		}
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
	if err := out.Flush(); err != nil {
		fail(err)
	}
}
