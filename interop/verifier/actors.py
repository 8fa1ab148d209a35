"""Who takes part in gossip.py: our witness in a process, the histories that a log signs, and peers that lie."""

import socket
import subprocess
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import notes
import tree
from doors import FILE, exchange, format_owed
from plain import Refused, enbase64, parse_json

DIST, TIMEOUT = Path(__file__).parents[2] / "dist", 20


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
                                             "--listen", f"127.0.0.1:{self.port}"], stdout=subprocess.DEVNULL, stderr=log)
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
