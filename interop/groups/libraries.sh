# Trees, notes, keys, policies, proofs: ours and the Go libraries'.
libraries() {
  count node dist/interop/proofs.js
  count node dist/interop/notes.js
}
