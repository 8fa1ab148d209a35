"""Admission and the ledger: spec/attestations.md, from "Admission" to "The digest". Rules are cited by their number."""

from hashlib import sha256

import ed25519
import tree
from notes import parse_checkpoint, parse_note, parse_vkey, verify_line
from plain import SAFE, Refused, canonical, check, enbase64, unhex
from policy import Policy, time_bounds
from statements import PAYLOAD_TYPE, SCHEMAS, TYPE, check_by_schema, digest, key_statement, parse_envelope, parse_statement, short_type

NEEDED = ["anchor", "charter", "charter-amendment", "common", "freeze", "key-statement", "participant", "participant-key", "statement"]
KNOWN_SCHEMAS = {TYPE.format(name): digest(canonical(schema)) for name, schema in SCHEMAS.items()}
SIGNERS = {"charter": {"operator"}, "freeze": {"operator"}, "charter-amendment": {"registrar"}, "participant": {"registrar"},
           "anchor": {"anchor"}, "participant-key": {"signing", "recovery", "registrar"},
           "run-intent": {"signing"}, "run-progress": {"signing"}, "run-final": {"signing"}, None: {"signing", "operator", "registrar"}}


def n16(number):
    return f"{number:016}"


def terms_policy(terms):
    return Policy(terms["policy"].encode())


def check_fits(terms, log_keys, policy):
    """ "charter": an anchor fits."""
    lines = {1: 64, 4: 72, 6: 2428}
    check(len(log_keys) + len(policy.witnesses) <= 128, "policy_does_not_fit")
    one = {}
    for name, key in policy.witnesses.items():
        number = policy.operator[name]
        if number not in one or (policy.witnesses[one[number]].type, key.type) == (6, 4):
            one[number] = name
    chosen = one.values() if policy.met(one.values()) else policy.witnesses
    keys = log_keys + [policy.witnesses[name] for name in chosen]
    note = f"{terms['origin']}\n{SAFE}\n{enbase64(bytes(32))}\n\n" + "".join(f"\u2014 {k.name} {enbase64(bytes(4 + lines[k.type]))}\n" for k in keys)
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": TYPE.format("anchor"),
                 "subject": [{"name": "checkpoint", "digest": {"sha256": "0" * 64}}],
                 "predicate": {"participant": "x" * 64, "signer": "0" * 64, "checkpoint": note}}
    leaf = canonical({"payload": enbase64(canonical(statement)), "payloadType": PAYLOAD_TYPE,
                      "signatures": [{"keyid": "0" * 64, "sig": enbase64(bytes(64))}]})
    check(len(leaf) <= terms["sizeLimit"], "policy_does_not_fit")


def officers(terms):
    """(use, participant, name, raw key in hex) of all keys that the terms name, log keys of type 0x01 among them."""
    operator = terms["operator"]
    found = [("operator", operator["participant"], operator["name"], operator["key"]),
             ("anchor", operator["participant"], operator["name"], terms["anchorKey"])]
    for vkey in terms["logKeys"]:
        if (key := parse_vkey(vkey)).type == 1:
            found.append(("log", operator["participant"], operator["name"], key.raw.hex()))
    return found + [("registrar", m["participant"], m["name"], m["key"]) for m in terms["registrars"]["members"]]


def ml_dsa_ids(terms):
    return {digest(key.raw) for key in map(parse_vkey, terms["logKeys"]) if key.type == 6}


def check_terms(terms):
    """ "Rules on terms"."""
    check(terms["admission"]["version"] == 1, "terms_version")
    schemas = terms["admission"]["schemas"]
    check(all(TYPE.format(name) in schemas for name in NEEDED), "terms_schemas")
    check(all(KNOWN_SCHEMAS.get(uri) == sha for uri, sha in schemas.items()), "terms_schemas")
    try:
        log_keys = [parse_vkey(vkey) for vkey in terms["logKeys"]]
    except Refused:
        raise Refused("terms_log_keys")
    check(all(key.name == terms["origin"] and key.type in (1, 6) for key in log_keys), "terms_log_keys")
    named, names, members = {}, {}, terms["registrars"]["members"]
    for use, participant, name, key in officers(terms):
        check(use != "registrar" or len({m["participant"] for m in members}) == len(members) >= terms["registrars"]["threshold"],
              "terms_registrars")
        check(ed25519.public_key(unhex(key)) and names.setdefault(participant, name) == name, "terms_keys")
        check(key not in named or {use, named[key][0]} == {"operator", "registrar"} and named[key][1] == participant, "terms_keys")
        named[key] = use, participant
    try:
        policy = terms_policy(terms)
    except Refused:
        raise Refused("terms_policy")
    check(not policy.prose and not policy.scattered and sorted(map(repr, policy.logs)) == sorted(map(repr, log_keys)), "terms_policy")
    check_fits(terms, log_keys, policy)


class Ledger:
    def __init__(self, origin):
        self.origin, self.values, self.hashes, self.payloads, self.D = origin, {}, [], set(), bytes(32)

    @property
    def line(self):
        return f"{len(self.hashes)} {self.D.hex()}"

    def append(self, raw, replay=False):
        """One entry: "The digest". Refuses what is not admitted; in a replay that is a finding instead. Gives the findings."""
        self.writes, self.findings, self.i = {}, [], len(self.hashes)
        leaf = raw
        try:
            leaf = self.admit(raw, replay)
        except Refused:
            if not replay:
                raise
            self.writes, self.findings = {}, []
            self.find("not-admissible")
        for number, finding in enumerate(self.findings):
            self.writes[f"finding/{n16(self.i)}/{n16(number)}"] = finding
        self.hashes.append(tree.leaf_hash(leaf))
        self.D = sha256(self.D + self.hashes[-1] + sha256(canonical(self.writes)).digest()).digest()
        for key, value in self.writes.items():
            self.values[key] = value
            if value is None:
                del self.values[key]
        return self.findings

    def get(self, key):
        return self.writes[key] if key in self.writes else self.values.get(key)

    def find(self, code, *others):
        self.findings.append({"code": code, "entries": sorted([*(o["index"] for o in others if o), self.i])})

    def admit(self, raw, replay):
        """Rules 1 to 9, then that of the type. What is logged is the canonical form."""
        envelope = parse_envelope(raw)
        check(not replay or envelope.leaf == raw, "bad_envelope")
        statement = parse_statement(envelope.payload)
        self.p = p = statement["predicate"]
        check(envelope.keyid == p["signer"], "keyid_mismatch")
        self.statement, self.envelope, self.digest = statement, envelope, digest(envelope.payload)
        leaf, kind, head = envelope.leaf, short_type(statement), self.get("head")
        check((kind == "charter") == (self.i == 0), "not_charter")
        if self.i == 0:
            self.charter()
            self.payloads.add(self.digest)
            return leaf
        check(head, "no_charter")
        check(self.i != 1 or kind == "anchor", "not_first_anchor")
        check(head["frozenAt"] is None or kind == "anchor" and self.i == head["frozenAt"] + 1, "frozen")
        check(self.digest not in self.payloads, "duplicate")
        check(len(leaf) <= head["sizeLimit"], "entry_too_large")
        self.terms = self.get("terms")
        if statement["predicateType"] in head["types"]:
            check(kind != "key-statement", "not_an_entry")
            check_by_schema(statement)
        else:
            check(head["unknownTypes"] == "admit", "type_not_admitted")
            kind = None
        self.signer = signer = self.get("key/" + p["signer"])
        check(signer, "unknown_key")
        check(signer["until"] is None, "key_not_in_force")
        check(signer["participant"] == p["participant"], "wrong_participant")
        check(envelope.signed_by(unhex(signer["key"])), "bad_signature")
        check(SIGNERS[kind] & set(signer["uses"]), "not_entitled")
        if kind and kind.startswith("run-"):
            check("lab" in signer["roles"], "not_entitled")
            self.run(kind)
        elif kind:
            getattr(self, kind.replace("-", "_"))()
        if "recentAnchor" in p:
            named = self.get("anchor-at/" + n16(p["recentAnchor"]["index"]))
            anchor = named and self.get("anchor/" + n16(named["ordinal"]))
            if not anchor or anchor["leafHash"] != p["recentAnchor"]["leafHash"]:
                self.find("anchor-unknown")
        self.payloads.add(self.digest)
        return leaf

    def charter(self):
        """Rule 10."""
        check_by_schema(self.statement)
        terms = self.p["terms"]
        operator = terms["operator"]
        check(terms["origin"] == self.origin, "wrong_origin")
        check(self.p["participant"] == operator["participant"] and self.p["signer"] == digest(unhex(operator["key"])), "charter_signer")
        check(self.envelope.signed_by(unhex(operator["key"])), "bad_signature")
        check(len(self.envelope.leaf) <= terms["sizeLimit"], "entry_too_large")
        check_terms(terms)
        self.writes["pending"] = {"requests": []}
        self.writes["head"] = {"anchorIndex": None, "anchorSize": 0, "anchors": 0, "frozenAt": None, "origin": self.origin}
        self.put_terms(terms)

    def put_terms(self, terms):
        """ "The ledger": what a charter, and an amendment that takes effect, write."""
        old = self.get("terms")
        keys = {}
        for use, participant, name, key in officers(terms):
            keys.setdefault(key, (participant, []))[1].append(use)
            before = self.get("participant/" + participant)
            self.writes["participant/" + participant] = {"index": before["index"] if before else self.i, "keys": [], "name": name,
                                                         "officer": True, "pending": None, "roles": []}
        for _, _, _, key in officers(old) if old else []:
            if key not in keys:
                name = "key/" + digest(unhex(key))
                self.writes[name] = {**self.get(name), "until": self.i}
        for ended in ml_dsa_ids(old) - ml_dsa_ids(terms) if old else []:
            self.writes["ended-log-key/" + ended] = {"until": self.i}
        for key, (participant, uses) in keys.items():
            name = "key/" + digest(unhex(key))
            before = self.get(name)
            self.writes[name] = {"from": before["from"] if before else self.i, "key": key, "participant": participant,
                                 "roles": [], "until": None, "uses": uses}
        self.writes["terms"] = terms
        self.writes["head"] = {**self.get("head"), "faults": terms_policy(terms).faults, "sizeLimit": terms["sizeLimit"],
                               "terms": digest(canonical(terms)), "types": sorted(terms["admission"]["schemas"]),
                               "unknownTypes": terms["admission"]["unknownTypes"]}

    def charter_amendment(self):
        """Rule 11."""
        terms, old = self.p["terms"], self.terms
        check(terms["origin"] == self.origin, "wrong_origin")
        check(terms["predecessor"] == old["predecessor"], "amendment_predecessor")
        check_terms(terms)
        purposes = lambda use: {"operator", "registrar"} if use in ("operator", "registrar") else {use}
        for use, participant, _, key in officers(terms):
            known = self.get("key/" + digest(unhex(key)))
            check(not known or known["until"] is None and known["participant"] == participant
                  and purposes(use) & set(known["uses"]), "key_known")
        check(not any(self.get("ended-log-key/" + each) for each in ml_dsa_ids(terms)), "key_known")
        for _, participant, _, _ in officers(terms):
            known = self.get("participant/" + participant)
            check(not known or known["officer"], "participant_known")
        amends, new = self.p["amends"], digest(canonical(terms))
        if amends != digest(canonical(old)):
            return self.find("amendment-stale")
        if not self.natural(f"charter-amendment/{self.p['participant']}/{amends}/{new}"):
            return
        votes = self.get(f"votes/{amends}/{new}") or {"registrars": []}
        registrars = sorted([*votes["registrars"], self.p["participant"]])
        if len(registrars) < old["registrars"]["threshold"]:
            self.writes[f"votes/{amends}/{new}"] = {"registrars": registrars}
        else:
            self.writes[f"votes/{amends}/{new}"] = None
            self.put_terms(terms)

    def anchor(self):
        """Rule 12, and the ends of waits."""
        policy = terms_policy(self.terms)
        log_keys = [parse_vkey(vkey) for vkey in self.terms["logKeys"]]
        witnesses = {(k.name, k.id): name for name, k in policy.witnesses.items()}
        known = {(k.name, k.id): k for k in [*log_keys, *policy.witnesses.values()]}
        try:
            text, lines = parse_note(self.p["checkpoint"].encode())
        except Refused:
            raise Refused("anchor_note")
        names = [(line.name, line.id) for line in lines]
        check(len(set(names)) == len(names) and all(name in known for name in names), "anchor_lines")
        try:
            times = {name: verify_line(known[name], text, line) for name, line in zip(names, lines)}
            checkpoint = parse_checkpoint(text)
        except Refused:
            raise Refused("anchor_note")
        check(any(name not in witnesses for name in names) and checkpoint.origin == self.origin, "anchor_note")
        check(policy.met({witnesses[name] for name in names if name in witnesses}), "anchor_quorum")
        check(not checkpoint.extensions, "anchor_lines")
        head = self.get("head")
        check(head["anchorSize"] < checkpoint.size <= self.i and (head["frozenAt"] is None or checkpoint.size == self.i), "anchor_size")
        check(checkpoint.root == tree.root(self.hashes[:checkpoint.size]), "anchor_root")
        lower, upper = time_bounds(head["faults"], [(policy.operator[witnesses[n]], t) for n, t in times.items() if n in witnesses])
        self.writes["anchor/" + n16(head["anchors"])] = {"index": self.i, "leafHash": tree.leaf_hash(self.envelope.leaf).hex(),
                                                         "lower": lower, "size": checkpoint.size, "upper": upper}
        self.writes["anchor-at/" + n16(self.i)] = {"ordinal": head["anchors"]}
        self.writes["head"] = {**head, "anchorIndex": self.i, "anchorSize": checkpoint.size, "anchors": head["anchors"] + 1}
        self.waiting(lower, upper, checkpoint.size)

    def waiting(self, lower, upper, size):
        """ "Waiting"."""
        requests = self.get("pending")["requests"]
        if not requests:
            return
        left = []
        for request in requests:
            if request["loggedBy"] is None:
                left.append({**request, "loggedBy": upper if size > request["index"] else None})
            elif lower is None or lower < request["loggedBy"] + request["wait"]:
                left.append(request)
            else:
                about = "participant/" + request["about"]
                self.writes[about] = {**self.get(about), "pending": None}
                known = request["newKey"] and self.get("key/" + digest(unhex(request["newKey"])))
                if self.get("key/" + request["oldKey"])["until"] is not None or known:
                    self.find("request-void", request)
                else:
                    self.change(request["about"], request["oldKey"], request["newKey"])
        self.writes["pending"] = {"requests": left}

    def change(self, about, old, new):
        """A change of key that takes effect: the old key, the new key and the participant."""
        ended = self.get("key/" + old)
        self.writes["key/" + old] = {**ended, "until": self.i}
        participant = self.get("participant/" + about)
        keys = set(participant["keys"]) - {old}
        if new:
            self.writes["key/" + digest(unhex(new))] = {**ended, "from": self.i, "key": new, "until": None}
            keys.add(digest(unhex(new)))
        self.writes["participant/" + about] = {**participant, "keys": sorted(keys)}

    def freeze(self):
        """Rule 13."""
        check(self.p["origin"] == self.origin, "wrong_origin")
        self.writes["head"] = {**self.get("head"), "frozenAt": self.i}

    def consents(self, envelopes, about, roles):
        """Rule 14: what key-statements have to be."""
        found = [key_statement(envelope) for envelope in envelopes]
        for k in found:
            check(k["origin"] == self.origin, "wrong_origin")
            check(k["participant"] == about and k["roles"] == roles, "bad_key_statement")
        return found

    def participant(self):
        """Rule 14."""
        p, about = self.p, self.p["about"]
        check(p["origin"] == self.origin, "wrong_origin")
        check(not self.get("participant/" + about), "participant_known")
        keys = self.consents(p["keys"], about, p["roles"])
        check(len({k["key"] for k in keys}) == len(keys) and [k["use"] for k in keys].count("recovery") == 1, "bad_key_statement")
        check(not any(self.get("key/" + k["signer"]) for k in keys), "key_known")
        if not self.natural(f"participant/{p['participant']}/{about}"):
            return
        for k in keys:
            self.writes["key/" + k["signer"]] = {"from": self.i, "key": k["key"], "participant": about, "roles": p["roles"],
                                                 "until": None, "uses": [k["use"]]}
        self.writes["participant/" + about] = {"index": self.i, "keys": sorted(k["signer"] for k in keys), "name": p["name"],
                                               "officer": False, "pending": None, "roles": p["roles"]}

    def participant_key(self):
        """Rule 15."""
        p, about, action = self.p, self.p["about"], self.p["action"]
        check(p["origin"] == self.origin, "wrong_origin")
        participant = self.get("participant/" + about)
        check(participant and not participant["officer"], "unknown_participant")
        registrar = "registrar" in self.signer["uses"]
        check(p["participant"] == about or registrar, "not_entitled")
        parts = {"rotate": {"oldKey", "newKey"}, "revoke": {"oldKey"}, "object": {"request"}}[action]
        check({"oldKey", "newKey", "request"} & set(p) == parts, "bad_key_change")
        pending = self.get("pending")["requests"]
        if action == "object":
            check(not registrar, "not_entitled")
            left = [r for r in pending if (r["about"], r["statement"]) != (about, p["request"])]
            if len(left) == len(pending):
                return self.find("objection-void")
            self.writes["pending"] = {"requests": left}
            self.writes["participant/" + about] = {**participant, "pending": None}
            return
        old = self.get("key/" + p["oldKey"])
        check(old and old["participant"] == about and old["until"] is None, "bad_key_change")
        new = None
        if action == "rotate":
            [k] = self.consents([p["newKey"]], about, participant["roles"])
            check(k["use"] == old["uses"][0], "bad_key_statement")
            check(not self.get("key/" + k["signer"]), "key_known")
            new = k["key"]
        if not registrar:
            check("recovery" in self.signer["uses"] or p["signer"] == p["oldKey"], "not_entitled")
            self.change(about, p["oldKey"], new)
        elif participant["pending"]:
            self.find("request-void")
        elif self.terms["keyWait"] == 0:
            self.change(about, p["oldKey"], new)
        else:
            request = {"about": about, "index": self.i, "loggedBy": None, "newKey": new, "oldKey": p["oldKey"],
                       "statement": self.digest, "wait": self.terms["keyWait"]}
            self.writes["pending"] = {"requests": [*pending, request]}
            self.writes["participant/" + about] = {**participant, "pending": self.digest}

    def natural(self, key):
        """ "Natural keys": whether this statement has effect."""
        before, supersedes = self.get("natural/" + key), self.p.get("supersedes")
        if before and supersedes != before["statement"]:
            self.find("second-statement", before)
            return False
        if supersedes and not before:
            self.find("supersedes-nothing")
        self.writes["natural/" + key] = {"index": self.i, "statement": self.digest}
        return True

    def run(self, kind):
        """Rule 16; "Findings of a run statement with effect"."""
        p = self.p
        name = f"{p['participant']}/{p['run']}" + (f"/{p['window']}" if kind == "run-progress" else "")
        before = self.get(f"natural/{kind}/{name}")
        if not self.natural(f"{kind}/{name}"):
            return
        specification, this = self.statement["subject"][0]["digest"]["sha256"], {"index": self.i, "statement": self.digest}
        run = self.get(f"run/{p['participant']}/{p['run']}") or {
            "final": None, "intent": None, "last": None, "specification": specification, "windows": 0}
        last = run["last"]
        if specification != run["specification"]:
            self.find("specification-changed", last)
        if kind == "run-intent":
            if last and not run["intent"]:
                self.find("intent-late", last)
        else:
            if run["final"] and not before:
                self.find("statement-after-final", run["final"])
            if not run["intent"] and not p["retrospective"]:
                self.find("intent-missing", last)
            if p.get("previous") != (last and last["statement"]):
                self.find("chain-broken", last)
        run = {**run, "last": this, "windows": run["windows"] + (kind == "run-progress" and not before)}
        if kind != "run-progress":
            run[kind[4:]] = this
        self.writes[f"run/{p['participant']}/{p['run']}"] = run
