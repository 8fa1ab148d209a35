# Our log under a policy that cannot be met without a witness of the field: the cosignatures, and what our
# log's gate at start makes of that witness's answers.
cosigned() {
  local first second name policy=$work/two-kinds
  new_key "$work/stranger" interop.example/stranger 1
  new_key "$work/gw" interop.example/gate-omniwitness 4
  new_key "$work/gwm" interop.example/gate-omniwitness 6
  # The policy names the witnesses, and they must know the log's key, which init makes: so first their
  # keys and addresses, then the log, then the omniwitness.
  stele_witness gate-1 interop.example/gate-1
  first=$witness
  stele_witness gate-2 interop.example/gate-2
  second=$witness
  omniwitness_port=$(free_port)
  cat >"$policy" <<-POLICY
	witness ours-1 $(cat "$work/gate-1.ed25519") $first
	witness ours-2 $(cat "$work/gate-2.mldsa") $second
	witness theirs $(cat "$work/gw.vkey") http://127.0.0.1:$omniwitness_port
	group two-of-three 2 ours-1 ours-2 theirs
	quorum two-of-three
	POLICY
  new_stele_log gated interop.example/gated "$policy" || return
  for name in gate-1 gate-2; do node dist/witness/main.js add-log -f "$work/$name" "$(cat "$work/gated.vkey")" >"$work/added"; done
  # They take up the log on SIGHUP.
  kill -HUP "${pids[gate-1]}" "${pids[gate-2]}"

  # Two of ours are a quorum: the first start waits for nobody else.
  stele_log_again gated
  check 'with two of three witnesses, our gate opens' ready "$log" ready
  omniwitness gate-3 "$work/gw.skey" "$work/gwm.skey" "$work/gated.vkey"
  check 'our log takes 4,000 entries' "$bin/load" -url "$log" -in-flight 2000 -size 64 -limit 4000
  check "Go's note verifies all three cosignatures" go_counts_signatures "$log" 4 \
    "$work/gated.vkey" "$work/gate-1.ed25519" "$work/gate-2.mldsa" "$work/gw.vkey"
  # From here on there is no quorum without omniwitness.
  stop gate-2
  check 'our log takes 1,000 entries more' "$bin/load" -url "$log" -in-flight 1000 -size 64 -limit 1000 -seed 2
  { printf 'log %s\n' "$(cat "$work/gated.vkey")" && cat "$policy"; } >"$work/gated.policy"
  check "tessera's client accepts its quorum with omniwitness" \
    "$bin/tesseraclient" -log "$log" -vkey "@$work/gated.vkey" -policy "$work/gated.policy" -min-size 5000
  check "tessera's fsck passes the cosigned log" tessera_fsck "$log" "$work/gated.vkey" 5000
  count node dist/interop/read-log.js "$log" "$work/gated.policy"

  stop gate-3
  gate_finds 'omniwitness gone: our gate stays closed' gate_closed ours-2,theirs
  omniwitness gate-3 "$work/gw.skey" "$work/gwm.skey" "$work/gated.vkey"
  check 'omniwitness back, but without its state, which nothing tells from one in step: it opens' ready "$log" ready
  gate_finds 'omniwitness in step: it opens' ready
  new_omniwitness "$work/gated.vkey"
  show_fork 5000
  gate_finds 'omniwitness on another history of the same size (409 without a size): refused' forked theirs
  new_omniwitness "$work/gated.vkey"
  show_fork 4000
  gate_finds 'omniwitness on another, smaller history: it has gone back' gate_closed ours-2,theirs
  gate_finds 'the same, added anew (422): refused' forked theirs --add-anew theirs
  new_omniwitness "$work/gated.vkey"
  show_fork 6000
  gate_finds 'omniwitness with more than our log has signed: refused' behind_witness theirs
  new_omniwitness "$work/stranger.vkey"
  gate_finds 'omniwitness without our log in its list: waited for' gate_closed ours-2,theirs
  check 'meanwhile our log serves what it has published' tessera_fsck "$log" "$work/gated.vkey" 5000
  omniwitness_port=
}

# new_omniwitness VKEYFILE: in place of the one that runs, with nothing remembered.
new_omniwitness() {
  stop gate-3
  omniwitness gate-3 "$work/gw.skey" "$work/gwm.skey" "$1"
}

show_fork() { # SIZE
  check "omniwitness is shown another history of $1 entries" \
    node dist/interop/show-fork.js "$omniwitness" "$(cat "$work/gw.vkey")" "$work/gated/log.key" "$1"
}

# gate_finds NAME STATE [WITNESSES] [ARGUMENT...]: starts our log again; what /readyz then says.
gate_finds() {
  stop gated
  stele_log_again gated "${@:4}"
  check "$1" ready "$log" "$2" "${3-}"
}

go_counts_signatures() { # URL COUNT VKEYFILE...: how many signatures of these keys Go's note verifies
  local url=$1 count=$2 vkeys= file answer verified
  shift 2
  for file; do vkeys+="\"$(cat "$file")\","; done
  # The quorum is enough to publish; the others are merged in when they come.
  for _ in {1..50}; do
    fetch_to "$url/checkpoint" "$work/opened" || return
    answer=$("$bin/notecheck" <<<"{\"kind\":\"checkpoint\",\"file\":\"$work/opened\",\"vkeys\":[${vkeys%,}]}")
    echo "expected $count verified signatures, found $answer"
    # Lines of keys that are not among these stand behind, as "unverified": they prove nothing.
    verified=$(node -e 'const { ok, signatures = [] } = JSON.parse(process.argv[1]);
      console.log(ok ? new Set(signatures.map(({ name, id }) => `${name}+${id}`)).size : 0)' "$answer")
    [ "$verified" = "$count" ] && return
    sleep 0.2
  done
  return 1
}
