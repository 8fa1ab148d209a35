"""C2SP tlog-policy, operators, f and the gate: spec/formats.md, "Policies"."""

import re
from itertools import combinations, product

from notes import parse_vkey
from plain import Refused, check, utf8


class Policy:
    def __init__(self, raw):
        """tlog-policy, "Policy file syntax and structure"; formats.md, "Limits". Names are octets, kept as Latin-1."""
        self.logs, self.witnesses, self.groups, self.quorum, self.comments = [], {}, {}, None, []
        check(len(raw) <= 1 << 20 and raw.endswith(b"\n") and not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw), "bad_policy")
        listed = set()
        for line in raw.decode("latin-1")[:-1].split("\n"):
            words = [word for word in re.split("[ \t]+", line) if word]
            if not words:
                continue
            if words[0].startswith("#"):
                self.comments.append(line.strip(" \t")[1:])
                continue
            keyword, rest = words[0], words[1:]
            if keyword == "log" and len(rest) in (1, 2):
                self.logs.append(self.key(rest[0], (1, 6), self.logs))
            elif keyword == "witness" and len(rest) in (2, 3):
                self.new_name(rest[0])
                self.witnesses[rest[0]] = self.key(rest[1], (4, 6), self.witnesses.values())
            elif keyword == "group" and len(rest) >= 3:
                name, k, members = rest[0], rest[1], rest[2:]
                self.new_name(name)
                k = {"any": "1", "all": str(len(members))}.get(k, k)
                check(re.fullmatch("[1-9][0-9]{0,2}", k, re.ASCII) and int(k) <= len(members), "bad_policy")
                for member in members:
                    check((member in self.witnesses or member in self.groups) and member not in listed, "bad_policy")
                    listed.add(member)
                self.groups[name] = (int(k), members)
            elif keyword == "quorum" and len(rest) == 1 and self.quorum is None:
                check(rest[0] == "none" or rest[0] in self.witnesses or rest[0] in self.groups, "bad_policy")
                self.quorum = rest[0]
            else:
                raise Refused("bad_policy")
        check(self.quorum is not None and max(map(len, (self.logs, self.witnesses, self.groups))) <= 256, "bad_policy")
        names = [(key.name, key.id) for key in [*self.logs, *self.witnesses.values()]]
        check(len(set(names)) == len(names), "bad_policy")
        self.find_operators()

    def key(self, vkey, types, others):
        key = parse_vkey(utf8(vkey.encode("latin-1"), "bad_policy"), "bad_policy")
        check(key.type in types and all(key.raw != other.raw for other in others), "bad_policy")
        return key

    def new_name(self, name):
        check(name != "none" and name not in self.witnesses and name not in self.groups, "bad_policy")

    def find_operators(self):
        """formats.md, "Operators": self.operator maps a witness to its operator, self.prose says if a comment is none."""
        sets = {}
        for witness, key in self.witnesses.items():
            sets.setdefault(key.name.encode().decode("latin-1"), set()).add(witness)
        self.prose = False
        for comment in self.comments:
            words = [word for word in re.split("[ \t]+", comment) if word]
            known = [word for word in words[2:] if word in self.witnesses] if words[:1] == ["operator"] else []
            self.prose = self.prose or not known
            if known:
                check(known == words[2:], "bad_policy")
                sets.setdefault(words[1], set()).update(known)
        merged = []
        for group in sets.values():
            apart = [other for other in merged if not other & group]
            merged = apart + [group.union(*(other for other in merged if other & group))]
        order = list(self.witnesses)
        merged.sort(key=lambda group: min(map(order.index, group)))
        self.operator = {witness: number for number, group in enumerate(merged) for witness in group}
        self.operators = len(merged)

    def met(self, by):
        """tlog-policy, "Defining the quorum"."""
        def witnessed(name):
            if name not in self.groups:
                return name in by
            k, members = self.groups[name]
            return sum(map(witnessed, members)) >= k
        return self.quorum == "none" or witnessed(self.quorum)

    @property
    def faults(self):
        """formats.md, "f": the smallest number of operators that two quorums share, less one. Operators of several witnesses
        are tried in each of three ways (in the one quorum, in the other, in both); for the rest each group counts. With more than
        12 such operators it is not computed here; the specification has no bound."""
        if self.quorum == "none":
            return -1
        counted = self.below(self.quorum)
        several = sorted({o for w, o in self.operator.items() if w in counted and sum(self.operator[v] == o for v in counted) > 1})
        check(len(several) <= 12, "faults_not_computed")

        def best(assigned):
            def cost(name):
                """The least number shared, where name is witnessed in (one, other, both) quorums."""
                if name not in self.groups:
                    if self.operator[name] not in assigned:
                        return {(0, 0): 0, (1, 0): 0, (0, 1): 0, (1, 1): 1}
                    return {assigned[self.operator[name]]: 0}
                k, members = self.groups[name]
                sums = {(0, 0): 0}
                for options in map(cost, members):
                    found = {}
                    for (a, b), c in sums.items():
                        for (x, y), d in options.items():
                            to = min(a + x, k), min(b + y, k)
                            found[to] = min(found.get(to, c + d), c + d)
                    sums = found
                out = {}
                for (a, b), c in sums.items():
                    to = int(a == k), int(b == k)
                    out[to] = min(out.get(to, c), c)
                return out
            return cost(self.quorum).get((1, 1), 1 << 30) + sum(way == (1, 1) for way in assigned.values())

        ways = product([(1, 0), (0, 1), (1, 1)], repeat=len(several))
        return min(best(dict(zip(several, way))) for way in ways) - 1

    @property
    def scattered(self):
        """attestations.md, "The charter": whether an operator stands in more than one place of the quorum."""
        def places(name):
            if name not in self.groups:
                return [self.operator[name]]
            found = [place for member in self.groups[name][1] for place in places(member)]
            return found[:1] if len(set(found)) == 1 else found
        found = [] if self.quorum == "none" else places(self.quorum)
        return len(set(found)) < len(found)

    def below(self, name):
        return {name} if name in self.witnesses else {w for member in self.groups[name][1] for w in self.below(member)}

    def gate(self, silent, in_step):
        """formats.md, "The gate"; vectors/README.md, "Policies and tlog-proofs"."""
        operators = {self.operator[w] for w in in_step}
        for n in range(len(operators) + 1):
            for joined in combinations(operators, n):
                if self.met({*silent, *(w for w in self.witnesses if self.operator[w] in joined)}):
                    return n
        return None


def time_bounds(faults, timestamps):
    """attestations.md, "Time": (lower, upper) of [(operator, timestamp)], or (None, None)."""
    by = {}
    for operator, timestamp in timestamps:
        if timestamp:
            by.setdefault(operator, []).append(timestamp)
    if faults < 0 or len(by) < faults + 1:
        return None, None
    return sorted(map(max, by.values()), reverse=True)[faults], sorted(map(min, by.values()))[faults]
