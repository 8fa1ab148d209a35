# What the groups of checks share. interop/run sets bin (the field's programs and our mains) and work (a
# temporary folder).
passed=0
failed=0
declare -A pids=()

stop_all() {
  local name
  for name in "${!pids[@]}"; do kill "${pids[$name]}" 2>/dev/null; done
  # Sunlight ends only when its log's next round is due, which is an hour away.
  for _ in {1..50}; do
    [ -n "$(jobs -pr)" ] || break
    sleep 0.1
  done
  for name in "${!pids[@]}"; do kill -KILL "${pids[$name]}" 2>/dev/null; done
  wait 2>/dev/null
  rm -rf "$work"
}

# check NAME COMMAND...: the command's last line is shown: what it found, or what was expected.
check() {
  local name=$1 output status
  shift
  output=$("$@" 2>&1 </dev/null)
  status=$?
  if [ "$status" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok $name ($(tail -n 1 <<<"$output" | cut -c1-200))"
  else
    failed=$((failed + 1))
    echo "FAIL $name: status $status: $(tail -n 3 <<<"$output" | tr '\n' ' ' | cut -c1-600)"
  fi
}

# count COMMAND...: for a program that prints such lines itself.
count() {
  local line
  while IFS= read -r line; do
    case $line in
    'ok '*) passed=$((passed + 1)) ;;
    'FAIL '*) failed=$((failed + 1)) ;;
    *) continue ;;
    esac
    printf '%s\n' "$line"
  done < <("$@" 2>&1 </dev/null || echo "FAIL $1: status $?")
}

# fails COMMAND...: succeeds where that does not.
fails() {
  local output
  if output=$("$@"); then
    echo "expected: a failure; found: $output"
    return 1
  fi
  echo 'it does'
}

# start NAME PORT COMMAND...: in the background, until the end; waits until it listens. Its output is in
# $work/NAME.log.
start() {
  local name=$1 port=$2
  shift 2
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  pids[$name]=$!
  for _ in {1..200}; do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    sleep 0.1
  done
  check "$name starts" false
  tail -n 20 "$work/$name.log"
}

# stop NAME: ends what was started under it, and waits until it has ended.
stop() {
  kill "${pids[$1]}"
  wait "${pids[$1]}"
  unset "pids[$1]"
}

free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

# new_key FILE NAME TYPE: FILE.skey and FILE.vkey, made by Go.
new_key() {
  "$bin/notecheck" <<<"{\"kind\":\"generate\",\"name\":\"$2\",\"algorithm\":$3}" >"$work/key.json"
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const [json, out] = process.argv.slice(1);
    const { skey, vkey } = JSON.parse(readFileSync(json, "utf8"));
    writeFileSync(`${out}.skey`, `${skey}\n`, { mode: 0o600 });
    writeFileSync(`${out}.vkey`, `${vkey}\n`);' "$work/key.json" "$1"
}

# size URL|FOLDER: of the log's checkpoint.
size() {
  case $1 in
  http*) node -e 'fetch(process.argv[1]).then(async (r) => console.log((await r.text()).split("\n")[1]))' "$1/checkpoint" ;;
  *) sed -n 2p "$1/checkpoint" ;;
  esac
}

# tessera_fsck URL|FOLDER VKEYFILE SIZE: its own status says nothing, and it never ends after some errors.
# A log that is being written may be larger than it was.
tessera_fsck() {
  local url=$1 output found
  case $url in http*) ;; *) url=file://$url ;; esac
  output=$(timeout 120 "$bin/tessera-fsck" --ui=false --N 4 --storage_url="$url/" --public_key="$2" 2>&1)
  found=$(sed -n "s/.*Successfully fsck'd log with size \([0-9]*\) .*/\1/p" <<<"$output")
  [ "${found:-0}" -ge "$3" ] && echo "size $found" && return
  echo "expected: success at size $3 or more; found: $(tail -n 1 <<<"$output")"
  return 1
}

# hammer URL VKEYFILE GOAL [ARGUMENT...]: its status is 0 despite errors; they are its warnings. When it has
# reached its goal it cancels its own reads, and warns of those: a server cannot cause that.
hammer() {
  local url=$1 vkey=$2 goal=$3 output
  shift 3
  output=$(timeout "${HAMMER_TIMEOUT:-300}" "$bin/tessera-hammer" --show_ui=false --log_url "$url/" \
    --log_public_key "$(cat "$vkey")" --leaf_write_goal "$goal" --leaf_min_size 500 --num_writers 256 \
    --max_write_ops 2000 --num_readers_random 4 --num_readers_full 2 --max_read_ops 200 "$@" 2>&1 |
    grep -v ': context canceled$') &&
    ! grep -qE '^[WEF][0-9]' <<<"$output" && grep -o 'Reached tree size goal.*' <<<"$output" && return
  echo "expected: no warning; found: $(grep -E '^[WEF][0-9]' <<<"$output" | head -n 3)"
  return 1
}

# our_fsck URL|FOLDER VKEYFILE: any log, checked whole by our program.
our_fsck() {
  node dist/log-server/main.js fsck "$1" --vkey "$(cat "$2")"
}

# A log read by the field: with Tessera's client, and whole, with Tessera's fsck.
read_log() { # NAME URL|FOLDER VKEYFILE
  check "tessera's client reads $1" "$bin/tesseraclient" -log "$2" -vkey "@$3"
  check "tessera's fsck passes $1" tessera_fsck "$2" "$3" "$(size "$2")"
}

# omniwitness NAME KEYFILE KEYFILE VKEYFILE...: starts one that has these logs configured, and sets
# $omniwitness to its URL. Arguments of its own go into the array omniwitness_flags, the port into
# omniwitness_port; else it has no state from earlier and takes a free port.
omniwitness_flags=()
omniwitness_port=
omniwitness() {
  local name=$1 key=$2 mldsa=$3 port vkey
  shift 3
  echo 'Logs:' >"$work/$name.yaml"
  for vkey; do
    vkey=$(cat "$vkey")
    printf '  - Origin: %s\n    PublicKey: %s\n' "${vkey%%+*}" "$vkey" >>"$work/$name.yaml"
  done
  port=${omniwitness_port:-$(free_port)}
  start "$name" "$port" "$bin/omniwitness" --listen "127.0.0.1:$port" --metrics_listen '' --logtostderr \
    --private_key_path "$key" --private_key_path "$mldsa" --additional_logs "$work/$name.yaml" \
    "${omniwitness_flags[@]}"
  omniwitness=http://127.0.0.1:$port
}

# litewitness NAME KEYNAME VKEYFILE...: starts a new one that has these logs configured; its key is in
# $work/NAME.vkey. Sets $litewitness to its URL.
litewitness() {
  local name=$1 key_name=$2 agent port
  shift 2
  # The path of a socket must be short.
  agent=$(mktemp -u "${TMPDIR:-/tmp}/agent.XXXXXX")
  ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/$name.key"
  ssh-agent -D -a "$agent" >"$work/$name.agent.log" 2>&1 </dev/null &
  pids[$name.agent]=$!
  for _ in {1..100}; do [ -S "$agent" ] && break || sleep 0.05; done
  SSH_AUTH_SOCK=$agent ssh-add -q "$work/$name.key" || return
  litewitness_knows "$name" "$@"
  port=$(free_port)
  start "$name" "$port" "$bin/litewitness" -db "$work/$name.db" -name "$key_name" -ssh-agent "$agent" \
    -key "$(ssh-keygen -lf "$work/$name.key.pub" | cut -d ' ' -f 2)" -listen "127.0.0.1:$port"
  litewitness=http://127.0.0.1:$port
  sed -n 's/.* vkey=//p' "$work/$name.log" >"$work/$name.vkey"
}

# litewitness_knows NAME VKEYFILE...: configures logs, while it runs too.
litewitness_knows() { awk 1 "${@:2}" | python3 interop/litewitness-knows.py "$work/$1.db"; }

# sunlight NAME KEYNAME VKEYFILE...: starts a new witness of Sunlight's that has these logs configured, and
# beside it Skylight, which serves what it has cosigned. Sets $sunlight and $skylight to their URLs; its
# keys are in $work/NAME.ed25519 and $work/NAME.mldsa. It does not run without a log of its own.
sunlight() {
  local name=$1 key_name=$2 port folder=$work/$1
  shift 2
  mkdir "$folder"
  head -c 32 /dev/urandom >"$folder/seed"
  head -c 32 /dev/urandom >"$folder/log-seed"
  "$bin/sunlight-keygen" -f "$folder/seed" -witness "$key_name" | sed 's/^[^:]*: //' >"$work/$name.vkeys"
  sed -n 1p "$work/$name.vkeys" >"$work/$name.ed25519"
  sed -n 2p "$work/$name.vkeys" >"$work/$name.mldsa"
  echo 'logs/v0' >"$folder/logs"
  sunlight_knows "$name" "$@"
  : >"$folder/no-roots"
  python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(
    "CREATE TABLE checkpoints (logID BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT")' "$folder/checkpoints.db"
  port=$(free_port)
  cat >"$folder/sunlight.yaml" <<-YAML
	listen: ["127.0.0.1:$port"]
	checkpoints: $folder/checkpoints.db
	witness:
	  name: $key_name
	  submissionprefix: https://127.0.0.1
	  monitoringprefix: https://127.0.0.1
	  secret: $folder/seed
	  loglists: [$folder/logs]
	  localdirectory: $folder/public
	logs:
	  - shortname: unused
	    inception: $(date +%F)
	    submissionprefix: https://log.invalid/unused
	    monitoringprefix: https://log.invalid/unused
	    roots: $folder/no-roots
	    secret: $folder/log-seed
	    cache: $folder/cache.db
	    period: 3600000
	    localdirectory: $folder/log
	    notafterstart: "2030-01-01T00:00:00Z"
	    notafterlimit: "2031-01-01T00:00:00Z"
	YAML
  start "$name" "$port" "$bin/sunlight" -c "$folder/sunlight.yaml"
  sunlight=http://127.0.0.1:$port
  port=$(free_port)
  cat >"$folder/skylight.yaml" <<-YAML
	listen: ["127.0.0.1:$port"]
	witnesses:
	  - monitoringprefix: https://127.0.0.1
	    localdirectory: $folder/public
	YAML
  start "$name.skylight" "$port" "$bin/skylight" -c "$folder/skylight.yaml"
  skylight=http://127.0.0.1:$port
}

# sunlight_knows NAME VKEYFILE...: configures logs, while it runs too.
sunlight_knows() {
  local vkey
  for vkey in "${@:2}"; do echo "vkey $(cat "$vkey")" >>"$work/$1/logs"; done
  if [ -n "${pids[$1]-}" ]; then kill -HUP "${pids[$1]}"; fi
}

# stele_witness NAME KEYNAME VKEYFILE...: starts a new witness of ours, with both kinds of key and these
# logs configured. Sets $witness to its URL; its keys are in $work/NAME.ed25519 and $work/NAME.mldsa.
stele_witness() {
  local name=$1 key_name=$2 port vkey
  shift 2
  node dist/witness/main.js init -f "$work/$name" -n "$key_name" --ml-dsa >"$work/$name.vkeys" || return
  sed -n 1p "$work/$name.vkeys" >"$work/$name.ed25519"
  sed -n 2p "$work/$name.vkeys" >"$work/$name.mldsa"
  for vkey; do node dist/witness/main.js add-log -f "$work/$name" "$(cat "$vkey")" >"$work/added" || return; done
  port=$(free_port)
  start "$name" "$port" node dist/witness/main.js serve -f "$work/$name" -l "127.0.0.1:$port"
  witness=http://127.0.0.1:$port
}

# stele_log NAME ORIGIN POLICYFILE [ARGUMENT...]: starts a new log of ours that takes any entry. Sets $log
# to its URL; its vkey is in $work/NAME.vkey, its folder is $work/NAME.
stele_log() {
  local name=$1 origin=$2 policy=$3
  shift 3
  new_stele_log "$name" "$origin" "$policy" && stele_log_again "$name" "$@"
}

# new_stele_log NAME ORIGIN POLICYFILE [ARGUMENT...]: only makes its folder. With --ml-dsa its second vkey is
# in $work/NAME.mldsa.
new_stele_log() {
  if ! node dist/log-server/main.js init -f "$work/$1" --origin "$2" --admission none --policy "${@:3}" \
    >"$work/$1.vkeys" 2>"$work/$1.init"; then
    check "stele-log init makes $1" cat "$work/$1.init"
    return 1
  fi
  sed -n 1p "$work/$1.vkeys" >"$work/$1.vkey"
  sed -n 2p "$work/$1.vkeys" >"$work/$1.mldsa"
}

# stele_log_again NAME [ARGUMENT...]: starts one that has been made, or has been started before.
stele_log_again() {
  local name=$1 port
  shift
  port=$(free_port)
  start "$name" "$port" node dist/log-server/main.js serve -f "$work/$name" --admission none -l "127.0.0.1:$port" "$@"
  log=http://127.0.0.1:$port
}

# fetch_to URL FILE
fetch_to() {
  node -e '
    fetch(process.argv[1]).then(async (r) => {
      if (r.status !== 200) throw new Error(`${process.argv[1]}: ${r.status}`);
      require("node:fs").writeFileSync(process.argv[2], Buffer.from(await r.arrayBuffer()));
    });' "$1" "$2"
}

# published URL: waits for the first checkpoint, which a new log signs after it has begun to listen.
published() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    fetch_to "$1/checkpoint" "$work/checkpoint" 2>"$work/checkpoint.error" && return
    sleep 0.2
  done
  cat "$work/checkpoint.error"
  return 1
}

# ready URL STATE [WITNESS,...]: waits until /readyz of our log shows the state, and names these witnesses
# alone.
ready() {
  node -e '
    const [url, state, witnesses] = process.argv.slice(1);
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const wrong = async () => {
      const found = await fetch(`${url}/readyz`).then((r) => r.json(), (error) => ({ state: String(error) }));
      console.log(JSON.stringify(found));
      const named = [...new Set([...(found.awaited ?? []), ...(found.setAside ?? []).map((s) => s.split(":")[0])])];
      return found.state !== state || named.sort().join() !== (witnesses ?? "");
    };
    (async () => {
      for (let tries = 0; await wrong(); tries++) {
        if (tries === 100) { console.log(`expected ${state} ${witnesses ?? ""}`); process.exit(1); }
        await sleep(200);
      }
      // What is closed must stay closed.
      await sleep(state === "ready" ? 0 : 1500);
      if (await wrong()) process.exit(1);
    })();' "$@"
}
