"""A witness that gossips: spec/gossip.md, and of C2SP tlog-witness what that needs. Ed25519 signs; lines of both kinds are read.

For tests: all is in memory, trees have as many leaves as 160 tiles hold, and nobody is refused for asking too much. The doors
answer from what is known and never ask anybody. Everything that asks another happens in `round` and `push`, when they are called."""

import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from types import SimpleNamespace

import notes
import tree
from doors import FILE, exchange, format_owed, hex_of, parse_owed
from evidence import Evidence
from plain import Refused, check, decimal, enbase64, unbase64, utf8

TILES = 160
EMPTY = sha256(b"").digest()


@dataclass
class Tree:
    """A checkpoint, with those lines by known keys that verify."""
    text: str
    point: notes.Checkpoint
    lines: dict
    shown_by: list = field(default_factory=list)

    def of_log(self, log):
        return [key for key in self.lines if key in log.keys]

    def note(self, keys):
        """With lines by these keys, in their order: logs before witnesses (formats.md, "Notes and checkpoints")."""
        return (self.text + "\n" + "".join(notes.format_line(k, self.lines[k].signature) for k in keys if k in self.lines)).encode()

    def part(self, key):
        """What a file of evidence has of it: one line, and no extension lines under ML-DSA-44 (evidence.md, "The file")."""
        text = self.text if key.type != 6 else "".join(line + "\n" for line in self.text.split("\n")[:3])
        return text + "\n" + notes.format_line(key, self.lines[key].signature)


@dataclass
class Log:
    origin: str
    keys: list
    url: str | None
    cosigned: Tree | None = None
    stamp: int = 0
    largest: Tree | None = None
    leaves: list = field(default_factory=list)  # of our history; held against a root before it is used
    reports: list = field(default_factory=list)
    convicted: set = field(default_factory=set)

    def ours(self):
        return [t for t in (self.cosigned, self.largest) if t]


@dataclass
class Other:
    """A peer."""
    keys: list
    url: str | None
    speaks: bool = True  # this protocol, not C2SP tlog-witness alone


class Peer:
    def __init__(self, name, seed, now=lambda: int(time.time())):
        self.key, self.seed, self.now = notes.key_of_seed(name, 4, seed), seed, now
        self.logs, self.others, self.lock = {}, [], threading.RLock()
        self.evidence, self.cases, self.seen = {}, {}, {}
        self.outbox, self.asked, self.server = [], [], None

    # What the operator writes down.

    def add_log(self, vkey, url=None):
        key = notes.parse_vkey(vkey)
        log = self.logs.setdefault(hex_of(key.name), Log(key.name, [], url))
        log.keys.append(key)
        return log

    def add_peer(self, vkeys, url, speaks=True):
        self.others.append(Other([notes.parse_vkey(v) for v in vkeys], url, speaks))

    def known(self):
        """The keys, as a policy has them."""
        logs = [key for log in self.logs.values() for key in log.keys]
        witnesses = [self.key, *(key for other in self.others for key in other.keys)]
        return SimpleNamespace(logs=logs, witnesses=dict(enumerate(witnesses)))

    def note_of(self, found):
        known = self.known()
        return found.note([*known.logs, *known.witnesses.values()])

    # A note that somebody shows.

    def read(self, raw):
        """(log, tree). Refuses malformed, unknown-origin, untrusted (gossip.md, "POST /gossip/checkpoint")."""
        try:
            text, lines = notes.parse_note(raw)
            point = notes.parse_checkpoint(text)
        except Refused as refused:
            raise Refused(f"malformed: {refused}")
        log = self.logs.get(hex_of(point.origin))
        check(log, "unknown-origin")
        found = {}
        for key in (*log.keys, *self.known().witnesses.values()):
            for line in [line for line in lines if (line.name, line.id) == (key.name, key.id)]:
                try:
                    stamp = notes.verify_line(key, text, line) or 0
                except Refused:
                    continue
                if key not in found or stamp > found[key][0]:
                    found[key] = stamp, line
        check(found, "untrusted")
        return log, Tree(text, point, {key: line for key, (_, line) in found.items()})

    def report(self, raw, other=None, ask=False):
        """Holds a note against ours: ("consistent" | "contradiction" | "open", hashes of new files)."""
        log, found = self.read(raw)
        if other:
            found.shown_by.append(other)
        said, files = self.look_into(log, found, ask)
        with self.lock:
            if said == "open" and not any(r.text == found.text and r.lines.keys() >= found.lines.keys() for r in log.reports):
                log.reports.append(found)
                mine = [r for r in log.reports if r.shown_by == found.shown_by]
                if len(mine) > (4 if other else 32):
                    log.reports.remove(mine[0])
        return said, files

    def look_into(self, log, found, ask):
        """`hold`, with what others answer if we may ask them; the lock is not held meanwhile."""
        told, files = {}, []
        for _ in range(4):
            with self.lock:
                said, new = self.hold(log, found, told)
            files += new
            missing = [question for question, answer in told.items() if answer is None]
            if not ask or not missing:
                break
            for size, text in missing:
                told[size, text] = list(self.ask(log, size, next(t for t in self.trees(log, found) if t.text == text)))
        return said, files

    def trees(self, log, found):
        return [found, *log.ours(), *(t for (_, origin), t in self.seen.items() if origin == log.origin)]

    def hold(self, log, found, told):
        """gossip.md, "Reconciliation"."""
        point = found.point
        if point.size == 0:
            if point.root == EMPTY:
                return "consistent", []
            guilty = found.of_log(log)
            check(guilty, "untrusted")
            made = [self.keep(f"stele-log/evidence@v1\nempty-tree\n\n{found.part(key)}".encode()) for key in guilty]
            return "contradiction", [name for name, new in made if new]
        related = [(ours, *self.relate(log, ours, found, told)) for ours in log.ours()]
        files = []
        for ours, said, shown in related:
            if said == "fork":
                files += self.accuse(log, ours, found, shown)
        if (not related and found.of_log(log)) or any(said == "same" for _, said, _ in related):
            for key in found.lines:
                old = self.seen.get((key, log.origin))
                if key.type != 1 and key not in log.keys and (old is None or old.point.size <= point.size):
                    self.seen[key, log.origin] = found
            if found.of_log(log) and (log.largest is None or point.size > log.largest.point.size):
                log.largest = found
                self.tell(log, found)
            return "consistent", []
        if any(said == "fork" for _, said, _ in related):
            for ours in [self.seen[key, log.origin] for key in found.lines if (key, log.origin) in self.seen]:
                said, shown = self.relate(log, ours, found, told)
                if said == "fork":
                    files += self.accuse(log, ours, found, shown)
            return "contradiction", files
        for other in log.reports:
            if other.point.size == point.size and other.point.root != point.root:
                files += self.accuse(log, other, found, None)
        return "open", files

    def relate(self, log, one, two, told):
        """("same" | "fork" | "open", (root, proof) of the larger tree at the smaller size)."""
        small, large = sorted((one, two), key=lambda t: t.point.size)
        if small.point.size in (0, large.point.size):
            same = small.point.size == 0 or small.point.root == large.point.root
            return "same" if same else "fork", None
        for root, proof in self.views(log, small.point.size, large, told):
            try:
                tree.verify_consistency(small.point.size, root, large.point.size, large.point.root, proof)
            except Refused:
                continue  # shows nothing
            return "same" if root == small.point.root else "fork", (root, proof)
        return "open", None

    def views(self, log, size, large, told):
        """(root, proof) as the leaves kept show it, then as others told it; what nobody was asked yet is noted as a question."""
        if len(log.leaves) >= large.point.size:
            yield self.view(log.leaves[:large.point.size], size)
        yield from told.setdefault((size, large.text), None) or []

    def view(self, leaves, size):
        return tree.root(leaves[:size]), tree.consistency(size, leaves)

    def ask(self, log, size, large):
        """The same from the log's address, then from up to four peers that vouch for the larger tree."""
        leaves = self.leaves(log, large)
        if leaves:
            yield self.view(leaves, size)
            return
        vouching = [o for o in self.others if o.speaks and o.url and (o in large.shown_by or any(k in large.lines for k in o.keys))]
        for other in vouching[:4]:
            status, body = exchange("GET", f"{other.url}/{hex_of(log.origin)}/consistency/{size}/{large.point.size}")
            if status == 200:
                try:
                    yield parse_owed(body)
                except Refused:
                    continue

    def leaves(self, log, of):
        """The leaf hashes of this tree from the log's address, or None."""
        size, found = of.point.size, b""
        if not log.url or size > TILES * 256:
            return None
        for index in range(0, size, 256):
            width = min(256, size - index)
            for w in (width, 256):
                status, body = exchange("GET", f"{log.url}/{tree.tile_path(0, index // 256, w)}", limit=8192)
                if status == 200 and len(body) == 32 * w:
                    break
            else:
                return None
            found += body[:32 * width]
        hashes = [found[i:i + 32] for i in range(0, len(found), 32)]
        return hashes if tree.root(hashes) == of.point.root else None

    # Evidence.

    def accuse(self, log, one, two, shown):
        """evidence.md, "Making it": hashes of the new files, one for each set of keys that signed both."""
        one, two = sorted((one, two), key=lambda t: (t.point.size, t.point.root))
        head = "same-size\n" if shown is None else "not-a-prefix\n" + format_owed(*shown).decode()
        pairs = [(key, key) for key in one.lines if key in two.lines]
        if not any(key in log.keys for key, _ in pairs):
            pairs += list(zip(one.of_log(log)[:1], two.of_log(log)[:1]))
        made = [self.keep(f"stele-log/evidence@v1\n{head}\n{one.part(a)}\n{two.part(b)}".encode()) for a, b in pairs]
        return [name for name, new in made if new]

    def keep(self, raw):
        """(hash of the file kept for that case, whether it is new). Refuses what does not convict by our keys."""
        verdict = Evidence(raw).verdict(self.known())
        case = verdict["origin"], frozenset(verdict["convicted"])
        with self.lock:
            new = case not in self.cases
            if new:
                self.cases[case] = sha256(raw).hexdigest()
                self.evidence[self.cases[case]] = raw
                self.outbox.append(("/gossip/evidence", raw))
                for log in self.logs.values():
                    if verdict["role"] == "log" and log.origin == verdict["origin"]:
                        log.convicted |= case[1]
            return self.cases[case], new

    # The one question of C2SP tlog-witness that makes anything.

    def add_checkpoint(self, raw):
        """tlog-witness, "add-checkpoint": (status, body)."""
        try:
            head, blank, note = utf8(raw, "bad_note").partition("\n\n")
            old, *proof = head.split("\n")
            check(blank and old.startswith("old ") and len(proof) <= 63, "bad_note")
            old, proof = decimal(old[4:]), [unbase64(line) for line in proof]
            check(all(len(h) == 32 for h in proof), "bad_note")
            text, lines = notes.parse_note(note.encode())
            point = notes.parse_checkpoint(text)
        except Refused as refused:
            return 400, f"{refused}\n"
        log = self.logs.get(hex_of(point.origin))
        if log is None:
            return 404, "unknown origin\n"
        with self.lock:
            try:
                keys = [key for key in log.keys if key not in log.convicted]
                notes.open_note(note.encode(), keys)
            except Refused:
                return 403, "no key that is trusted\n"
            if old > point.size:
                return 400, "old size above the size\n"
            found = self.read(note.encode())[1]
            size = log.cosigned.point.size if log.cosigned else 0
            try:
                if old != size:
                    self.report(note.encode())
                    return 409, f"{size}\n"
                if size == 0:
                    check(not proof and (point.size or point.root == EMPTY), "root_mismatch")
                else:
                    tree.verify_consistency(size, log.cosigned.point.root, point.size, point.root, proof)
            except Refused as refused:
                self.report(note.encode())
                return 422, f"{refused}\n"
            log.stamp = max(log.stamp, self.now())
            line = notes.sign_line(self.key, self.seed, text, log.stamp)
            found.lines = {**{key: found.lines[key] for key in found.of_log(log)}, self.key: notes.parse_line(line[:-1])}
            log.cosigned, before = found, log.largest
            if before is None or before.point.size <= point.size:
                log.largest = found
            if before and before is not log.cosigned:
                said, shown = self.relate(log, before, found, {})
                if said == "fork":
                    self.accuse(log, before, found, shown)
                if said != "same":
                    log.largest = found
                    log.reports += [before] if said == "open" else []
            self.tell(log, found)
            return 200, line

    # What asks others.

    def tell(self, log, found):
        self.outbox.append(("/gossip/checkpoint", self.note_of(found)))

    def push(self):
        """Tells each peer what is new: [(other, path, status, body)]."""
        with self.lock:
            news, self.outbox = self.outbox, []
        return [(other, path, *exchange("POST", other.url + path, body)) for path, body in news
                for other in self.others if other.speaks and other.url]

    def round(self):
        """gossip.md, "Who talks to whom", once; then what is open is looked into."""
        for other in [o for o in self.others if o.url]:
            for origin in self.logs:
                self.pull(f"{other.url}/{origin}/checkpoint", other)
            if other.speaks:
                self.pull_evidence(other)
        for log in self.logs.values():
            if log.url:
                self.pull(f"{log.url}/checkpoint", None)
            for found in list(log.reports):
                if self.look_into(log, found, True)[0] != "open":
                    with self.lock:
                        log.reports.remove(found)
            for ours in log.ours():
                leaves = self.leaves(log, ours) if len(log.leaves) < ours.point.size else None
                log.leaves = leaves or log.leaves

    def pull(self, url, other):
        status, body = exchange("GET", url)
        try:
            return self.report(body, other, ask=True) if status == 200 else None
        except Refused:
            return None

    def pull_evidence(self, other):
        status, body = exchange("GET", other.url + "/gossip/evidence", limit=1024 * 65)
        names = body.decode("latin-1").split("\n") if status == 200 else []
        for name in [n for n in names if len(n) == 64 and n not in self.evidence][:8]:
            status, body = exchange("GET", f"{other.url}/gossip/evidence/{name}", limit=FILE)
            try:
                if status == 200 and sha256(body).hexdigest() == name:
                    self.keep(body)
            except Refused:
                pass
