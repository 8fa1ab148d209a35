"""Keys, signed notes, checkpoints, cosignatures, tlog-proofs: the C2SP documents as spec/formats.md reads them."""

import re
from dataclasses import dataclass
from hashlib import sha256

import ed25519
import mldsa44
import tree
from plain import SAFE, Refused, check, decimal, enbase64, unbase64, utf8

# formats.md, "One spelling": Go's unicode.IsSpace, and control characters. "+" by signed-note.
BAD_IN_NAME = re.compile("[\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]")
SEEDS = {1: ed25519, 4: ed25519, 6: mldsa44}


@dataclass(frozen=True)
class Key:
    name: str
    id: str
    type: int
    raw: bytes


def key_id(name, kind, raw):
    return sha256(name.encode() + b"\n" + bytes([kind]) + raw).hexdigest()[:8]


def parse_vkey(text, code="bad_vkey"):
    """signed-note, "Verifier keys"; formats.md, "Keys"."""
    name, id_, material = (text.split("+", 2) + ["", ""])[:3]
    raw = unbase64(material, code)
    check(name and not BAD_IN_NAME.search(name) and raw, code)
    kind, raw = raw[0], raw[1:]
    check(kind in SEEDS and id_ == key_id(name, kind, raw), code)
    check(len(raw) == mldsa44.PUBLIC_KEY if kind == 6 else ed25519.public_key(raw), code)
    return Key(name, id_, kind, raw)


def key_of_seed(name, kind, seed):
    raw = SEEDS[kind].public_key_of_seed(seed)
    return Key(name, key_id(name, kind, raw), kind, raw)


def format_vkey(key):
    return f"{key.name}+{key.id}+{enbase64(bytes([key.type]) + key.raw)}"


def vkey_of_signing_key(text):
    """formats.md, "Keys": the line of a private key, with 32 bytes of seed."""
    code = "bad_signing_key"
    check(text.startswith("PRIVATE+KEY+"), code)
    name, id_, material = (text[12:].split("+", 2) + ["", ""])[:3]
    raw = unbase64(material, code)
    check(name and not BAD_IN_NAME.search(name) and len(raw) == 33 and raw[0] in SEEDS, code)
    key = key_of_seed(name, raw[0], raw[1:])
    check(id_ == key.id, code)
    return key


@dataclass
class Line:
    name: str
    id: str
    signature: bytes


def parse_line(line):
    """signed-note, "Format": one line without its newline."""
    parts = line.split(" ")
    check(len(parts) == 3 and parts[0] == "\u2014" and parts[1] and not BAD_IN_NAME.search(parts[1]), "bad_note")
    raw = unbase64(parts[2], "bad_note")
    check(len(raw) > 4, "bad_note")
    return Line(parts[1], raw[:4].hex(), raw[4:])


def parse_note(raw):
    """signed-note, "Format"; formats.md, "Limits"."""
    note = utf8(raw, "bad_note")
    check(len(raw) <= 1 << 20 and not re.search("[\x00-\x09\x0b-\x1f]", note), "bad_note")
    cut = note.rfind("\n\n")
    check(cut >= 0 and note.endswith("\n"), "bad_note")
    text, lines = note[:cut + 1], note[cut + 2:-1].split("\n")
    check(len(lines) <= 128, "bad_note")
    return text, [parse_line(line) for line in lines]


@dataclass
class Checkpoint:
    origin: str
    size: int
    root: bytes
    extensions: list


def parse_checkpoint(text):
    """tlog-checkpoint, "Note text"."""
    lines = text.split("\n")
    check(len(lines) >= 4 and lines[-1] == "" and all(lines[:-1]), "bad_checkpoint")
    check(not re.search("[\x00-\x09\x0b-\x1f]", text), "bad_checkpoint")
    root = unbase64(lines[2], "bad_checkpoint")
    check(len(root) == 32, "bad_checkpoint")
    return Checkpoint(lines[0], decimal(lines[1], "bad_checkpoint"), root, lines[3:-1])


def subtree_message(name, timestamp, origin, start, end, root):
    """tlog-cosignature, "ML-DSA-44 signed message"."""
    name, origin = name.encode(), origin.encode()
    check(0 < len(name) < 256 and 0 < len(origin) < 256 and start < end | (start == 0) and not (start and timestamp), "bad_signature")
    number = lambda n: n.to_bytes(8, "big")
    return (b"subtree/v1\n\0" + bytes([len(name)]) + name + number(timestamp) + bytes([len(origin)]) + origin
            + number(start) + number(end) + root)


def signed_message(key, text, signature):
    """What a line by this key signs, and its timestamp (None for type 1)."""
    if key.type == 1:
        return text.encode(), None
    timestamp = int.from_bytes(signature[:8], "big")
    try:
        checkpoint = parse_checkpoint(text)  # formats.md: a cosignature is one over a checkpoint
    except Refused:
        raise Refused("bad_signature")
    check(len(signature) > 8 and timestamp <= SAFE, "bad_signature")
    if key.type == 4:
        return f"cosignature/v1\ntime {timestamp}\n{text}".encode(), timestamp
    return subtree_message(key.name, timestamp, checkpoint.origin, 0, checkpoint.size, checkpoint.root), timestamp


def verify_line(key, text, line):
    """Its timestamp, or None for type 1; refuses what does not verify."""
    message, timestamp = signed_message(key, text, line.signature)
    signature = line.signature if key.type == 1 else line.signature[8:]
    check(SEEDS[key.type].verify(key.raw, message, signature), "bad_signature")
    return timestamp


def format_line(key, signature):
    return f"\u2014 {key.name} {enbase64(bytes.fromhex(key.id) + signature)}\n"


def sign_line(key, seed, text, timestamp=None):
    """A line by an Ed25519 key: type 1, or type 4 with a time."""
    stamp = b"" if timestamp is None else timestamp.to_bytes(8, "big")
    message, _ = signed_message(key, text, stamp + bytes(64))
    return format_line(key, stamp + ed25519.sign(seed, message))


def open_note(raw, keys):
    """formats.md, "Notes and checkpoints": (text, {key: latest timestamp} in the note's order, how many unknown lines)."""
    known = {(key.name, key.id): key for key in keys}
    check(len(known) == len(keys), "duplicate_key")
    text, lines = parse_note(raw)
    verified, unknown = {}, 0
    for line in lines:
        key = known.get((line.name, line.id))
        if key is None:
            unknown += 1
            continue
        timestamp = verify_line(key, text, line)
        verified[key] = max(timestamp, verified.get(key) or 0) if timestamp is not None else None
    check(verified, "no_known_signature")
    return text, verified, unknown


@dataclass
class Proof:
    index: int
    hashes: list
    note: bytes
    checkpoint: Checkpoint


def parse_tlog_proof(raw):
    """tlog-proof, "Format"; formats.md, "tlog-proof" and "Limits"."""
    code = "bad_tlog_proof"
    check(len(raw) <= 2 << 20, code)
    head, blank, note = utf8(raw, code).partition("\n\n")
    lines = head.split("\n")
    check(blank and lines.pop(0) == "c2sp.org/tlog-proof@v1" and lines, code)
    if lines[0].startswith("extra "):
        check(unbase64(lines.pop(0)[6:], code), code)
    check(lines and lines[0].startswith("index ") and len(lines) <= 64, code)
    hashes = [unbase64(line, code) for line in lines[1:]]
    check(all(len(h) == 32 for h in hashes), code)
    try:
        index = decimal(lines[0][6:], code)
        checkpoint = parse_checkpoint(parse_note(note.encode())[0])
    except Refused:
        raise Refused(code)
    return Proof(index, hashes, note.encode(), checkpoint)


def open_checkpoint(note, policy):
    """formats.md, "Notes and checkpoints": signed by a log of the policy under its own origin.
    Gives the checkpoint, the log's key and {witness name: timestamp}."""
    text, verified, _ = open_note(note, [*policy.logs, *policy.witnesses.values()])
    checkpoint = parse_checkpoint(text)
    log = next((key for key in verified if key in policy.logs and key.name == checkpoint.origin), None)
    check(log, "unknown_log")
    by = {name: verified[key] for name, key in policy.witnesses.items() if key in verified}
    return checkpoint, log, by


def verify_tlog_proof(proof, leaf, policy):
    """tlog-proof, "Verifying a tlog proof"."""
    opened = open_checkpoint(proof.note, policy)
    check(policy.met(opened[2]), "quorum_not_met")
    tree.verify_inclusion(proof.index, opened[0].size, leaf, proof.hashes, opened[0].root)
    return opened
