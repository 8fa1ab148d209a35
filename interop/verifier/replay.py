"""Replays a whole log from a folder or URL: C2SP tlog-tiles, and spec/attestations.md, "The ledger"."""

import urllib.request
from pathlib import Path

import notes
import tree
from ledger import Ledger
from plain import check
from policy import Policy


def reader(source):
    if source.startswith(("http://", "https://")):
        return lambda path: urllib.request.urlopen(f"{source.rstrip('/')}/{path}", timeout=30).read()
    return lambda path: (Path(source) / path).read_bytes()


def replay(source, policy):
    """(checkpoint, entries, ledger). Everything is recomputed: all tiles from the entries, the root from the leaf hashes."""
    read = reader(source)
    checkpoint, _, by = notes.open_checkpoint(read("checkpoint"), policy)
    check(policy.met(by), "quorum_not_met")
    entries = []
    for index in range((checkpoint.size + 255) // 256):
        width = min(256, checkpoint.size - index * 256)
        entries += tree.parse_bundle(read(tree.tile_path("entries", index, width)), width)
    hashes = [tree.leaf_hash(entry) for entry in entries]
    check(tree.root(hashes) == checkpoint.root, "root_mismatch")
    level = 0
    while checkpoint.size >> 8 * level:
        nodes = checkpoint.size >> 8 * level
        for index in range((nodes + 255) // 256):
            width = min(256, nodes - index * 256)
            found = read(tree.tile_path(level, index, width))
            check(found == tree.tile(hashes, level, index, width), "bad_tile")
        level += 1
    ledger = Ledger(checkpoint.origin)
    for entry in entries:
        ledger.append(entry, replay=True)
    return checkpoint, entries, ledger


def main(source, policy):
    """Prints size and root, the ledger's line, its number of keys, its findings."""
    checkpoint, entries, ledger = replay(source, Policy(Path(policy).read_bytes()))
    print(f"root {checkpoint.size} {checkpoint.root.hex()}")
    print(f"ledger {ledger.line}")
    print(f"keys {len(ledger.values)}")
    for key in sorted(ledger.values):
        if key.startswith("finding/"):
            print(f"finding {int(key.split('/')[1])} {ledger.values[key]['code']} {ledger.values[key]['entries']}")
    return 0
