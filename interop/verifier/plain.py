"""Numbers, base64, JSON: one spelling (spec/formats.md, "One spelling"; spec/attestations.md, "JSON")."""

import base64
import json
import re

SAFE = 2**53 - 1


class Refused(Exception):
    """With the code of the specification."""


def check(condition, code):
    if not condition:
        raise Refused(code)


def decimal(text, code="bad_decimal"):
    check(re.fullmatch("0|[1-9][0-9]*", text, re.ASCII), code)
    check(len(text) <= 16 and int(text) <= SAFE, "unsafe_integer")
    return int(text)


def unbase64(text, code="bad_base64"):
    """RFC 4648 section 4, padded, unused bits zero."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(code)
    check(base64.b64encode(raw).decode() == text, code)
    return raw


def enbase64(raw):
    return base64.b64encode(raw).decode()


def unhex(text, code="bad_hex"):
    check(re.fullmatch("([0-9a-f]{2})*", text), code)
    return bytes.fromhex(text)


def utf8(raw, code="bad_utf8"):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(code)


def parse_json(raw):
    """spec/attestations.md, "JSON"."""

    def integer(text):
        check(text != "-0" and len(text) <= 17 and abs(int(text)) <= SAFE, "bad_json")
        return int(text)

    def never(text):
        raise Refused("bad_json")

    def pairs(found):
        check(len({key for key, _ in found}) == len(found), "bad_json")
        return dict(found)

    def walk(value, depth):
        if isinstance(value, str):
            value.encode("utf-8")
        elif isinstance(value, (list, dict)):
            check(depth < 32, "bad_json")
            for inner in value if isinstance(value, list) else [*value, *value.values()]:
                walk(inner, depth + 1)

    try:
        value = json.loads(raw.decode("utf-8"), parse_int=integer, parse_float=never, parse_constant=never, object_pairs_hook=pairs)
        walk(value, 0)
    except (ValueError, RecursionError):
        raise Refused("bad_json")
    return value


def canonical(value):
    """RFC 8785, for values that parse_json gives."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
        return b"{" + b",".join(canonical(k) + b":" + canonical(value[k]) for k in keys) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
