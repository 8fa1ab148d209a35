# Our log server, read and written by the field's programs and by our client.
log() {
  local name
  printf 'quorum none\n' >"$work/nobody"
  stele_log served interop.example/served "$work/nobody"
  check "Go reads our log's keys" go_reads_log_key served
  check 'our log takes 100,000 entries' "$bin/load" -url "$log" -in-flight 512 -size 64 -limit 100000
  check "Go's note opens our checkpoint" go_opens_checkpoint "$log" "$work/served.vkey" 100000
  read_log 'our log' "$log" "$work/served.vkey"
  printf 'log %s\nquorum none\n' "$(cat "$work/served.vkey")" >"$work/served.policy"
  count node dist/interop/read-log.js "$log" "$work/served.policy"
  count node dist/interop/ask-log.js "$log" "$work/served.policy"

  fetch_to "$log/checkpoint" "$work/served.since"
  check "tessera's hammer on our log" hammer "$log" "$work/served.vkey" 50000
  check 'stele-log fsck passes it, by URL' our_fsck "$log" "$work/served.vkey"
  stop served
  check 'stele-log fsck passes its folder, state included' node dist/log-server/main.js fsck -f "$work/served"
  stele_log_again served
  check 'after a restart, the log continues the one it was' \
    "$bin/tesseraclient" -log "$log" -vkey "@$work/served.vkey" -since "$work/served.since" -min-size 150000
  check "tessera's fsck passes it once more" tessera_fsck "$log" "$work/served.vkey" 150000
}

go_reads_log_key() { # NAME: the signing key in its folder yields the vkey that init printed
  local answer
  answer=$("$bin/notecheck" <<<"{\"kind\":\"skey\",\"skey\":\"$(cat "$work/$1/log.key")\"}")
  echo "expected vkey $(cat "$work/$1.vkey"), found $answer"
  [[ $answer == *"\"vkey\":\"$(cat "$work/$1.vkey")\""* ]]
}

go_opens_checkpoint() { # URL VKEYFILE SIZE
  local answer
  fetch_to "$1/checkpoint" "$work/opened" || return
  answer=$("$bin/notecheck" <<<"{\"kind\":\"checkpoint\",\"file\":\"$work/opened\",\"vkeys\":[\"$(cat "$2")\"]}")
  echo "$answer"
  [[ $answer == *'"ok":true'* && $answer == *"\"size\":$3,"* ]]
}
