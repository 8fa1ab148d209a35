"""Checks a bundle, NAME.stele.json, offline: spec/bundle.md, "Checking a bundle". The lines are named as `stele verify` names them."""

from datetime import datetime, timezone
from pathlib import Path

import notes
import tree
from ledger import SIGNERS, officers
from plain import Refused, canonical, check, parse_json, unhex
from policy import Policy, time_bounds
from statements import check_by_schema, digest, envelope_of, key_statement, parse_statement, short_type


class Entry:
    """An envelope with its proof: points 1 and 2."""

    def __init__(self, envelope):
        self.envelope = envelope_of(envelope)
        self.leaf_hash = tree.leaf_hash(self.envelope.leaf)

    def read(self):
        self.statement = parse_statement(self.envelope.payload)
        self.kind, self.p = short_type(self.statement), self.statement["predicate"]
        if self.kind:
            check_by_schema(self.statement)
        return self

    def place(self, proof, policy):
        self.index = proof.index
        self.checkpoint, self.log, self.by = notes.verify_tlog_proof(proof, self.leaf_hash, policy)
        return self


class Keys:
    """Point 3. self.keys: key ID to a dictionary of raw, participant, uses, since (index), until (index or None), rests (index of
    a registrar's change that may have come to nothing, or None)."""

    def __init__(self, origin):
        self.origin, self.keys, self.terms, self.votes = origin, {}, None, {}

    def introduce(self, raw, participant, uses, since, rests=None):
        self.keys[digest(raw)] = {"raw": raw, "participant": participant, "uses": uses, "since": since, "until": None, "rests": rests}

    def add(self, entry):
        """One entry, in the order of their indexes. Without the charter nothing is introduced and nothing can be checked."""
        if entry.kind == "charter":
            self.charter(entry)
        elif self.terms:
            key = self.signer(entry)
            if entry.kind in ("charter-amendment", "participant", "participant-key"):
                getattr(self, entry.kind.replace("-", "_"))(entry, key)

    def signer(self, entry):
        """The key that signed this entry, in force there and for what it may sign."""
        uses = SIGNERS.get(entry.kind, set())
        key = self.keys.get(entry.p["signer"])
        check(key and key["since"] < entry.index and (key["until"] is None or entry.index <= key["until"]), "unknown_key")
        check(key["participant"] == entry.p["participant"] and uses & set(key["uses"]), "not_entitled")
        check(entry.envelope.keyid == entry.p["signer"] and entry.envelope.signed_by(key["raw"]), "bad_signature")
        return key

    def put_terms(self, terms, index):
        new = {}
        for use, participant, _, key in officers(terms):
            new.setdefault(unhex(key), (participant, []))[1].append(use)
        for _, _, _, key in officers(self.terms) if self.terms else []:
            if unhex(key) not in new:
                self.keys[digest(unhex(key))]["until"] = index
        for raw, (participant, uses) in new.items():
            known = self.keys.get(digest(raw))
            self.introduce(raw, participant, uses, known["since"] if known else index)
        self.terms = terms

    def charter(self, entry):
        operator = entry.p["terms"]["operator"]
        check(entry.index == 0 and entry.p["terms"]["origin"] == self.origin, "wrong_origin")
        check(entry.p["signer"] == digest(unhex(operator["key"])) and entry.p["participant"] == operator["participant"], "charter_signer")
        check(entry.envelope.keyid == entry.p["signer"] and entry.envelope.signed_by(unhex(operator["key"])), "bad_signature")
        self.put_terms(entry.p["terms"], entry.index)

    def charter_amendment(self, entry, _):
        check(entry.p["terms"]["origin"] == self.origin, "wrong_origin")
        if entry.p["amends"] == digest(canonical(self.terms)):
            votes = self.votes.setdefault((entry.p["amends"], canonical(entry.p["terms"])), set())
            votes.add(entry.p["participant"])
            if len(votes) >= self.terms["registrars"]["threshold"]:
                self.put_terms(entry.p["terms"], entry.index)

    def participant(self, entry, _):
        check(entry.p["origin"] == self.origin, "wrong_origin")
        for k in map(key_statement, entry.p["keys"]):
            self.consent(k, entry.p["about"], entry.index)

    def consent(self, k, about, index, rests=None):
        check(k["participant"] == about and k["origin"] == self.origin, "bad_key_statement")
        before = self.keys.get(k["signer"])
        check(not before or before["rests"] is not None, "key_known")
        self.introduce(unhex(k["key"]), about, [k["use"]], index, rests)

    def participant_key(self, entry, key):
        about, action, own = entry.p["about"], entry.p["action"], entry.p["participant"] == entry.p["about"]
        check(entry.p["origin"] == self.origin, "wrong_origin")
        check(own or "registrar" in key["uses"] and action != "object", "not_entitled")
        if action == "object":
            return
        old = self.keys.get(entry.p.get("oldKey"))
        check(old and old["participant"] == about and old["until"] is None, "bad_key_change")
        check(not own or "recovery" in key["uses"] or key is old, "not_entitled")
        check(("newKey" in entry.p) == (action == "rotate"), "bad_key_change")
        rests = key["rests"] if own else entry.index
        if rests is None:
            old["until"] = entry.index
        if action == "rotate":
            k = key_statement(entry.p["newKey"])
            check(k["use"] == old["uses"][0], "bad_key_statement")
            self.consent(k, about, entry.index, rests)


def utc(time):
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def bounds(policy, by):
    """Point 5: attestations.md, "Time", by the reader's policy."""
    return time_bounds(policy.faults, [(policy.operator[name], time) for name, time in by.items()])


def parse_bundle(raw):
    """ "The bundle"."""
    bundle = parse_json(raw)
    entry = lambda value, *more: isinstance(value, dict) and set(value) == {"envelope", "proof", *more} and isinstance(value["proof"], str)
    check(entry(bundle, "schema", "related") and bundle["schema"] == "https://stele-log/bundle/v1"
          and isinstance(bundle["related"], list) and all(map(entry, bundle["related"])), "bad_bundle_file")
    return bundle


def verify(raw, policy):
    """A list of (line, status, detail). What cannot be read at all is refused."""
    bundle, done = parse_bundle(raw), []
    entry, proof = Entry(bundle["envelope"]), notes.parse_tlog_proof(bundle["proof"].encode())
    entry.index = proof.index
    done.append(("envelope", "pass", f"the leaf has {len(entry.envelope.leaf)} bytes"))

    def step(name, action):
        try:
            done.append((name, *(action() or ("pass", ""))))
        except Refused as refused:
            done.append((name, "fail", str(refused)))
        return done[-1][1] != "fail"

    def statement():
        entry.read()  # versioning.md, "Statement types": a type that is not known is neither fine nor wrong
        return "pass" if entry.kind else "not-checkable", entry.statement["predicateType"]

    def log_signature():
        entry.checkpoint, entry.log, entry.by = notes.open_checkpoint(proof.note, policy)
        return "pass", f"{entry.checkpoint.origin}, key {entry.log.id}"

    def quorum():
        return ("not-checkable", "the policy asks for none") if policy.quorum == "none" else check(policy.met(entry.by), "quorum_not_met")

    good = step("statement", statement)
    if step("log signature", log_signature):
        placed = step("inclusion", lambda: tree.verify_inclusion(
            proof.index, entry.checkpoint.size, entry.leaf_hash, proof.hashes, entry.checkpoint.root))
        good = step("quorum", quorum) and placed and good
    else:
        done.extend([("inclusion", "not-checkable", ""), ("quorum", "not-checkable", "")])
        good = False
    keys, related, broken = Keys(proof.checkpoint.origin), {}, []
    for r in bundle["related"] if good else []:
        try:
            e = Entry(r["envelope"])
            e.read().place(notes.parse_tlog_proof(r["proof"].encode()), policy)
            check(e.checkpoint.origin == keys.origin, "wrong_origin")
            check(e.index not in related or related[e.index].envelope.payload == e.envelope.payload, "two_entries")
            related[e.index] = e
        except Refused as refused:
            broken.append(e.leaf_hash.hex())
            done.append(("related", "fail", str(refused)))
    try:
        if good and entry.kind == "charter":
            related.setdefault(entry.index, entry)  # it introduces its own
        for index in sorted(related) if not broken else []:
            keys.add(related[index])
    except Refused as refused:
        keys.keys = {}
        done.append(("related", "fail", str(refused)))
    signer(entry, keys, done)
    if good:
        lower, upper = bounds(policy, entry.by)
        done.append(("logged before", "pass", utc(upper)) if upper is not None else ("logged before", "not-checkable", "no time"))
        made_after(entry, related, broken, policy, done)
    return done


def signer(entry, keys, done):
    """Point 4."""
    key = keys.keys and keys.keys.get(entry.p["signer"])
    if not key:
        done += [("signature", "not-checkable", "the file has no key"), ("signer", "not-checkable", "nobody introduces the key")]
        return
    good = entry.envelope.keyid == entry.p["signer"] and entry.envelope.signed_by(key["raw"])
    done.append(("signature", "pass" if good else "fail", f"Ed25519 by key {entry.p['signer']}"))
    officer = entry.kind == "charter" and entry.index == 0
    mine = key["participant"] == entry.p["participant"] and (key["since"] < entry.index or officer)
    mine = mine and set(key["uses"]) & SIGNERS.get(entry.kind, set())
    status = "fail" if not mine else "pass" if key["rests"] is None else "not-checkable"
    done.append(("signer", status, f"{key['participant']}, entry {key['since']}"))
    ended = key["until"] is not None and key["until"] < entry.index
    done.append(("key in force", "fail", f"ended with entry {key['until']}") if ended else ("key in force", "not-checkable", "takes a replay"))


def made_after(entry, related, broken, policy, done):
    """Point 5: the anchor that the statement names by index and leaf hash. It need not meet the reader's quorum."""
    named = entry.p.get("recentAnchor")
    if not named:
        return
    anchor, lower = related.get(named["index"]), None
    if named["leafHash"] in broken:
        return done.append(("made after", "fail", "the anchor it names is not where it says"))
    if anchor and anchor.kind == "anchor" and anchor.index < entry.index and anchor.leaf_hash.hex() == named["leafHash"]:
        try:
            _, verified, _ = notes.open_note(anchor.p["checkpoint"].encode(), [*policy.logs, *policy.witnesses.values()])
            lower, _ = bounds(policy, {name: verified[key] for name, key in policy.witnesses.items() if key in verified})
        except Refused as refused:
            return done.append(("made after", "fail", str(refused)))
    done.append(("made after", "pass", utc(lower)) if lower is not None else ("made after", "not-checkable", "no time of the anchor"))


def exit_status(lines):
    failed = [name for name, status, _ in lines if status == "fail"]
    return 4 if failed == ["quorum"] else int(bool(failed))


def main(file, policy):
    """Prints a line a check; the exit status is as the project's README has it."""
    try:
        lines = verify(Path(file).read_bytes(), Policy(Path(policy).read_bytes()))
    except Refused as refused:
        print(f"not a bundle or no policy: {refused}")
        return 2
    for name, status, detail in lines:
        print(f"{status:14} {name:15} {detail}")
    return exit_status(lines)
