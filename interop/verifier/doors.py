"""The doors of a peer that speaks spec/gossip.md, and its questions, over HTTP on loopback."""

import http.client
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import tree
from plain import Refused, check, decimal, enbase64, unbase64, utf8

NOTE, FILE, SECONDS = 131072, (2 << 20) + (16 << 10), 10


def hex_of(text):
    return sha256(text.encode()).hexdigest()


def exchange(method, url, body=None, limit=NOTE, seconds=SECONDS):
    """(status, body), or (None, b"") for no answer, a longer or a slower one. A redirect is an answer like others."""
    parts, until = urlsplit(url), time.monotonic() + seconds
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request(method, parts.path, body)
        answer, got = connection.getresponse(), b""
        while piece := answer.read1(65536):
            got += piece
            if len(got) > limit or time.monotonic() > until:
                return None, b""
        return answer.status, got
    except (OSError, http.client.HTTPException):
        return None, b""
    finally:
        connection.close()


def parse_owed(raw):
    """gossip.md, "GET /<origin hash>/consistency/<old>/<new>": (root, proof), neither believed yet."""
    lines = utf8(raw, "bad_owed").split("\n")
    check(lines.pop() == "" and 1 <= len(lines) <= 65 and lines[0].startswith("root "), "bad_owed")
    hashes = [unbase64(line, "bad_owed") for line in (lines[0][5:], *lines[1:])]
    check(all(len(h) == 32 for h in hashes), "bad_owed")
    return hashes[0], hashes[1:]


def format_owed(root, proof):
    return ("root " + "".join(enbase64(h) + "\n" for h in (root, *proof))).encode()


def answer(peer, method, path, body):
    """(status, body) of a request."""
    parts = path.split("/")[1:]
    with peer.lock:
        if method == "POST" and path == "/add-checkpoint":
            return peer.add_checkpoint(body)
        if method == "POST" and path == "/gossip/checkpoint":
            try:
                said, files = peer.report(body)
            except Refused as refused:
                return {"untrusted": 403, "unknown-origin": 404}.get(str(refused), 400), f"{refused}\n"
            return (202, "open: not looked into yet\n") if said == "open" else (200, "".join(line + "\n" for line in (said, *files)))
        if method == "POST" and path == "/gossip/evidence":
            try:
                return 200, peer.keep(body)[0] + "\n"
            except Refused as refused:
                return {"bad_evidence": 400, "unknown_key": 403}.get(str(refused), 422), f"{refused}\n"
        if method == "GET" and path == "/gossip/evidence":
            return 200, "".join(name + "\n" for name in peer.evidence)
        if method == "GET" and parts[:2] == ["gossip", "evidence"] and len(parts) == 3 and parts[2] in peer.evidence:
            return 200, peer.evidence[parts[2]]
        log = peer.logs.get(parts[-2] if parts[-1] == "checkpoint" and len(parts) > 1 else parts[0])
        if method == "GET" and log and len(parts) == 2 and parts[1] == "checkpoint" and log.cosigned:
            return 200, peer.note_of(log.cosigned)
        if method == "GET" and log and parts[0] == "seen" and len(parts) == 4:
            seen = [t for (_, origin), t in peer.seen.items() if origin == log.origin] + log.reports
            found = [t for t in seen if any(key.type != 1 and hex_of(key.name) == parts[1] for key in t.lines)]
            return (200, peer.note_of(max(found, key=lambda t: t.point.size))) if found else (404, "")
        if method == "GET" and log and len(parts) == 4 and parts[1] == "consistency":
            try:
                old, new = decimal(parts[2]), decimal(parts[3])
                check(0 < old <= new, "bad_size")
            except Refused as refused:
                return 400, f"{refused}\n"
            if len(log.leaves) >= new:
                return 200, format_owed(tree.root(log.leaves[:old]), tree.consistency(old, log.leaves[:new]))
        return 404, "not here\n"


def serve(peer):
    """Starts answering on a port of loopback; gives the URL."""
    class Doors(BaseHTTPRequestHandler):
        protocol_version, timeout = "HTTP/1.1", SECONDS

        def do(handler):
            length = handler.headers.get("Content-Length", "0")
            limit = FILE if handler.path == "/gossip/evidence" else NOTE
            handler.close_connection = not length.isdecimal() or int(length) > limit or "Transfer-Encoding" in handler.headers
            if handler.close_connection:
                status, body = 413, "too long\n"
            else:
                status, body = answer(peer, handler.command, handler.path, handler.rfile.read(int(length)))
            body = body.encode() if isinstance(body, str) else body
            peer.asked.append((handler.command, handler.path, status))
            handler.send_response(status)
            handler.send_header("Content-Type", "text/x.tlog.size" if status == 409 else "text/plain; charset=utf-8")
            handler.send_header("Content-Length", str(len(body)))
            handler.send_header("Access-Control-Allow-Origin", "*")
            handler.end_headers()
            handler.wfile.write(body)

        do_GET = do_POST = do

        def log_message(handler, *_):
            pass

    peer.server = ThreadingHTTPServer(("127.0.0.1", 0), Doors)
    threading.Thread(target=peer.server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{peer.server.server_port}"
