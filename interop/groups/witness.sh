# Our witness, asked by the field's programs and by our client.
witness() {
  local name port
  for name in wlog wother wempty wlog2 wother2 wempty2 wasked wlog3; do new_key "$work/$name" "interop.example/$name" 1; done
  stele_witness ours interop.example/stele-witness "$work"/{wlog,wother,wempty,wlog2,wother2,wempty2,wasked,wlog3}.vkey
  check 'our witness has an Ed25519 key and an ML-DSA-44 key for Go' go_reads_vkeys "$work/ours.vkeys"
  # Our own column says more than the specification's; both must hold.
  count "$bin/witnessprobe" -url "$witness" -wkey "@$work/ours.ed25519,@$work/ours.mldsa" \
    -log "$work/wlog.skey" -other "$work/wother.skey" -empty "$work/wempty.skey" -expect interop/witness-answers.tsv -column stele
  check 'our witness answers as the specification says' "$bin/witnessprobe" -url "$witness" \
    -wkey "@$work/ours.ed25519,@$work/ours.mldsa" -log "$work/wlog2.skey" -other "$work/wother2.skey" -empty "$work/wempty2.skey" \
    -expect interop/witness-answers.tsv -column specification
  count node dist/interop/ask-witness.js "$witness" "$(paste -sd, "$work/ours.vkeys")" "$work/wasked.skey" inconsistent

  # Tessera asks for the cosignatures itself, by its own reading of the policy: 2 of 3, one of them of the
  # field; then by the ML-DSA-44 key of ours alone.
  new_key "$work/wk" interop.example/beside 4
  new_key "$work/wkm" interop.example/beside 6
  omniwitness omniwitness-beside "$work/wk.skey" "$work/wkm.skey" "$work/wlog3.vkey"
  local first=$witness
  stele_witness ours-2 interop.example/stele-witness-2 "$work/wlog3.vkey"
  cat >"$work/three" <<-POLICY
	log $(cat "$work/wlog3.vkey")
	witness ours $(cat "$work/ours.ed25519") $first
	witness ours-2 $(cat "$work/ours-2.mldsa") $witness
	witness theirs $(cat "$work/wk.vkey") $omniwitness
	group every all ours ours-2 theirs
	quorum every
	POLICY
  check 'our witnesses and omniwitness cosign a log of tessera' \
    "$bin/tesserawrite" -dir "$work/three-log" -key "$work/wlog3.skey" -n 5000 -policy "$work/three"
  check 'and again when it has grown' \
    "$bin/tesserawrite" -dir "$work/three-log" -key "$work/wlog3.skey" -start 5000 -n 700 -policy "$work/three"
  check "tessera's client accepts all three cosignatures" \
    "$bin/tesseraclient" -log "$work/three-log" -vkey "@$work/wlog3.vkey" -policy "$work/three" -min-size 5700
  port=$(free_port)
  start three-log "$port" "$bin/tesserawrite" -dir "$work/three-log" -key "$work/wlog3.skey" -listen "127.0.0.1:$port" -policy "$work/three"
  count node dist/interop/read-log.js "http://127.0.0.1:$port" "$work/three"
}

go_reads_vkeys() { # FILE: an Ed25519 cosigner's key, then an ML-DSA-44 one
  local answers
  answers=$(while read -r vkey; do printf '{"kind":"vkey","vkey":"%s"}\n' "$vkey"; done <"$1" | "$bin/notecheck")
  echo "${answers//$'\n'/ }"
  [ "$(grep -c '"ok":true' <<<"$answers")" = 2 ] && grep -q '"algorithm":4' <<<"$answers" && grep -q '"algorithm":6' <<<"$answers"
}
