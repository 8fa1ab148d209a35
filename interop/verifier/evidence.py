"""Files that convict a key: spec/evidence.md."""

from hashlib import sha256

import notes
import tree
from plain import Refused, check, decimal, unbase64, utf8

BAD = "bad_evidence"


def hash_of(text):
    found = unbase64(text, BAD)
    check(len(found) == 32, BAD)
    return found


def after(word, line):
    check(line.startswith(word + " "), BAD)
    return line[len(word) + 1:]


class Note:
    def __init__(self, text, line):
        try:
            self.text, lines = notes.parse_note((text + "\n\n" + line + "\n").encode())
            self.checkpoint = notes.parse_checkpoint(self.text)
        except Refused:
            raise Refused(BAD)
        check(len(lines) == 1, BAD)
        self.line = lines[0]

    def key(self, policy):
        """ "The verdict", 2: (whether it is a log's, the key)."""
        for log, keys in (True, policy.logs), (False, policy.witnesses.values()):
            for key in keys:
                if (key.name, key.id) == (self.line.name, self.line.id) and (not log or key.name == self.checkpoint.origin):
                    return log, key
        raise Refused("unknown_key")


class Evidence:
    """ "The file"."""

    def __init__(self, raw):
        check(len(raw) <= (2 << 20) + (16 << 10), BAD)
        parts = utf8(raw, BAD).split("\n\n")
        check(len(parts) in (3, 5) and parts[-1].endswith("\n"), BAD)
        parts[-1] = parts[-1][:-1]
        header, self.kind = parts[0].split("\n"), None
        check(len(header) >= 2 and header[0] == "stele-log/evidence@v1", BAD)
        self.kind, rest = header[1], header[2:]
        check(self.kind in ("same-size", "not-a-prefix", "two-entries", "empty-tree"), BAD)
        self.notes = [Note(*parts[i:i + 2]) for i in range(1, len(parts), 2)]
        check(len(self.notes) == (1 if self.kind == "empty-tree" else 2), BAD)
        if self.kind == "not-a-prefix":
            check(rest, BAD)
            self.root, self.proof = hash_of(after("root", rest[0])), [hash_of(line) for line in rest[1:]]
            check(len(self.proof) <= 64, BAD)
        elif self.kind == "two-entries":
            check(len(rest) >= 2, BAD)
            self.index, self.entries = decimal(after("index", rest[0]), BAD), []
            for line in rest[1:]:
                if line.startswith("entry "):
                    self.entries.append((hash_of(line[6:]), []))
                else:
                    check(self.entries, BAD)
                    self.entries[-1][1].append(hash_of(line))
            check(len(self.entries) == 2 and all(len(proof) <= 64 for _, proof in self.entries), BAD)
        else:
            check(not rest, BAD)
        if len(self.notes) == 2:
            one, two = (note.checkpoint for note in self.notes)
            check((one.size, one.root) <= (two.size, two.root), BAD)

    def verdict(self, policy):
        """ "The verdict"."""
        found = [note.key(policy) for note in self.notes]
        for note, (_, key) in zip(self.notes, found):
            check(key.type != 6 or not note.checkpoint.extensions, BAD)
            notes.verify_line(key, note.text, note.line)
        points, no = [note.checkpoint for note in self.notes], "not_proven"
        one, two = points[0], points[-1]
        check(one.origin == two.origin, no)
        check(found[0][1] == found[-1][1] or all(log for log, _ in found), no)
        try:
            self.prove(one, two, found[0][0])
        except Refused:
            raise Refused(no)
        return {"kind": self.kind, "role": "log" if found[0][0] else "witness", "origin": one.origin,
                "convicted": [key for _, key in found], "trees": [{"size": p.size, "rootHash": p.root.hex()} for p in points]}

    def prove(self, one, two, log):
        """The table of "What can be proven"."""
        no = "not_proven"
        if self.kind == "empty-tree":
            return check(log and one.size == 0 and one.root != sha256(b"").digest(), no)
        if self.kind == "same-size":
            return check(one.size == two.size > 0 and one.root != two.root, no)
        check(0 < one.size < two.size, no)
        if self.kind == "not-a-prefix":
            check(self.root != one.root, no)
            return tree.verify_consistency(one.size, self.root, two.size, two.root, self.proof)
        check(self.index < one.size and self.entries[0][0] != self.entries[1][0], no)
        for point, (leaf, proof) in zip((one, two), self.entries):
            tree.verify_inclusion(self.index, point.size, leaf, proof, point.root)
