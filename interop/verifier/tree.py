"""RFC 6962 trees, subtrees of them, and C2SP tlog-tiles (spec/log.md, "The profile"; spec/formats.md, "Subtrees")."""

import re
from hashlib import sha256

from plain import SAFE, check


def leaf_hash(entry):
    """RFC 6962 section 2.1."""
    return sha256(b"\0" + entry).digest()


def node_hash(left, right):
    check(len(left) == len(right) == 32, "bad_hash")
    return sha256(b"\1" + left + right).digest()


def root(hashes):
    """RFC 6962 section 2.1, from leaf hashes."""
    if not hashes:
        return sha256(b"").digest()
    while len(hashes) > 1:
        odd = hashes[len(hashes) & ~1:]
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2])] + odd
    return hashes[0]


def safe(*numbers):
    check(all(0 <= n <= SAFE for n in numbers), "unsafe_integer")


def verify_inclusion(index, size, leaf, proof, expected):
    """RFC 9162 section 2.1.3.2, for the proofs of RFC 6962 section 2.1.1."""
    safe(index, size)
    check(all(len(h) == 32 for h in [leaf, expected, *proof]), "bad_hash")
    check(index < size, "bad_index")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        check(sn > 0, "bad_proof")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    check(sn == 0, "bad_proof")
    check(r == expected, "root_mismatch")


def verify_consistency(old, old_root, new, new_root, proof):
    """RFC 9162 section 2.1.4.2; from an empty tree there is nothing to prove (spec/vectors/README.md, "Trees")."""
    safe(old, new)
    check(all(len(h) == 32 for h in [old_root, new_root, *proof]), "bad_hash")
    check(0 < old <= new, "bad_size")
    if old == new:
        check(not proof, "bad_proof")
        return check(old_root == new_root, "root_mismatch")
    path = ([old_root] if old & (old - 1) == 0 else []) + proof
    check(path, "bad_proof")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        check(sn > 0, "bad_proof")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    check(sn == 0, "bad_proof")
    check(fr == old_root and sr == new_root, "root_mismatch")


def consistency(old, hashes):
    """RFC 6962 section 2.1.2: PROOF(old, D[n]), from the leaf hashes of D[n]. Requires 0 < old <= n."""
    def subproof(m, leaves, whole):
        if m == len(leaves):
            return [] if whole else [root(leaves)]
        k = 1 << (len(leaves) - 1).bit_length() - 1
        if m <= k:
            return subproof(m, leaves[:k], whole) + [root(leaves[k:])]
        return subproof(m - k, leaves[k:], False) + [root(leaves[:k])]
    return subproof(old, hashes, True)


def verify_subtree(start, end, size, subtree, expected, proof):
    """formats.md, "Subtrees": by the recursion that makes such a proof, from its last hash back to its first."""
    check(0 <= start < end <= size and start % (1 << (end - start - 1).bit_length()) == 0, "bad_subtree")
    safe(size)
    check(all(len(h) == 32 for h in [subtree, expected, *proof]), "bad_hash")
    left = list(proof)

    def take():
        check(left, "bad_proof")
        return left.pop()

    def walk(start, end, size, whole):
        """(hash of the leaves from start to end, root), among these leaves; whole: those are the subtree, not the end of it."""
        if (start, end) == (0, size):
            h = subtree if whole else take()
            return h, h
        k = 1 << (size - 1).bit_length() - 1
        beside = take()
        if end <= k:
            inner, all_ = walk(start, end, k, whole)
            return inner, node_hash(all_, beside)
        if k <= start:
            inner, all_ = walk(start - k, end - k, size - k, whole)
            return inner, node_hash(beside, all_)
        inner, all_ = walk(0, end - k, size - k, False)
        return node_hash(beside, inner), node_hash(beside, all_)

    found = walk(start, end, size, True)
    check(not left, "bad_proof")
    check(found == (subtree, expected), "root_mismatch")


def parse_tile_path(path):
    """tlog-tiles, "Merkle Tree" and "Log Entries": (level or "entries", index, width)."""
    m = re.fullmatch(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", path, re.ASCII)
    check(m, "bad_tile_path")
    level = m[1] if m[1] == "entries" else int(m[1])
    width = int(m[3]) if m[3] else 256
    check((level == "entries" or level < 64) and (not m[3] or width < 256) and not m[2].startswith("x000/"), "bad_tile_path")
    index = int(m[2].replace("x", "").replace("/", ""))
    safe(index)
    return level, index, width


def tile_path(level, index, width):
    elements = [f"{index % 1000:03}"]
    while index := index // 1000:
        elements.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(elements)}" + (f".p/{width}" if width < 256 else "")


def tile(hashes, level, index, width):
    """The tile's bytes in the tree of exactly these leaf hashes, or None where that tree has no such tile."""
    for _ in range(level):
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
    found = hashes[index * 256:index * 256 + 256]
    return b"".join(found) if len(found) == width else None


def parse_bundle(data, width):
    """tlog-tiles, "Log Entries": entries with a length of two bytes before each."""
    entries, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position:position + 2], "big")
        entries.append(data[position + 2:position + 2 + length])
        check(position + 2 + length <= len(data), "bad_bundle")
        position += 2 + length
    check(len(entries) == width, "bad_bundle")
    return entries
