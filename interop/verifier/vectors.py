"""Runs spec/vectors/; what a case is stands in spec/vectors/README.md."""

import json
from hashlib import sha256
from pathlib import Path

import doors
import ed25519
import mldsa44
import notes
import peer
import statements
import tree
from evidence import Evidence
from ledger import Ledger
from plain import Refused, canonical, check, decimal, parse_json, unbase64, unhex, utf8
from policy import Policy, time_bounds

FOLDER = Path(__file__).parents[2] / "spec/vectors"
LEAVES = [tree.leaf_hash(b"entry %d" % i) for i in range(70000)]


def raw(case, name):
    return unhex(case[name + "Hex"]) if name + "Hex" in case else case[name].encode()


def hex_list(values):
    return [bytes.fromhex(v) for v in values]


def hashes(c):
    got = {"leaf": lambda: tree.leaf_hash(unhex(c["entry"])), "node": lambda: tree.node_hash(unhex(c["left"]), unhex(c["right"])),
           "root": lambda: tree.root(LEAVES[:c["size"]])}[c["of"]]()
    check(got.hex() == c["hash"], "mismatch")


def inclusion(c):
    tree.verify_inclusion(c["index"], c["treeSize"], unhex(c["leafHash"]), hex_list(c["proof"]), unhex(c["rootHash"]))


def consistency(c):
    tree.verify_consistency(c["oldSize"], unhex(c["oldRoot"]), c["newSize"], unhex(c["newRoot"]), hex_list(c["proof"]))


def subtree_consistency(c):
    tree.verify_subtree(c["start"], c["end"], c["treeSize"], unhex(c["subtreeHash"]), unhex(c["rootHash"]), hex_list(c["proof"]))


def tile_paths(c):
    level, index, width = tree.parse_tile_path(c["path"])
    assert tree.tile_path(level, index, width) == c["path"]
    return {"level": level, "index": index, "width": width}


def tiles(c):
    found = tree.tile(LEAVES[:c["size"]], *tree.parse_tile_path(c["path"]))
    check(found is not None, "absent")
    check(sha256(found).hexdigest() == c["sha256"], "mismatch")


def bundles(c):
    return {"entries": [entry.hex() for entry in tree.parse_bundle(unhex(c["bundle"]), c["width"])]}


def encodings(c):
    given = unhex(c["input"])
    text = given.decode("latin-1")
    return {"value": {"decimal": lambda: str(decimal(text)), "base64": lambda: unbase64(text).hex(), "hex": lambda: unhex(text).hex(),
                      "utf-8": lambda: list(map(ord, utf8(given)))}[c["encoding"]]()}


def ed25519_(c):
    check(ed25519.verify(*(unhex(c[f]) for f in ("publicKey", "message", "signature"))), "rejected")


def vkeys(c):
    key = notes.parse_vkey(c["vkey"])
    return {"name": key.name, "keyId": key.id, "type": key.type, "publicKey": key.raw.hex()}


def signing_keys(c):
    key = notes.vkey_of_signing_key(c["signingKey"])
    assert key == notes.parse_vkey(c["vkey"])


def notes_(c):
    text, verified, unknown = notes.open_note(raw(c, "note"), [notes.parse_vkey(v) for v in c["vkeys"]])
    return {"text": text, "verified": [key.name for key in verified], "unknown": unknown}


def checkpoints(c):
    found = notes.parse_checkpoint(utf8(raw(c, "text"), "bad_checkpoint"))
    return {"origin": found.origin, "size": found.size, "rootHash": found.root.hex(), "extensions": found.extensions}


def cosignatures(c):
    key, line = notes.parse_vkey(c["vkey"]), raw(c, "line").decode()
    check(line.endswith("\n") and "\n" not in line[:-1], "bad_note")
    line = notes.parse_line(line[:-1])
    check((line.name, line.id) == (key.name, key.id), "unknown_key")
    timestamp = notes.verify_line(key, c["text"], line)
    return {"timestamp": timestamp, "message": notes.signed_message(key, c["text"], line.signature)[0].hex()}


def subtrees(c):
    key, signature = notes.parse_vkey(c["vkey"]), unhex(c["signature"])
    message = notes.subtree_message(key.name, int.from_bytes(signature[:8], "big"), c["origin"], c["start"], c["end"], unhex(c["hash"]))
    check(mldsa44.verify(key.raw, message, signature[8:]), "bad_signature")


def policies(c):
    policy = Policy(raw(c, "policy"))
    return {"operators": policy.operators, "faults": policy.faults,
            "quorums": [{**q, "met": policy.met(q["by"])} for q in c.get("quorums", [])] or None,
            "gate": [{**g, "operatorsNeeded": policy.gate(g["silent"], g["inStep"])} for g in c.get("gate", [])] or None}


def tlog_proofs(c):
    proof = notes.parse_tlog_proof(raw(c, "proof"))
    notes.verify_tlog_proof(proof, unhex(c["leafHash"]), Policy(raw(c, "policy")))
    return {"index": proof.index}


def evidence(c):
    found = Evidence(raw(c, "evidence")).verdict(Policy(raw(c, "policy")))
    vkeys = {notes.parse_vkey(word): word for word in c["policy"].split() if "+" in word}
    return {**found, "convicted": list(dict.fromkeys(vkeys[key] for key in found["convicted"]))}


def owed(c):
    root, proof = doors.parse_owed(c["body"].encode())
    tree.verify_consistency(c["oldSize"], root, c["newSize"], unhex(c["newRoot"]), proof)
    return {"oldRoot": root.hex()}


def reports(c):
    """Of this file the word counts, and the evidence."""
    here = peer.Peer("own.example", bytes(32))
    here.key = notes.parse_vkey(c["own"])
    for vkey in c["logs"]:
        log = here.add_log(vkey)
    for vkey in c["peers"]:
        here.add_peer([vkey], None)
    log.cosigned = log.largest = here.read(c["cosigned"].encode())[1]
    log.leaves = hex_list(c["kept"])
    here.ask = lambda _, size, large: [doors.parse_owed(o["body"].encode()) for o in c["owed"] if (o["old"], o["new"]) == (size, large.point.size)]
    for note in c["met"]:
        here.report(note.encode(), here.others[0], ask=True)
    try:
        said = here.report(raw(c, "note"), here.others[0], ask=True)[0].replace("consistent", "ok")
    except Refused as refused:
        said = str(refused).split(":")[0]
    files = sorted(file.decode() for file in here.evidence.values())
    if said == c["want"] and files == sorted(c["evidence"]):
        check(said == "ok", said)
        return {}
    return {"want": said, "evidence": files}


def canonical_json(c):
    return {"canonical": canonical(parse_json(unhex(c["input"]))).hex()}


def envelopes(c):
    envelope = statements.parse_envelope(raw(c, "envelope"))
    if "publicKey" in c:
        check(envelope.signed_by(unhex(c["publicKey"])), "bad_signature")
    return {"leafHash": tree.leaf_hash(envelope.leaf).hex(), "id": statements.digest(envelope.payload)}


def disclosures(c):
    return dict(zip(("field", "value"), statements.open_disclosure(c["disclosure"], c["committed"])))


def statements_(c):
    statements.check_by_schema(statements.parse_statement(raw(c, "statement")))


def time_bounds_(c):
    lower, upper = time_bounds(c["faults"], c["timestamps"])
    check(lower is not None, "no-time")
    return {"lower": lower, "upper": upper}


def ledger_of_vectors():
    ledger = Ledger("log.example/vectors")

    def ledger_(c):
        findings = ledger.append(raw(c, "leaf"))
        return {"findings": findings, "line": ledger.line}
    return ledger_


CHECKS = {"bundles": bundles, "canonical-json": canonical_json, "checkpoints": checkpoints, "consistency": consistency,
          "cosignatures": cosignatures, "disclosures": disclosures, "ed25519": ed25519_, "encodings": encodings, "envelopes": envelopes, "evidence": evidence,
          "hashes": hashes, "inclusion": inclusion, "ledger": ledger_of_vectors(), "notes": notes_, "owed": owed, "policies": policies, "reports": reports,
          "signing-keys": signing_keys, "statements": statements_, "subtree-consistency": subtree_consistency, "subtrees": subtrees,
          "tile-paths": tile_paths, "tiles": tiles, "time-bounds": time_bounds_, "tlog-proofs": tlog_proofs, "vkeys": vkeys}


def run(only=()):
    """One line a file; gives (files good, files bad). Another code than the vector's is said, and no failure: README, "want"."""
    good = bad = 0
    for path in sorted(FOLDER.glob("*.json")):
        if only and path.stem not in only:
            continue
        if path.stem not in CHECKS:
            print(f"FAIL  vectors/{path.name}: not known here")
            bad += 1
            continue
        passed, failed, codes = 0, [], []
        for case in json.loads(path.read_text()):
            try:
                got, out = "ok", CHECKS[path.stem](case) or {}
            except Refused as refused:
                got, out = str(refused), {}
            wrong = [name for name, value in out.items() if value != case.get(name)]
            if (got == "ok") != (case["want"] == "ok") or wrong:
                failed.append(f"{case.get('desc', '')}: {case['want']} wanted, {got} found {wrong or ''}")
                continue
            passed += 1
            if got != case["want"]:
                codes.append(f"{case.get('desc', '')}: {case['want']} there, {got} here")
        print(f"{'FAIL' if failed else 'ok'}  vectors/{path.name}: {passed} passed, {len(failed)} failed"
              + (f", {len(codes)} under another code" if codes else ""))
        for line in failed + codes:
            print(f"      {line}")
        good, bad = good + (not failed), bad + bool(failed)
    return good, bad
