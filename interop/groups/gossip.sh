# Our witness compares notes with the field's: Sunlight's by its monitoring endpoint, omniwitness and
# litewitness, which serve none, by the checkpoints of the logs.
gossip() {
  local name port policy=$work/gossip-policy vkeys
  for name in gossiped split; do new_key "$work/$name" "interop.example/$name" 1; done
  vkeys=("$work/gossiped.vkey" "$work/split.vkey")
  new_key "$work/ow" interop.example/gossip-omniwitness 4
  new_key "$work/owm" interop.example/gossip-omniwitness 6
  omniwitness gossip-omniwitness "$work/ow.skey" "$work/owm.skey" "${vkeys[@]}"
  litewitness gossip-lite interop.example/gossip-litewitness "${vkeys[@]}"
  sunlight gossip-sun interop.example/gossip-sunlight "${vkeys[@]}"
  stele_witness gossiper interop.example/gossiper
  cat >"$policy" <<-POLICY
	witness omniwitness $(cat "$work/ow.vkey") $omniwitness
	witness litewitness $(cat "$work/gossip-lite.vkey") $litewitness
	witness sunlight $(cat "$work/gossip-sun.ed25519") $sunlight
	group every all omniwitness litewitness sunlight
	quorum every
	POLICY
  for name in gossiped split; do
    check "the field cosigns $name, a log of tessera" "$bin/tesserawrite" -dir "$work/$name-log" \
      -key "$work/$name.skey" -n 700 -policy "$policy"
    port=$(free_port)
    start "$name-log" "$port" "$bin/tesserawrite" -dir "$work/$name-log" -key "$work/$name.skey" -listen "127.0.0.1:$port"
    node dist/witness/main.js add-log -f "$work/gossiper" "$(cat "$work/$name.vkey")" --url "http://127.0.0.1:$port" >"$work/added"
  done
  for name in ow gossip-lite; do
    node dist/witness/main.js add-peer -f "$work/gossiper" "$(cat "$work/$name.vkey")" >"$work/added"
  done
  node dist/witness/main.js add-peer -f "$work/gossiper" "$(cat "$work/gossip-sun.ed25519")" \
    --url "$skylight" --c2sp >"$work/added"
  # Its first look at all of them is a few seconds after it starts, the second a minute later.
  stop gossiper
  port=$(free_port)
  start gossiper "$port" node dist/witness/main.js serve -f "$work/gossiper" -l "127.0.0.1:$port"
  witness=http://127.0.0.1:$port
  check "our witness sees what each of the field's has cosigned" status_shows '
    const log = status.logs.find((log) => log.origin === "interop.example/gossiped");
    return log?.peers.filter((peer) => peer.size === 700).length === 3 && log.largestKnown === 700'
  check "Sunlight's answers at its monitoring endpoint" status_shows '
    const peer = status.peers.find((peer) => peer.name === "interop.example/gossip-sunlight");
    return peer?.lastSeen !== null && peer?.failures === 0'
  check 'none of them is alarmed about an honest log' status_shows '
    const log = status.logs.find((log) => log.origin === "interop.example/gossiped");
    return log.alarms.length === 0 && log.evidence.length === 0'

  # The other log shows our witness another tree of the size that the field has cosigned.
  node dist/interop/show-fork.js "$witness" "$(cat "$work/gossiper.ed25519")" "$work/split.skey" 700 >"$work/forked" 2>&1
  check 'a log that shows us one history and the field another is convicted' status_shows '
    const log = status.logs.find((log) => log.origin === "interop.example/split");
    return log.evidence.length > 0'
  printf 'log %s\nquorum none\n' "$(cat "$work/split.vkey")" >"$work/split.policy"
  check 'the evidence verifies for who trusts only its key' node dist/cli/main.js evidence verify \
    "$(ls "$work"/gossiper/evidence/*.evidence | head -n 1)" --policy "$work/split.policy"
  check 'its key gets no more cosignatures' refused_to "$work/split.skey" 701
}

refused_to() { # KEYFILE SIZE
  local found
  found=$(node dist/interop/show-fork.js "$witness" "$(cat "$work/gossiper.ed25519")" "$1" "$2")
  echo "expected: refused; found: $found"
  grep -q '"kind":"refused"' <<<"$found"
}

# status_shows BODY: waits until this function of our witness's status is true.
status_shows() {
  node -e '
    const [url, body] = process.argv.slice(1);
    const holds = new Function("status", body);
    (async () => {
      let status;
      for (let tries = 0; tries < 400; tries++) {
        status = await fetch(`${url}/status.json`).then((r) => r.json());
        if (holds(status)) return console.log(status.logs.map((log) => `${log.origin}: ${log.peers.map((p) => `${p.name} ${p.size}`)}`).join("; "));
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      console.log(JSON.stringify(status));
      process.exit(1);
    })();' "$witness" "$1"
}
