# What an operator does with the units of docs/systemd, on the machine that .ci/units boots: the commands of
# docs/operating.md, docs/monitor.md and docs/record.md as they stand there, then days on which something is wrong.
# shellcheck shell=bash
set -Eeuo pipefail
cd /
repository=/repository
log=http://127.0.0.1:7381
trap 'failed "$?" "$LINENO ${BASH_LINENO[*]}" "$BASH_COMMAND"' ERR

failed() {
  trap - ERR
  echo "FAIL  lines $2, innermost first: $3 (status $1)"
  systemctl --no-pager --lines 0 status 'stele-*' || true
  journalctl --no-pager --lines 80 --unit 'stele-*' || true
  exit "$1"
}

ok() { printf 'ok    %3ds  %s\n' "$SECONDS" "$*"; }

# The Nth block of commands below a heading of a page.
block() {
  awk -v heading="$2" -v wanted="$3" '
    !open && /^#+ / { inside = (substr($0, index($0, " ") + 1) == heading) }
    inside && /^```/ { open = !open; if (open) n++; next }
    inside && open && n == wanted' "$repository/docs/$1" | grep .
}

# Tries a command until it succeeds; a machine may be slow, so this is no statement about time.
eventually() {
  local _
  for _ in {1..900}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "expected to come true: $*"
  "$@"
}

value() { systemctl show --value --property "$2" "$1"; }
is() {
  local found
  found=$(value "$1" "$2")
  if [ "$found" != "$3" ]; then
    echo "$1: expected $2 to be $3, found $found"
    return 1
  fi
}
# From here on what a unit says counts anew.
from_now() { cursor=$(journalctl --lines 1 --output cat --show-cursor | sed -n 's/^-- cursor: //p'); }
said() { journalctl --unit "$1" --output cat --after-cursor "$cursor"; }
says() { said "$1" | grep -F -- "$2"; }
takes_entries() { curl -sf "$log/readyz"; }
cosigns() { curl -sf http://127.0.0.1:7380/; }
# A start that was refused: it waits for the next one, and the journal has the code.
refused() {
  eventually says "$1" "($2)"
  eventually is "$1" SubState auto-restart
  is "$1" Result exit-code
}
pid_of() { value "$1" MainPID; }
another_process() { local now; now=$(pid_of "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ]; }
ended_well() {
  is "$1" ActiveState inactive
  is "$1" Result success
}

# -- docs/operating.md, as a service: a witness, then the log.
cd "$repository"
block operating.md 'As a service' 2 >/run/log.bash
sed -e 's/stele-log/stele-witness/g' -e 's/--origin [^ ]* --policy [^ ]*/--name witness.example\/north/' /run/log.bash >/run/witness.bash
bash -euo pipefail /run/witness.bash >/run/witness.out
vkey=$(grep '^witness\.example/north+' /run/witness.out)
# In words there: the file of witnesses is made before init reads it. By a name, so that one is looked up within the unit.
sed -n '1,/^cd \//p' /run/log.bash >/run/first.bash
sed '1,/^cd \//d' /run/log.bash >/run/second.bash
[ -s /run/second.bash ]
bash -euo pipefail /run/first.bash
printf 'witness north %s http://localhost:7380\nquorum north\n' "$vkey" >/etc/stele/witnesses
cd /
bash -euo pipefail /run/second.bash >/run/log.out
vkey=$(grep '^log\.example/mine+' /run/log.out)
sudo -H -u stele-witness stele-witness add-log --folder /var/lib/stele-witness "$vkey" --url $log
systemctl reload stele-witness
eventually takes_entries
for unit in stele-log stele-witness; do
  is $unit ActiveState active
  is $unit NRestarts 0
  [ "$(stat -c '%U %a' "/var/lib/$unit")" = "$unit 700" ]
  grep -E '^CapBnd:[[:space:]]+0+$' "/proc/$(pid_of $unit)/status" >/dev/null
  grep -E '^Seccomp:[[:space:]]+2$' "/proc/$(pid_of $unit)/status" >/dev/null
  systemctl is-enabled $unit >/dev/null
done
ok 'a witness and a log by docs/operating.md: they serve, as users of their own, without capabilities'

# -- A lab and its registrar, as in the README.
install -d /srv/office /srv/lab
cd /srv/office
install -m 600 /var/lib/stele-log/operator.key .
install -m 644 /var/lib/stele-log/policy .
stele init operator --officer --key operator.key --log $log --policy policy 2>/dev/null
cd /srv/lab
stele init example-lab --name 'Example Lab' --log $log --policy /srv/office/policy 2>/dev/null >/dev/null
echo 'A small model.' >spec.md
cd /srv/office
stele attest participant --request ../lab/participant-request.json 2>/dev/null
stele submit records/participant-example-lab.dsse.json 2>/dev/null
ok 'an entry is logged and cosigned'

# -- docs/record.md, as a service.
cd /srv/lab
ln -s "$repository/docs" docs
block record.md 'As a service' 1 >/run/record.bash
install -d /etc/systemd/system/stele-record.service.d
printf '[Service]\nEnvironment=STELE_LOG=%s\n' $log >/etc/systemd/system/stele-record.service.d/override.conf
from_now
bash -euo pipefail <(grep -v '^systemctl edit ' /run/record.bash) >/dev/null
eventually says stele-record 'run-intent: entry'
# The trainer is another user, whose files nobody else may read.
useradd --system trainer
install -d -o trainer /scratch
(cd / && setpriv --reuid trainer --regid trainer --clear-groups sh -c \
  'umask 077; exec node /repository/dist/demo/train/main.js /scratch/run-7 --steps 10' >/dev/null 2>&1)
[ "$(stat -c '%U %a' /scratch/run-7/model.safetensors)" = 'trainer 600' ]
systemctl kill --signal KILL stele-record
ok 'a recorder by docs/record.md has declared a run, and was killed beside a trainer'

# -- docs/monitor.md, as a service, with a journal that drops lines of whom it may.
install -d /srv/monitor /run/systemd/journald.conf.d
cd /srv/monitor
ln -s "$repository/docs" docs
cat >monitor.toml <<TOML
interval = 2
[[log]]
policy = "log.policy"
url = "$log"
[[filter]]
name = "all"
type = ["charter", "anchor", "participant", "run-intent", "run-progress", "run-final"]
TOML
install -D -m 644 /srv/office/policy /etc/stele/log.policy
printf '[Journal]\nRateLimitIntervalSec=1h\nRateLimitBurst=1\n' >/run/systemd/journald.conf.d/limit.conf
systemctl restart systemd-journald
from_now
bash -euo pipefail <(block monitor.md 'As a service' 1) >/dev/null
# All that is in the log now, each once.
size=$(curl -sf $log/readyz | grep -oE '"published":[0-9]+' | cut -d: -f2)
told() { said stele-monitor | grep '^{' | grep -oE '"index":[0-9]+' | sort | uniq -c | awk '{ print $1 }' | grep -cx 1; }
all_told() { [ "$(told)" -ge "$size" ]; }
eventually says stele-monitor 'looked at'
eventually all_told
rm /run/systemd/journald.conf.d/limit.conf
systemctl restart systemd-journald
[ "$(stat -c %a /var/lib/private/stele-monitor)" = 700 ]
ok "a monitor by docs/monitor.md told all $size entries in the journal, which drops no lines of it"

# -- Killed, told to reload at once, restarted: nothing is lost.
for unit in stele-log stele-witness stele-monitor; do
  before=$(pid_of $unit)
  kill -KILL "$before"
  eventually another_process $unit "$before"
done
eventually takes_entries
stele get 2 --log $log --policy /srv/office/policy 2>/dev/null | grep -F 'Example Lab' >/dev/null
from_now
systemctl restart stele-witness
before=$(pid_of stele-witness)
catches_hangup() { (($(awk '/^SigCgt/ { print "0x" $2 }' "/proc/$before/status") & 1)); }
eventually catches_hangup
systemctl reload stele-witness
eventually says stele-witness '"reloaded"'
[ "$(pid_of stele-witness)" = "$before" ]
systemctl restart stele-log
eventually takes_entries
ok 'killed by SIGKILL they were started again, and the entry is there; a reload beside a start ended nothing'

# -- Days on which something is wrong, of log and witness at once.
both() {
  local unit
  for unit in stele-log stele-witness; do "$@" "$unit"; done
}
key_of() { echo "/var/lib/$1/${1#stele-}.key"; }
expose() { systemctl stop "$1" && chmod 644 "$(key_of "$1")" && systemctl start "$1"; }
cover() { chmod 600 "$(key_of "$1")"; }
take() { systemctl stop "$1" && chown root "$(key_of "$1")" && systemctl start "$1"; }
give() { chown "$1" "$(key_of "$1")"; }
hold() {
  systemctl stop "$1"
  # shellcheck disable=SC2024 # root's file, and meant so
  sudo -H -u "$1" "$1" serve --folder "/var/lib/$1" --listen 127.0.0.1:0 >"/run/other.$1" 2>&1 &
  eventually grep http "/run/other.$1"
  systemctl start "$1"
}
# A small disk of its own, as full as it gets; empty it has more than the 64 MiB that a log keeps in reserve.
fill() {
  systemctl stop "$1"
  cp -a "/var/lib/$1" "/srv/$1"
  mount -t tmpfs -o size=128m "small-$1" "/var/lib/$1"
  cp -a "/srv/$1/." "/var/lib/$1/"
  cat /dev/zero >"/var/lib/$1/ballast" 2>/dev/null || true
  chown "$1" "/var/lib/$1" "/var/lib/$1/ballast"
  systemctl start "$1"
}
empty() { rm "/var/lib/$1/ballast"; }

from_now
both expose
for unit in stele-log stele-witness; do refused $unit key_exposed; done
both cover
from_now
both take
for unit in stele-log stele-witness; do refused $unit no_key; done
both give
from_now
both hold
refused stele-log locked
refused stele-witness locked
# What runs beside the unit is its user's too.
for unit in stele-log stele-witness; do
  eventually is $unit SubState auto-restart
  pkill -KILL -u $unit
done
from_now
both fill
refused stele-log storage_failed
refused stele-witness lock_failed
both empty
# Nobody starts them: they are tried again.
eventually takes_entries
eventually cosigns
ok 'a key that others may read, one of another user, a folder in use, a full disk: each is said with its code, and over when it is mended'

# -- The recorder went on when it was started again, while the log came and went.
from_now
eventually is stele-record ActiveState inactive
is stele-record Result success
[ "$(value stele-record NRestarts)" -ge 1 ]
[ "$(find /var/lib/stele-record/records -name '*.tlog-proof' | wc -l)" = 3 ]
stele verify /var/lib/stele-record/records/run-7.final.stele.json --policy /srv/office/policy --model /scratch/run-7 >/dev/null
chmod 644 /var/lib/stele-record/signing.key
systemctl start stele-record
refused stele-record key_exposed
chmod 600 /var/lib/stele-record/signing.key
systemctl restart stele-record
eventually ended_well stele-record
ok 'the recorder ended with its run, each statement logged once'

# -- Stopped: with 0, and whole.
for unit in stele-monitor stele-log stele-witness; do
  systemctl stop $unit
  ended_well $unit
  is $unit ExecMainStatus 0
done
sudo -H -u stele-log stele-log fsck --folder /var/lib/stele-log >/dev/null
systemd-analyze --no-pager --threshold=15 security stele-log stele-witness stele-monitor >/dev/null
systemd-analyze --no-pager --threshold=20 security stele-record >/dev/null
ok 'stopped, each ended with 0; the log is whole'
