"""gossip.py FOLDER: two of our witnesses and the peer of peer.py compare notes about logs that lie and logs that do not.

One line a check. Every wait is for something to be seen, and ends. A witness reads its peers soon after it was started, and next
a minute later: so what it reads by itself is shown after a start, and the rest by what is told."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import notes
import tree
from actors import History, Site, Witness, answered, liars, node, shown, until
from doors import FILE, NOTE, answer, exchange, format_owed, hex_of, serve
from evidence import Evidence
from peer import Peer
from plain import enbase64, unbase64

passed = failed = 0


def judge(about, good, found=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"ok  gossip: {about}" if good else f"FAIL  gossip: {about}: {found}", flush=True)


def convict(files, policy):
    """Whether `stele evidence verify` accepts all of these, or what it says."""
    paths = [policy.with_suffix(f".{i}.evidence") for i in range(len(files))]
    for path, raw in zip(paths, files):
        path.write_bytes(raw)
    done = node("cli/main.js", "evidence", "verify", *paths, "--policy", policy)
    return done.returncode == 0 or done.stdout + done.stderr


def copied(folder, to):
    try:
        shutil.rmtree(to, ignore_errors=True)
        return shutil.copytree(folder, to)
    except shutil.Error:
        return None  # a file was renamed meanwhile


def asked(peer, method, part, status):
    return until(lambda: [path for m, path, s in peer.asked if m == method and part in path and s == status])


def honest(log, one, two, p, old):
    """While the log has one history: both sides agree, news goes both ways, and so do the proofs that are owed."""
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
    judge("which it shows at /seen/", one.get(f"/seen/{hex_of(p.key.name)}/{origin}/checkpoint") == (200, answer(p, "GET", f"/{origin}/checkpoint", b"")[1]))

    judge("the second witness's folder is copied while it rests", until(lambda: copied(two.folder, old)))
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
    judge("until the log asks it to", log.submit(two.url, 5, 8) == 200)
    judge("which the peer hears of", until(lambda: any(key.name == "witness.example/2" and t.point.size == 8 for (key, _), t in p.seen.items())), p.seen)
    sizes = [(1, 8), (3, 7), (4, 8), (5, 5), (6, 7), (8, 8)]
    for about, base in ("the witness", one.url), ("the peer", p.url):
        owed = {s: exchange("GET", f"{base}/{origin}/consistency/{s[0]}/{s[1]}") for s in sizes}
        judge(f"{about} owes proofs of any two sizes", all(owed[o, n] == (200, format_owed(tree.root(log.leaves[:o]), tree.consistency(o, log.leaves[:n]))) for o, n in sizes), owed)
        bad = [exchange("GET", f"{base}/{origin}/consistency/{s}")[0] for s in ("0/8", "6/5", "05/8", "5/x", "5/9")]
        judge(f"{about} owes none of sizes that are none, or not there", bad == [400, 400, 400, 400, 404], bad)


def fork(a, b, one, two, p, policy):
    """One key, two histories: each side convicts it, and accepts the other's file."""
    name, origin = a.key.name, hex_of(a.key.name)
    p.asked.clear()
    p.logs[origin].url = b.site.url
    judge("the log shows one history to the first witness", a.submit(one.url, 8, 12) == 200)
    judge("and another to the peer, each at its own address", b.submit(p.url, 8, 10) == 200)
    judge("the peer hears of the first", asked(p, "POST", "/gossip/checkpoint", 202), p.asked)
    p.round()
    judge("the peer convicts the log, by the proof that the witness owes", len(p.evidence) == 1 and p.logs[origin].convicted == {a.key}, p.logs[origin].reports)
    made = next(iter(p.evidence.values()), b"")
    status, body = shown(one.url, p.note_of(p.logs[origin].cosigned))
    judge("the first witness, shown what the peer cosigned, convicts the log", (status, body[0]) == (200, "contradiction"), (status, body))
    judge("and names its file in the list", until(one.files) and len(one.files()) == 1, one.files())
    theirs = one.get(f"/gossip/evidence/{one.files()[0]}")[1]
    judge("the file has the name of its digest", sha256(theirs).hexdigest() == one.files()[0])
    verdict = Evidence(theirs).verdict(p.known())
    judge("the peer accepts the witness's file", (verdict["kind"], verdict["role"], verdict["convicted"]) == ("not-a-prefix", "log", [a.key] * 2), verdict)
    judge("`stele evidence verify` accepts both files", (said := convict([made, theirs], policy)) is True, said)
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


def lies(honest, other, found, trap, one, p):
    """What lying peers show convicts nobody and stops nobody."""
    name, origin = honest.key.name, hex_of(honest.key.name)
    before = one.files(), list(p.evidence)
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
        ("a file with a forged signature", kept, file("same-size\n", *sorted([both[0], f"{other.text(9)}\n" + notes.sign_line(other.key, nobody, other.text(9))], key=lambda n: unbase64(n.split("\n")[2]))), 422),
        ("a file whose proof shows that all is well", kept, file(holds, honest.note(6).decode(), both[0]), 422),
        ("evidence that is not there", f"{kept}/{'0' * 64}", None, 404), ("what nobody cosigned", f"{seen}{'0' * 64}/{hex_of(honest.key.name)}/checkpoint", None, 404),
        ("a log that nobody knows", f"/{'0' * 64}/checkpoint", None, 404), ("a proof of such a log", f"/{'0' * 64}/consistency/1/2", None, 404),
    ]
    for about, path, body, want in table:
        got = [answered("GET" if body is None else "POST", url + path, body)[0] for url in (one.url, p.url)]
        judge(f"{about}: {want} here and there", got == [want] * 2, got)
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
    judge("`stele evidence verify` accepts them", (said := convict(list(files.values()), policy)) is True, said)


def restored(a, old, two, p):
    """A witness whose folder was put back finds out from the peer's /seen/."""
    two.stop()
    judge("a witness with an older copy of its folder starts", two.start(old))
    judge("and finds in what the peer has seen that it is one: it signs nothing more", until(lambda: two.get("/healthz")[0] == 503), two.get("/healthz"))


def main(folder):
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
    p.url = serve(p)
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
            judge("an honest log is cosigned by the witness and the peer", [e.submit(u, 0, 5) for u in (one.url, p.url)] == [200] * 2)
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
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(int(main(Path(sys.argv[1]).absolute())))
