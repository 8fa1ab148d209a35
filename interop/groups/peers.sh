# The field's programs against each other, which shows that the drivers here find what is right, and
# what is wrong; and our client against them.
peers() {
  local port
  new_key "$work/log" interop.example/log 1
  new_key "$work/other" interop.example/other 1
  check 'tesserawrite writes 100,000 entries' "$bin/tesserawrite" -dir "$work/written" -key "$work/log.skey" -n 100000
  read_log 'a folder of tesserawrite' "$work/written" "$work/log.vkey"
  port=$(free_port)
  start tesserawrite "$port" "$bin/tesserawrite" -dir "$work/written" -key "$work/log.skey" -listen "127.0.0.1:$port"
  printf 'log %s\nquorum none\n' "$(cat "$work/log.vkey")" >"$work/none"
  count node dist/interop/read-log.js "http://127.0.0.1:$port" "$work/none"
  check 'stele-log fsck passes it, by URL' our_fsck "http://127.0.0.1:$port" "$work/log.vkey"
  check 'stele-log fsck passes the folder' our_fsck "$work/written" "$work/log.vkey"
  cp -r "$work/written" "$work/damaged"
  printf x | dd of="$work/damaged/tile/entries/300" bs=1 seek=100 conv=notrunc status=none
  check "tessera's fsck finds one changed byte" fails tessera_fsck "$work/damaged" "$work/log.vkey" 100000
  check 'stele-log fsck names the file' names_file tile/entries/300 our_fsck "$work/damaged" "$work/log.vkey"

  port=$(free_port)
  start tessera-posix "$port" "$bin/tessera-posix" --listen "127.0.0.1:$port" --storage_dir "$work/posix" --private_key "$work/log.skey"
  check "tessera's hammer on tessera's server" hammer "http://127.0.0.1:$port" "$work/log.vkey" 2000
  read_log "tessera's server" "http://127.0.0.1:$port" "$work/log.vkey"

  new_key "$work/w" interop.example/omniwitness 4
  new_key "$work/wm" interop.example/omniwitness 6
  omniwitness omniwitness "$work/w.skey" "$work/wm.skey" "$work/log.vkey" "$work/other.vkey"
  count "$bin/witnessprobe" -url "$omniwitness" -wkey "@$work/w.vkey,@$work/wm.vkey" \
    -log "$work/log.skey" -other "$work/other.skey" -expect interop/witness-answers.tsv -column omniwitness
  new_key "$work/cosigned" interop.example/cosigned 1
  omniwitness omniwitness-2 "$work/w.skey" "$work/wm.skey" "$work/cosigned.vkey" "$work/other.vkey"
  # 409 without a size is its habit; the specification says 422. A log's gate reads both as a fork.
  count node dist/interop/ask-witness.js "$omniwitness" "$(cat "$work/w.vkey"),$(cat "$work/wm.vkey")" "$work/other.skey" conflict
  # One key of the witness only: Tessera's policy takes one witness a URL.
  printf 'log %s\nwitness w %s %s\nquorum w\n' "$(cat "$work/cosigned.vkey")" "$(cat "$work/w.vkey")" "$omniwitness" >"$work/policy"
  check 'omniwitness cosigns a log of tessera' "$bin/tesserawrite" -dir "$work/cosigned" -key "$work/cosigned.skey" -n 5000 -policy "$work/policy"
  check 'its cosignature satisfies the policy' "$bin/tesseraclient" -log "$work/cosigned" -vkey "@$work/cosigned.vkey" -policy "$work/policy"
}

names_file() { # FILE COMMAND...: fails, and names that file alone
  local output
  if output=$("${@:2}"); then
    echo "expected: a failure; found: $output"
    return 1
  fi
  echo "expected: $1 named; found: $output" | tail -n 2 | tr '\n' ' '
  [ "$(grep -oE 'tile/[0-9a-z/.]+' <<<"$output" | sort -u)" = "$1" ]
}
