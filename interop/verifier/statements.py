"""Envelopes, statements, disclosures: spec/attestations.md, "The envelope" to "Commitments"."""

import json
import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import ed25519
from plain import Refused, canonical, check, enbase64, parse_json, unbase64, unhex

TYPE = "https://stele-log/{}/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parents[2] / "spec/schema").glob("*.json")}
# "Names": by number, so that nothing changes with the Unicode version.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]")


def digest(raw):
    return sha256(raw).hexdigest()


@dataclass
class Envelope:
    payload: bytes
    keyid: str
    signature: bytes

    @property
    def leaf(self):
        return canonical({"payload": enbase64(self.payload), "payloadType": PAYLOAD_TYPE,
                          "signatures": [{"keyid": self.keyid, "sig": enbase64(self.signature)}]})

    def signed_by(self, key):
        """DSSE v1, PAE of payloadType and payload."""
        kind = PAYLOAD_TYPE.encode()
        return ed25519.verify(key, b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload), self.signature)


def either_base64(text):
    """Standard or URL-safe, not both in one string."""
    check(isinstance(text, str) and not (set(text) & set("+/") and set(text) & set("-_")), "bad_envelope")
    return unbase64(text.replace("-", "+").replace("_", "/"), "bad_envelope")


def fields(value, *names):
    check(isinstance(value, dict) and set(value) == set(names), "bad_envelope")
    return [value[name] for name in names]


def envelope_of(value):
    """ "The envelope", from parsed JSON."""
    payload, kind, signatures = fields(value, "payload", "payloadType", "signatures")
    check(kind == PAYLOAD_TYPE and isinstance(signatures, list) and len(signatures) == 1, "bad_envelope")
    keyid, sig = fields(signatures[0], "keyid", "sig")
    check(isinstance(keyid, str) and re.fullmatch("[0-9a-f]{64}", keyid), "bad_envelope")
    envelope = Envelope(either_base64(payload), keyid, either_base64(sig))
    check(envelope.payload and len(envelope.signature) == 64, "bad_envelope")
    check(len(envelope.leaf) <= 65535, "entry_too_large")
    return envelope


def parse_envelope(raw):
    check(len(raw) <= 262140, "entry_too_large")
    return envelope_of(parse_json(raw))


def good_name(text):
    """ "Names"."""
    return (1 <= len(text.encode()) <= 200 and not HIDDEN.search(text) and text == text.strip()
            and unicodedata.is_normalized("NFC", text))


def matches(value, schema, document):
    """JSON Schema 2020-12, as far as spec/schema/ uses it."""
    if "$ref" in schema:
        target, _, path = schema["$ref"].partition("#/")
        document = SCHEMAS[target.removesuffix(".json")] if target else document
        found = document
        for step in path.split("/"):
            found = found[step]
        if not matches(value, found, document):
            return False
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
    if "type" in schema and not (isinstance(value, kinds[schema["type"]]) and (schema["type"] == "boolean") == isinstance(value, bool)):
        return False
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        return False
    if any(not matches(value, part, document) for part in schema.get("allOf", [])):
        return False
    if "anyOf" in schema and not any(matches(value, part, document) for part in schema["anyOf"]):
        return False
    if isinstance(value, str):
        return bool(re.search(re.sub(r"\$$", r"\\Z", schema.get("pattern", "")), value)) and (
            schema.get("format") != "stele-name" or good_name(value))
    if isinstance(value, int):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, list):
        return (schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
                and (not schema.get("uniqueItems") or len(set(map(canonical, value))) == len(value))
                and all(matches(item, schema.get("items", {}), document) for item in value))
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        return (schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
                and all(name in value for name in schema.get("required", []))
                and all(matches(name, schema.get("propertyNames", {}), document) for name in value)
                and all(matches(value[n], properties[n], document) if n in properties else others and matches(value[n], others, document)
                        if others is not True and others != {} else True for n in value))
    return True


def short_type(statement):
    """The short name of a type that spec/schema/ has; None for another."""
    m = re.fullmatch("https://stele-log/([a-z-]+)/v1", statement["predicateType"])
    return m[1] if m and m[1] in SCHEMAS and m[1] not in ("common", "statement") else None


def subjects(kind, p):
    """The table of "Subjects": name and digest; None where the document is the lab's."""
    if kind in ("charter", "charter-amendment"):
        return [(p["terms"]["origin"], digest(canonical(p["terms"])))]
    if kind == "anchor":
        return [("checkpoint", digest(p["checkpoint"][:p["checkpoint"].rfind("\n\n") + 1].encode()))]
    if kind == "freeze":
        return [(p["origin"], digest(p["origin"].encode()))]
    if kind == "key-statement":
        return [(p["participant"], digest(unhex(p["key"])))]
    if kind in ("participant", "participant-key"):
        return [(p["about"], digest(f"{p['origin']}\n{p['about']}".encode()))]
    weights = p.get("weights", {}) if kind == "run-final" else {}
    return [(p["run"], None)] + ([("weights", weights["root"])] if "root" in weights else [])


def check_by_schema(statement):
    """Rule 8 of "Admission": the schema, "In clear, committed, or unknown", "Subjects"."""
    kind, predicate = short_type(statement), statement["predicate"]
    check(matches(statement, SCHEMAS[kind], SCHEMAS[kind]), "bad_statement")
    flop = predicate.get("flop", []) if kind == "run-final" else []
    for part in [predicate, *flop]:
        check(not set(part.get("committed", {})) & set(part), "stated_and_committed")
    check(predicate.get("roles", []) == sorted(predicate.get("roles", [])), "bad_statement")
    wanted, stated = subjects(kind, predicate), statement["subject"]
    check(len(wanted) == len(stated), "bad_subject")
    for (name, sha), subject in zip(wanted, stated):
        check(subject["name"] == name and sha in (None, subject["digest"]["sha256"]), "bad_subject")


def parse_statement(payload):
    """Rule 2 of "Admission", but for keyid."""
    statement = parse_json(payload)
    check(canonical(statement) == payload, "not_canonical")
    check(matches(statement, SCHEMAS["statement"], SCHEMAS["statement"]), "bad_statement")
    return statement


def open_disclosure(disclosure, committed):
    """ "Commitments": (field, value)."""
    code = "bad_disclosure"
    try:
        check(re.fullmatch("[A-Za-z0-9_-]+", disclosure), code)
        opened = parse_json(unbase64(disclosure.replace("-", "+").replace("_", "/") + "=" * (-len(disclosure) % 4), code))
        check(isinstance(opened, list) and len(opened) == 3 and all(isinstance(part, str) for part in opened[:2]), code)
        salt, field, value = opened
        check(re.fullmatch("[A-Za-z0-9_-]+", salt), code)
        check(len(unbase64(salt.replace("-", "+").replace("_", "/") + "=" * (-len(salt) % 4), code)) >= 16, code)
    except Refused:
        raise Refused(code)
    check(committed.get(field) == digest(disclosure.encode()), "no_such_commitment")
    return field, value


def key_statement(value):
    """ "key-statement": the predicate of an embedded envelope that is signed by the key it names."""
    try:
        envelope = envelope_of(value)
        statement = parse_statement(envelope.payload)
        check(short_type(statement) == "key-statement", "bad_statement")
        check_by_schema(statement)
    except Refused:
        raise Refused("bad_key_statement")
    p = statement["predicate"]
    key = unhex(p["key"])
    check(p["signer"] == envelope.keyid == digest(key) and envelope.signed_by(key), "bad_key_statement")
    return p
