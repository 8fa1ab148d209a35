"""gossip.py FOLDER: two of our witnesses and the peer of peer.py compare notes about logs that lie and logs that do not.

One line a check. Every wait is for something that was seen, and ends after TIMEOUT seconds. SIGHUP makes a witness read its peers."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import notes
import tree
from evidence import Evidence
from peer import FILE, NOTE, Peer, exchange, format_owed, hex_of
from plain import Refused, enbase64, parse_json

DIST, TIMEOUT = Path(__file__).parents[2] / "dist", 20
passed = failed = 0
T0 = time.monotonic()


def judge(about, good, found=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{time.monotonic()-T0:.1f}", end=" ")
    print(f"ok  gossip: {about}" if good else f"FAIL  gossip: {about}: {found}", flush=True)
    return good


def until(question):
    """The first true answer, or the last one there was time for."""
    end = time.monotonic() + TIMEOUT
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


def node(program, *arguments):
    return subprocess.run(["node", DIST / program, *arguments], capture_output=True, text=True, timeout=60)


def answered(method, url, body=None):
    """(status, lines), once it does not say "later"."""
    def ask():
        status, got = exchange(method, url, body)
        return status not in (202, 429) and (status, got.decode().split("\n")[:-1])
    return until(ask) or (None, [])


def shown(url, note):
    return answered("POST", url + "/gossip/checkpoint", note)


class Site:
    """Whatever `answer(path)` gives, (status, body, headers), on a port of loopback; and what was asked."""

    def __init__(self, answer):
        site = self
        self.answer, self.asked = answer, []

        class Page(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(handler):
                status, body, headers = (*site.answer(handler.path), {})[:3]
                site.asked.append(handler.path)
                try:
                    handler.send_response(status)
                    for name, value in headers.items():
                        handler.send_header(name, value)
                    handler.end_headers()
                    handler.wfile.write(body)
                except OSError:
                    pass  # who asked has heard enough

            def do_POST(handler):
                handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
                handler.do_GET()

            def log_message(handler, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class History:
    """One of the histories that a log's key signs, and its address."""

    def __init__(self, name, entries, size=0):
        self.key, self.size = notes.key_of_seed(name, 1, sha256(name.encode()).digest()), size
        self.leaves = [tree.leaf_hash(entry.encode()) for entry in entries]
        self.site = Site(self.answer)

    def text(self, size):
        return f"{self.key.name}\n{size}\n{enbase64(tree.root(self.leaves[:size]))}\n"

    def note(self, size, *lines):
        text = self.text(size)
        return (text + "\n" + notes.sign_line(self.key, sha256(self.key.name.encode()).digest(), text) + "".join(lines)).encode()

    def answer(self, path):
        if path == "/checkpoint":
            return 200, self.note(self.size)
        try:
            level, index, width = tree.parse_tile_path(path[1:])
            found = tree.tile(self.leaves[:self.size], level, index, width) if level != "entries" else None
        except Refused:
            found = None
        return (404, b"") if found is None else (200, found)

    def submit(self, url, old, size):
        self.size = max(size, self.size)
        proof = tree.consistency(old, self.leaves[:size]) if old else []
        body = f"old {old}\n" + "".join(enbase64(h) + "\n" for h in proof) + "\n"
        return exchange("POST", url + "/add-checkpoint", body.encode() + self.note(size))[0]


class Witness:
    """One of ours, in a process."""

    def __init__(self, folder, name):
        self.folder, self.process = folder, None
        self.vkey = node("witness/main.js", "init", "--folder", folder, "--name", name).stdout.strip()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def configure(self, *commands):
        for command in commands:
            done = node("witness/main.js", command[0], "--folder", self.folder, *command[1:])
            assert done.returncode == 0, done.stderr

    def start(self, folder=None):
        with open(str(self.folder) + ".log", "a") as log:
            self.process = subprocess.Popen(["node", DIST / "witness/main.js", "serve", "--folder", folder or self.folder,
                                             "--listen", f"127.0.0.1:{self.port}"], stderr=log)
        return until(lambda: self.get("/healthz")[0])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def get(self, path):
        return exchange("GET", self.url + path, limit=FILE)

    def files(self):
        return self.get("/gossip/evidence")[1].decode().split()

    def log(self, name):
        logs = parse_json(self.get("/status.json")[1])["logs"]
        return next(log for log in logs if log["origin"] == name)

    def round(self):
        self.process.send_signal(signal.SIGHUP)


def convicts(raw, policy):
    """What the file says under this policy: here, and by `stele evidence verify`."""
    file = policy.with_suffix(".evidence")
    file.write_bytes(raw)
    done = node("cli/main.js", "evidence", "verify", file, "--policy", policy)
    return done.returncode == 0 or done.stdout + done.stderr


def asked(peer, method, part, status):
    return until(lambda: [path for m, path, s in peer.asked if m == method and part in path and s == status])


def honest(log, one, two, p, old):
    """(a), (b), (d): while the log has one history."""
    name, origin = log.key.name, hex_of(log.key.name)
    judge("an honest log's checkpoint is cosigned by both witnesses and by the peer", [log.submit(u, 0, 5) for u in (one.url, two.url, p.url)] == [200] * 3)
    judge("both witnesses tell the peer what they cosigned, and it agrees", until(lambda: p.asked.count(("POST", "/gossip/checkpoint", 200)) >= 2), p.asked)
    told = [(status, body) for _, path, status, body in p.push()]
    judge("the peer tells both witnesses, and they agree", told and set(told) == {(200, b"consistent\n")}, told)
    p.round()
    judge("the peer reads both monitoring endpoints: nothing is open, and it has seen both cosign",
          not p.logs[origin].reports and {key.name for key, _ in p.seen} >= {"witness.example/1", "witness.example/2"}, p.seen)
    judge("both witnesses read the peer's monitoring endpoint", until(lambda: p.asked.count(("GET", f"/{origin}/checkpoint", 200)) >= 2), p.asked)
    judge("and its list of evidence", until(lambda: p.asked.count(("GET", "/gossip/evidence", 200)) >= 2), p.asked)
    judge("and have seen it cosign", until(lambda: any(x["name"] == p.key.name and x["size"] == 5 for x in one.log(name)["peers"])), one.log(name))
    judge("which it shows at /seen/", one.get(f"/seen/{hex_of(p.key.name)}/{origin}/checkpoint") == (200, p.answer("GET", f"/{origin}/checkpoint", b"")[1]))

    shutil.copytree(two.folder, old)
    p.asked.clear()
    judge("the first witness cosigns more", log.submit(one.url, 5, 8) == 200)
    judge("and tells the peer, which cannot know yet how that stands", asked(p, "POST", "/gossip/checkpoint", 202), p.asked)
    p.round()
    judge("the peer has no tiles: it asks the witness, which owes the proof, and pays", p.logs[origin].largest.point.size == 8 and not p.logs[origin].reports)
    p.logs[origin].url = log.site.url
    p.round()
    judge("the peer has tiles, once the log has an address", len(p.logs[origin].leaves) == 8)
    judge("and can cosign", log.submit(p.url, 5, 8) == 200)
    p.push()
    judge("the second witness hears of it from the peer and has no tiles: it asks the peer, which pays", asked(p, "GET", f"/{origin}/consistency/5/8", 200), p.asked)
    judge("and knows that the larger tree is on its history", until(lambda: two.log(name)["largestKnown"] == 8), two.log(name))
    judge("though it moves nothing that it cosigned", two.log(name)["size"] == 5)
    judge("until the log asks it to", log.submit(two.url, 5, 8) == 200 and two.log(name)["size"] == 8)
    judge("which the peer hears of", until(lambda: any(key.name == "witness.example/2" and t.point.size == 8 for (key, _), t in p.seen.items())), p.seen)
    sizes = [(1, 8), (3, 7), (4, 8), (5, 5), (6, 7), (8, 8)]
    for about, base in ("the witness", one.url), ("the peer", p.url):
        owed = {s: exchange("GET", f"{base}/{origin}/consistency/{s[0]}/{s[1]}") for s in sizes}
        judge(f"{about} owes proofs of any two sizes", all(owed[o, n] == (200, format_owed(tree.root(log.leaves[:o]), tree.consistency(o, log.leaves[:n]))) for o, n in sizes), owed)
        bad = [exchange("GET", f"{base}/{origin}/consistency/{s}")[0] for s in ("0/8", "6/5", "05/8", "5/x", "5/9")]
        judge(f"{about} owes none of sizes that are none, or not there", bad == [400, 400, 400, 400, 404], bad)


def fork(a, b, one, two, p, policy):
    """(c): one key, two histories."""
    name, origin = a.key.name, hex_of(a.key.name)
    p.asked.clear()
    p.logs[origin].url = b.site.url
    judge("the log shows one history to the first witness", a.submit(one.url, 8, 12) == 200)
    judge("and another to the peer, each at its own address", b.submit(p.url, 8, 10) == 200)
    judge("the peer hears of the first", asked(p, "POST", "/gossip/checkpoint", 202), p.asked)
    p.round()
    judge("the peer convicts the log, by the proof that the witness owes", len(p.evidence) == 1 and p.logs[origin].convicted == {a.key}, p.logs[origin].reports)
    made = next(iter(p.evidence.values()), b"")
    judge("`stele evidence verify` accepts the peer's file", (said := convicts(made, policy)) is True, said)
    status, body = shown(one.url, p.note_of(p.logs[origin].cosigned))
    judge("the first witness, shown what the peer cosigned, convicts the log", (status, body[0]) == (200, "contradiction"), (status, body))
    judge("and names its file in the list", until(one.files) and len(one.files()) == 1, one.files())
    theirs = one.get(f"/gossip/evidence/{one.files()[0]}")[1]
    judge("the file has the name of its digest", sha256(theirs).hexdigest() == one.files()[0])
    verdict = Evidence(theirs).verdict(p.known())
    judge("the peer accepts the witness's file", (verdict["kind"], verdict["role"], verdict["convicted"]) == ("not-a-prefix", "log", [a.key] * 2), verdict)
    judge("`stele evidence verify` accepts it", (said := convicts(theirs, policy)) is True, said)
    judge("both have made the same file", made == theirs, (made, theirs))
    judge("neither cosigns for the log any more", (a.submit(one.url, 12, 13), b.submit(p.url, 10, 11)) == (403, 403))

    other = Peer("python.example/other", bytes([5]) * 32)
    other.add_log(notes.format_vkey(a.key))
    other.add_peer([one.vkey], one.url)
    other.round()
    judge("a peer that saw nothing fetches it from the witness, and convicts", other.logs[origin].convicted == {a.key} and list(other.evidence.values()) == [theirs])
    two.stop()
    told = [(status, body) for other, path, status, body in p.push() if path == "/gossip/evidence" and other.url == one.url]
    judge("the peer sends its file on: the witness answers with the hash of the one it keeps", told == [(200, f"{one.files()[0]}\n".encode())], told)
    judge("the witness that cosigned the one history is not convicted, nor the peer that cosigned the other", len(one.files()) == len(p.evidence) == 1)


def after_a_start(a, one, two, p):
    """What a witness does by itself, soon after it was started; the peer's file was not sent to the second."""
    made = [sha256(raw).hexdigest() for raw in p.evidence.values()]
    judge("a witness started again cosigns for the convicted log no more", a.submit(one.url, 12, 13) == 403)
    judge("the second witness finds the file in the peer's list and fetches it", asked(p, "GET", f"/gossip/evidence/{made[0]}", 200), p.asked)
    judge("verifies and keeps it", until(two.files) == made, two.files())
    judge("and cosigns for the log no more", a.submit(two.url, 8, 12) == 403)


class Liar:
    """A peer whose key is known and who says what it likes."""

    def __init__(self, name, answer):
        self.name, self.seed = name, sha256(name.encode()).digest()
        self.key = notes.key_of_seed(f"liar.example/{name}", 4, self.seed)
        self.site = Site(lambda path: answer(self, path))

    def line(self, text):
        return notes.sign_line(self.key, self.seed, text, 1700000000)


def liars(honest, other, w, trap):
    """Of the honest log; `other` is what it never signed."""
    forge = lambda key, text, stamp=None: notes.sign_line(key, bytes([66]) * 32, text, stamp)
    noise = sha256(b"noise").digest() * 100
    names = "".join(f"{i:064x}\n" for i in range(5000)).encode()

    def shows(note, root, proof):
        """A note, and for whoever asks a proof."""
        def answer(liar, path):
            if path.endswith("/checkpoint"):
                return 200, note(liar)
            return (200, b"" if path == "/gossip/evidence" else format_owed(root, proof))
        return answer

    def forged(liar, path):
        text = other.text(9)
        if path.endswith("/checkpoint"):
            return 200, (text + "\n" + forge(honest.key, text) + forge(notes.parse_vkey(w.vkey), text, 1900000000)).encode()
        return 200, names if path == "/gossip/evidence" else noise

    own = lambda liar: (other.text(9) + "\n" + liar.line(other.text(9))).encode()
    true = lambda liar: honest.note(9, liar.line(honest.text(9)))
    root, proof = tree.root(other.leaves[:5]), tree.consistency(5, honest.leaves[:9])
    return [
        Liar("noise", lambda liar, path: (200, noise)),
        Liar("endless", lambda liar, path: (200, bytes(20 << 20))),
        Liar("elsewhere", lambda liar, path: (302, b"", {"Location": trap.url + path})),
        Liar("forger", forged),
        Liar("alone", shows(own, tree.root(honest.leaves[:5]), proof)),
        Liar("wrong-root", shows(true, root, proof)),
        Liar("long-proof", shows(true, root, proof * 30)),
    ]


def lies(honest, other, found, trap, one, p):
    """(e): they convict nobody and stop nobody."""
    name, origin = honest.key.name, hex_of(honest.key.name)
    before = one.files(), list(p.evidence)
    judge("an honest log is cosigned by the witness and the peer", [honest.submit(u, 0, 5) for u in (one.url, p.url)] == [200] * 2)
    for liar in found:
        p.add_peer([notes.format_vkey(liar.key)], liar.site.url)
    p.round()
    judge("of lying peers the peer believes nothing", list(p.evidence) == before[1] and p.logs[origin].largest.point.size == 5, p.logs[origin].largest)
    judge("and cosigns on", honest.submit(p.url, 5, 7) == 200)
    for liar in found:
        said = until(lambda: any(path.endswith(f"/{origin}/checkpoint") for path in liar.site.asked))
        judge(f"the witness has read what the liar \"{liar.name}\" shows", said, liar.site.asked)
    for liar in found[-3:]:
        judge(f"and has asked \"{liar.name}\" for a proof", until(lambda: any("/consistency/" in path for path in liar.site.asked)), liar.site.asked)
    judge("no redirect was followed", not trap.asked, trap.asked)
    judge("the witness believes nothing of it", one.files() == before[0] and one.log(name)["largestKnown"] == 5, one.log(name))
    judge("and cosigns on", honest.submit(one.url, 5, 7) == 200 and one.get("/healthz")[0] == 200)


def strangers(honest, other, one, p, fine):
    """The same questions at the doors of both, and the same answers."""
    text, nobody = honest.text(7), bytes([77]) * 32
    stranger = notes.key_of_seed("stranger.example", 4, nobody)
    by = notes.sign_line(stranger, nobody, text, 1700000000)
    bad = notes.sign_line(honest.key, nobody, text)
    unknown = History("log.example/unknown", ["entry"])
    both = [h.note(9).decode() for h in (honest, other)]
    file = lambda head, *parts: "\n".join((f"stele-log/evidence@v1\n{head}", *parts)).encode()
    holds = "not-a-prefix\n" + format_owed(tree.root(honest.leaves[:6]), tree.consistency(6, honest.leaves[:9])).decode()
    seen, report, kept = "/seen/", "/gossip/checkpoint", "/gossip/evidence"
    table = [
        ("noise", report, b"\0noise", 400), ("nothing", report, b"", 400), ("a checkpoint nobody signed", report, text.encode(), 400),
        ("a note of an unknown log", report, unknown.note(1), 404), ("a note by a stranger", report, (text + "\n" + by).encode(), 403),
        ("a note with a forged line alone", report, (text + "\n" + bad).encode(), 403),
        ("a true note under lines of strangers and forged ones", report, honest.note(7, by, bad), 200),
        ("the empty tree, signed", report, honest.note(0), 200),
        ("too long a note", report, bytes(NOTE + 1), 413),
        ("noise for evidence", kept, b"\0noise", 400), ("a file with a blank line more", kept, fine + b"\n", 400),
        ("a file that accuses strangers", kept, file("empty-tree\n", unknown.note(0).decode()), 403),
        ("a file with a forged signature", kept, file("same-size\n", *sorted([both[0], f"{other.text(9)}\n" + notes.sign_line(other.key, nobody, other.text(9))], key=lambda n: n.split("\n")[2])), (400, 422)),
        ("a file whose proof shows that all is well", kept, file(holds, honest.note(6).decode(), both[0]), 422),
        ("evidence that is not there", f"{kept}/{'0' * 64}", None, 404), ("what nobody cosigned", f"{seen}{'0' * 64}/{hex_of(honest.key.name)}/checkpoint", None, 404),
        ("a log that nobody knows", f"/{'0' * 64}/checkpoint", None, 404), ("a proof of such a log", f"/{'0' * 64}/consistency/1/2", None, 404),
    ]
    for about, path, body, want in table:
        wanted = want if isinstance(want, tuple) else (want,)
        got = [answered("GET" if body is None else "POST", url + path, body)[0] for url in (one.url, p.url)]
        judge(f"{about}: {want} here and there", all(s in wanted for s in got), got)
    for about, url in ("the witness", one.url), ("the peer", p.url):
        judge(f"{about} takes no file above 2 MiB + 16 KiB", exchange("POST", url + kept, bytes(FILE + 1))[0] in (413, None))


def other_kinds(a, b, hollow, liar, one, p, policy):
    """One size with two roots, which a witness signed too; and an empty tree that is not empty."""
    before = set(one.files()) | set(p.evidence)
    judge("another log is cosigned by the witness and the peer", [a.submit(u, 0, 6) for u in (one.url, p.url)] == [200] * 2)
    # The peer first: it tells only when it is bidden to, and the witness at once.
    for about, url in ("the peer", p.url), ("the witness", one.url):
        judge(f"{about} agrees with it, signed by a third", shown(url, a.note(6, liar.line(a.text(6)))) == (200, ["consistent"]))
        status, body = shown(url, b.note(6, liar.line(b.text(6))))
        judge(f"{about} convicts the log and the third, of one size and two roots", status == 200 and body[0] == "contradiction" and body[1:], body)
        status, body = shown(url, hollow)
        judge(f"{about} convicts a log of an empty tree that is not empty", status == 200 and body[0] == "contradiction" and len(body) == 2, body)
    until(lambda: len(set(one.files()) - before) == 3)
    files = {name: one.get(f"/gossip/evidence/{name}")[1] for name in one.files() if name not in before}
    judge("both have made the same three files", files == {n: raw for n, raw in p.evidence.items() if n not in before} and len(files) == 3, (files, p.evidence))
    told = sorted((v["kind"], v["role"]) for v in (Evidence(raw).verdict(p.known()) for raw in files.values()))
    judge("of these kinds", told == [("empty-tree", "log"), ("same-size", "log"), ("same-size", "witness")], told)
    for raw in files.values():
        judge("`stele evidence verify` accepts one", (said := convicts(raw, policy)) is True, said)


def restored(a, old, two, p):
    """A witness whose folder was put back finds out from the peer's /seen/."""
    two.stop()
    judge("a witness with an older copy of its folder starts", two.start(old))
    judge("and finds in what the peer has seen that it is one: it signs nothing more", until(lambda: two.get("/healthz")[0] == 503), two.get("/healthz"))


def main(folder):
    began = time.monotonic()
    entries, others = [f"entry {i}" for i in range(20)], [f"entry {i}" for i in range(3)] + [f"other {i}" for i in range(20)]
    a, b = History("log.example/one", entries), History("log.example/one", entries[:8] + others)
    c, d = History("log.example/two", entries), History("log.example/two", others)
    e, f = History("log.example/three", entries), History("log.example/three", others)
    g = notes.key_of_seed("log.example/four", 1, bytes(32))
    text = f"{g.name}\n0\n{enbase64(bytes(32))}\n"
    hollow = (text + "\n" + notes.sign_line(g, bytes(32), text)).encode()
    logs = [notes.format_vkey(key) for key in (a.key, c.key, e.key, g)]
    with ThreadPoolExecutor() as pool:
        one, two = pool.map(lambda n: Witness(folder / f"w{n}", f"witness.example/{n}"), (1, 2))
    p = Peer("python.example/peer", bytes([9]) * 32)
    p.url = p.serve()
    for vkey in logs:
        p.add_log(vkey)
    for w in one, two:
        p.add_peer([w.vkey], w.url)
    trap = Site(lambda path: (200, b"trapped"))
    lying = liars(e, f, one, trap)
    policy = folder / "policy"
    policy.write_text("".join(f"log {vkey}\n" for vkey in logs) + f"witness liar {notes.format_vkey(lying[0].key)}\nquorum liar\n")
    mine = ["add-peer", notes.format_vkey(p.key), "--url", p.url]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda w: w[0].configure(*w[1:]), [
                (one, ["add-log", logs[0], "--url", a.site.url], *(["add-log", vkey] for vkey in logs[1:]), mine),
                (two, ["add-log", logs[0]], mine)]))
            assert all(pool.map(lambda w: w.start(), (one, two))), "the witnesses do not start"
            honest(a, one, two, p, folder / "old")
            fork(a, b, one, two, p, policy)
            one.configure(*(["add-peer", notes.format_vkey(liar.key), "--url", liar.site.url] for liar in lying))
            one.stop()
            two.stop()
            assert all(pool.map(lambda w: w.start(), (one, two))), "the witnesses do not start again"
        after_a_start(a, one, two, p)
        lies(e, f, lying, trap, one, p)
        strangers(e, f, one, p, next(iter(p.evidence.values())))
        other_kinds(c, d, hollow, lying[0], one, p, policy)
        restored(a, folder / "old", two, p)
    finally:
        one.stop()
        two.stop()
    print(f"{passed} passed, {failed} failed")
    print(time.monotonic() - began)
    return failed or not passed


if __name__ == "__main__":
    sys.exit(int(main(Path(sys.argv[1]).absolute())))
