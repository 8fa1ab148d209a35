# The field's witnesses, each asked every question; then all of them beside one of ours, for a log of ours
# and for one of Tessera's.
field() {
  local name policy=$work/field-policy port first
  for name in lite-1 lite-2 lite-3 sun-1 sun-2 sun-3 sun-4 ours-4; do new_key "$work/$name" "interop.example/$name" 1; done
  litewitness lite interop.example/litewitness "$work"/lite-{1,2,3}.vkey
  sunlight sun interop.example/sunlight "$work"/sun-{1,2,3,4}.vkey
  count "$bin/witnessprobe" -url "$litewitness" -wkey "@$work/lite.vkey" \
    -log "$work/lite-1.skey" -other "$work/lite-2.skey" -expect interop/witness-answers.tsv -column litewitness
  count "$bin/witnessprobe" -url "$sunlight" -monitoring "$skylight" -wkey "@$work/sun.ed25519,@$work/sun.mldsa" \
    -log "$work/sun-1.skey" -other "$work/sun-2.skey" -expect interop/witness-answers.tsv -column sunlight
  count node dist/interop/ask-witness.js "$litewitness" "$(cat "$work/lite.vkey")" "$work/lite-3.skey" inconsistent
  count node dist/interop/ask-witness.js "$sunlight" "$(paste -sd, "$work/sun.vkeys")" "$work/sun-3.skey" inconsistent

  # A log of ours that publishes nothing unless all four have cosigned it, each with another kind of key. It
  # has two keys itself, and every request carries a line of both; the witnesses know only the Ed25519 one.
  new_key "$work/fw" interop.example/field-omniwitness 4
  new_key "$work/fwm" interop.example/field-omniwitness 6
  new_key "$work/field-tessera" interop.example/field-tessera 1
  stele_witness field-ours interop.example/field-ours "$work/field-tessera.vkey" "$work/ours-4.vkey"
  first=$witness
  # Subtrees, by torchwood's proofs and verdict.
  count "$bin/subtreeprobe" -url "$sunlight" -wkey "@$work/sun.mldsa" -log "$work/sun-4.skey"
  count "$bin/subtreeprobe" -url "$first" -wkey "@$work/field-ours.mldsa" -log "$work/ours-4.skey" -size 70
  omniwitness_port=$(free_port)
  cat >"$policy" <<-POLICY
	witness ours $(cat "$work/field-ours.mldsa") $first
	witness omniwitness $(cat "$work/fwm.vkey") http://127.0.0.1:$omniwitness_port
	witness litewitness $(cat "$work/lite.vkey") $litewitness
	witness sunlight $(cat "$work/sun.ed25519") $sunlight
	group every all ours omniwitness litewitness sunlight
	quorum every
	POLICY
  new_stele_log field interop.example/field "$policy" --ml-dsa || return
  node dist/witness/main.js add-log -f "$work/field-ours" "$(cat "$work/field.vkey")" >"$work/added"
  kill -HUP "${pids[field-ours]}"
  litewitness_knows lite "$work/field.vkey" "$work/field-tessera.vkey"
  sunlight_knows sun "$work/field.vkey" "$work/field-tessera.vkey"
  omniwitness field-omniwitness "$work/fw.skey" "$work/fwm.skey" "$work/field.vkey" "$work/field-tessera.vkey"
  stele_log_again field
  check 'with all of the field beside ours, our gate opens' ready "$log" ready
  check 'our log takes 2,000 entries' "$bin/load" -url "$log" -in-flight 1000 -size 64 -limit 2000
  check "Go's note verifies every cosignature" go_counts_signatures "$log" 6 "$work/field.vkey" \
    "$work/field.mldsa" "$work/field-ours.mldsa" "$work/fwm.vkey" "$work/lite.vkey" "$work/sun.ed25519"
  check "Go's note opens the checkpoint by the log's Ed25519 key alone" go_opens "$log" "$work/field.vkey"
  check 'and by its ML-DSA-44 key alone' go_opens "$log" "$work/field.mldsa"
  { printf 'log %s\n' "$(cat "$work/field.vkey")" && cat "$policy"; } >"$work/field.policy"
  check "tessera's client accepts its quorum" \
    "$bin/tesseraclient" -log "$log" -vkey "@$work/field.vkey" -policy "$work/field.policy" -min-size 2000
  count node dist/interop/read-log.js "$log" "$work/field.policy"

  # The same four, asked by Tessera by its own reading of the policy.
  { printf 'log %s\n' "$(cat "$work/field-tessera.vkey")" && cat "$policy"; } >"$work/field-tessera.policy"
  check 'they all cosign a log of tessera' "$bin/tesserawrite" -dir "$work/field-tessera" \
    -key "$work/field-tessera.skey" -n 3000 -policy "$work/field-tessera.policy"
  check 'and again when it has grown' "$bin/tesserawrite" -dir "$work/field-tessera" \
    -key "$work/field-tessera.skey" -start 3000 -n 400 -policy "$work/field-tessera.policy"
  check "tessera's client accepts all four cosignatures" "$bin/tesseraclient" -log "$work/field-tessera" \
    -vkey "@$work/field-tessera.vkey" -policy "$work/field-tessera.policy" -min-size 3400
  omniwitness_port=
}

go_opens() { # URL VKEYFILE: Go's note opens the checkpoint, and verifies one line, of this key
  local answer
  fetch_to "$1/checkpoint" "$work/opened" || return
  answer=$("$bin/notecheck" <<<"{\"kind\":\"checkpoint\",\"file\":\"$work/opened\",\"vkeys\":[\"$(cat "$2")\"]}")
  echo "expected a signature of $(cut -c1-80 "$2"), found $answer"
  # Lines of other keys come after, as unverified.
  grep -q "^{\"ok\":true,.*\"signatures\":\[{[^]]*\"id\":\"$(cut -d + -f 2 "$2")\"" <<<"$answer"
}
