"""compare.py BUNDLE POLICY FOLDER: the record as it is, changed in many ways, and under other policies, as `stele verify` judges it and
as record.py does. One line a question; both must say the same in every line, and end alike."""

import base64
import copy
import json
import subprocess
import sys
from pathlib import Path

import record
from plain import Refused
from policy import Policy

STELE = Path(__file__).parents[2] / "dist/cli/main.js"


def payload_of(envelope):
    return json.loads(base64.b64decode(envelope["payload"]))


def variants(bundle):
    """(name, bundle) of everything that is tried."""
    def changed(change):
        out = copy.deepcopy(bundle)
        change(out)
        return out

    def bit(text, position):
        raw = bytearray(base64.b64decode(text))
        raw[position] ^= 1
        return base64.b64encode(raw).decode()

    def related(kind, change):
        def apply(b):
            for r in b["related"]:
                if payload_of(r["envelope"])["predicateType"].split("/")[3] == kind:
                    change(b, r)
        return changed(apply)

    sig = lambda e: e["signatures"][0]
    yield "as-it-is", bundle
    yield "pretty", bundle
    yield "urlsafe", changed(lambda b: sig(b["envelope"]).update(sig=sig(b["envelope"])["sig"].replace("+", "-").replace("/", "_")))
    yield "payload", changed(lambda b: b["envelope"].update(payload=bit(b["envelope"]["payload"], 60)))
    yield "signature", changed(lambda b: sig(b["envelope"]).update(sig=bit(sig(b["envelope"])["sig"], 5)))
    yield "keyid", changed(lambda b: sig(b["envelope"]).update(keyid="0" * 64))
    yield "field", changed(lambda b: b["envelope"].update(more=1))
    yield "bundle-field", changed(lambda b: b.update(more=1))
    yield "schema", changed(lambda b: b.update(schema="https://stele-log/bundle/v2"))
    index = bundle["proof"].split("\n")[1]
    yield "index", changed(lambda b: b.update(proof=b["proof"].replace(index, "index 0")))
    yield "hash", changed(lambda b: b.update(proof="\n".join([*b["proof"].split("\n")[:2], base64.b64encode(bytes(32)).decode(),
                                                             *b["proof"].split("\n")[3:]])))
    lines = bundle["proof"].split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("\u2014"))
    yield "no-log-line", changed(lambda b: b.update(proof="\n".join(lines[:first] + lines[first + 1:])))
    yield "one-cosignature-less", changed(lambda b: b.update(proof="\n".join(lines[:-2] + lines[-1:])))
    yield "another-size", changed(lambda b: b.update(proof="\n".join([*lines[:first - 3], "7", *lines[first - 2:]])))
    yield "nothing-related", changed(lambda b: b.update(related=[]))
    yield "reversed", changed(lambda b: b["related"].reverse())
    yield "twice", changed(lambda b: b["related"].extend(copy.deepcopy(b["related"])))
    yield "with-itself", changed(lambda b: b["related"].append({"envelope": b["envelope"], "proof": b["proof"]}))
    for kind in ("charter", "participant", "anchor"):
        yield f"without-{kind}", related(kind, lambda b, r: b["related"].remove(r))
        yield f"{kind}-signature", related(kind, lambda b, r: sig(r["envelope"]).update(sig=bit(sig(r["envelope"])["sig"], 40)))
        yield f"{kind}-proof", related(kind, lambda b, r: r.update(proof=b["proof"]))
    yield "with-itself-only", changed(lambda b: b.update(related=[{"envelope": b["envelope"], "proof": b["proof"]}]))
    for r in bundle["related"]:
        yield "alone-" + payload_of(r["envelope"])["predicateType"].split("/")[3], {**bundle, **r, "related": []}
    for r in bundle["related"]:
        yield "record-is-" + payload_of(r["envelope"])["predicateType"].split("/")[3], {**bundle, **r}


def policies(text):
    """(name, policy): what the reader may believe instead."""
    lines = text.split("\n")
    head = [line for line in lines if line.startswith(("log", "witness"))]
    names = [line.split()[1] for line in head if line.startswith("witness")]
    make = lambda *tail: "\n".join([*head, *tail]) + "\n"
    yield "none", make("quorum none")
    yield "all", make(f"group g all {' '.join(names)}", "quorum g")
    yield "two", make(f"group g 2 {' '.join(names)}", "quorum g")
    yield "no-log", "\n".join(lines[1:]).replace("log ", "# log ")
    yield "one-operator", make(f"# operator same {' '.join(names)}", f"group g 3 {' '.join(names)}", "quorum g")
    for name in names:
        yield f"only-{name}", make(f"quorum {name}")
        others = " ".join(n for n in names if n != name)
        yield f"{name}-and-one", make(f"group a any {others}", f"group g all {name} a", "quorum g")


def theirs(file, policy):
    ran = subprocess.run(["node", STELE, "verify", "--json", file, "--policy", policy], capture_output=True, text=True)
    return ran.returncode, sorted((check["name"], check["status"]) for check in json.loads(ran.stdout)["checks"])


def ours(file, policy):
    try:
        lines = record.verify(file.read_bytes(), Policy(policy.read_bytes()))
    except Refused:
        return 2, []
    return record.exit_status(lines), sorted((name, status) for name, status, _ in lines)


if __name__ == "__main__":
    bundle, policy, folder = map(Path, sys.argv[1:])
    questions = []
    for name, variant in variants(json.loads(bundle.read_text())):
        file = folder / f"{name}.stele.json"
        file.write_text(json.dumps(variant, indent=2 if name == "pretty" else None, ensure_ascii=False))
        questions.append((file, policy))
    for name, text in policies(policy.read_text()):
        file = folder / f"{name}.policy"
        file.write_text(text)
        questions.append((bundle, file))
    for file, believed in questions:
        there, here = theirs(file, believed), ours(file, believed)
        print(f"{'ok' if there == here else 'FAIL'}  {file.name} under {believed.name}: exit status {there[0]}"
              + ("" if there == here else f" and lines {there[1]} there, {here} here"))
