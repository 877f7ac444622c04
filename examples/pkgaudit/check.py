#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# check.py - computes pkgaudit's answers by itself, simply, without a database, and compares.
#
#     check.py --input=TEXT --dump=DUMP [--json=JSON] [--architecture=amd64] [--versions=N]
#
# TEXT is the uncompressed Packages text that pkgaudit read, DUMP what it wrote with --dump, JSON what it printed with
# --json. The roots are those of the dump. With --versions, this program's version comparison is itself checked against
# `dpkg --compare-versions` on N pairs from the data. Exit status 0: all agree.

import argparse
import functools
import itertools
import json
import random
import re
import subprocess
import sys


# -- Versions: deb-version(7) --

def rank(character):
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def part_key(part):
    """Text and numbers in turns; the end of a text ranks 0, between the tilde and the letters."""
    key = []
    for text, number in re.findall(r"([^0-9]*)([0-9]*)", part):
        key.append(tuple(rank(c) for c in text) + (0,))
        key.append(int(number or "0"))
    return key


def compare_parts(a, b):
    empty = ((0,), 0)
    for x, y in itertools.zip_longest(part_key(a), part_key(b)):
        x = x if x is not None else empty[isinstance(y, int)]
        y = y if y is not None else empty[isinstance(x, int)]
        if x != y:
            return -1 if x < y else 1
    return 0


@functools.lru_cache(maxsize=None)
def compare_versions(a, b):
    def split(version):
        epoch, colon, rest = version.partition(":")
        if not colon:
            epoch, rest = "0", version
        upstream, hyphen, revision = rest.rpartition("-")
        return (int(epoch), upstream, revision) if hyphen else (int(epoch), rest, "")

    (epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b) = split(a), split(b)
    if epoch_a != epoch_b:
        return -1 if epoch_a < epoch_b else 1
    return compare_parts(upstream_a, upstream_b) or compare_parts(revision_a, revision_b)


MEETS = {
    "<<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "=": lambda order: order == 0,
    ">=": lambda order: order >= 0,
    ">>": lambda order: order > 0,
}
MODERN = {"<": "<=", ">": ">="}


def meets(have, relation, want):
    return not relation or (have != "" and MEETS[relation](compare_versions(have, want)))


# -- Packages text --

def stanzas(path):
    fields, name = {}, None
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            if not line.strip():
                if fields:
                    yield fields
                fields, name = {}, None
            elif line[0] in " \t":
                if name:
                    fields[name] += line
            elif line[0] != "#":
                name, _, value = line.partition(":")
                name = name.lower()
                fields[name] = value
    if fields:
        yield fields


ALTERNATIVE = re.compile(r"([^\s:(\[<|,]+)(?::([^\s(\[<|,]+))?\s*"
                         r"(?:\(\s*(<<|<=|>>|>=|=|<|>)\s*([^\s)]+)\s*\))?\s*"
                         r"(?:\[([^\]]*)\])?\s*(?:<[^>]*>\s*)*$")


def applies(listed, architecture):
    if listed is None:
        return True
    names = listed.split()
    match = {architecture, "any", "linux-any", "any-" + architecture, "linux-" + architecture}
    found = any(name.lstrip("!") in match for name in names)
    return found != any(name.startswith("!") for name in names)


def parse_field(text, architecture):
    """A list of dependencies, each a list of (name, relation, version)."""
    result = []
    for group in text.split(","):
        alternatives = []
        for alternative in group.split("|"):
            if not alternative.strip():
                continue
            found = ALTERNATIVE.match(alternative.strip())
            if not found:
                raise ValueError("malformed: " + alternative)
            name, qualifier, relation, version, listed = found.groups()
            if not applies(listed, architecture):
                continue
            if qualifier and qualifier not in ("any", "native", architecture):
                name += ":" + qualifier
            alternatives.append((name, MODERN.get(relation, relation), version or ""))
        if alternatives:
            result.append(alternatives)
    return result


class Package:
    def __init__(self, fields):
        self.name = fields["package"].strip()
        self.version = fields["version"].strip()
        self.architecture = fields["architecture"].strip()
        self.fields = fields

    def better_than(self, other):
        order = compare_versions(self.version, other.version)
        return order > 0 or (order == 0 and self.architecture < other.architecture)


class Universe:
    def __init__(self, path, architecture):
        self.packages = {}
        for fields in stanzas(path):
            package = Package(fields)
            if package.architecture not in ("all", architecture):
                continue
            old = self.packages.get(package.name)
            if old is None or package.better_than(old):
                self.packages[package.name] = package
        self.providers = {}
        self.chosen, self.missing = {}, {}
        for name, package in self.packages.items():
            for group in parse_field(package.fields.get("provides", ""), architecture):
                for target, _, version in group:
                    self.providers.setdefault(target.split(":")[0], []).append((name, version))
        for providers in self.providers.values():
            providers.sort(key=lambda provider: (provider[0].encode(), provider[1].encode()))
        for name, package in self.packages.items():
            self.choose(name, parse_field(package.fields.get("pre-depends", ""), architecture) +
                        parse_field(package.fields.get("depends", ""), architecture))

    def candidate(self, target, relation, version):
        real = self.packages.get(target)
        if real and meets(real.version, relation, version):
            return target
        for owner, provided in self.providers.get(target, ()):
            if meets(provided, relation, version):
                return owner
        return None

    def choose(self, name, groups):
        self.chosen[name], self.missing[name] = [], []
        for group in groups:
            found = next(filter(None, (self.candidate(*alternative) for alternative in group)), None)
            if found:
                self.chosen[name].append(found)
            else:
                self.missing[name].append(" | ".join(
                    target + (f" ({relation} {version})" if relation else "") for target, relation, version in group))

    def closure(self, root):
        members, waiting = {root}, [root]
        while waiting:
            for target in self.chosen[waiting.pop()]:
                if target not in members:
                    members.add(target)
                    waiting.append(target)
        return members

    def components(self, names):
        """Kosaraju's way: order of finishing, then the reversed graph."""
        finished, seen = [], set()
        for first in names:
            waiting = [] if first in seen else [(first, iter(self.chosen[first]))]
            seen.add(first)
            while waiting:
                for target in waiting[-1][1]:
                    if target not in seen:
                        seen.add(target)
                        waiting.append((target, iter(self.chosen[target])))
                        break
                else:
                    finished.append(waiting.pop()[0])
        back = {}
        for name in names:
            for target in self.chosen[name]:
                back.setdefault(target, []).append(name)
        taken = set()
        for first in reversed(finished):
            component, waiting = [], [] if first in taken else [first]
            taken.add(first)
            while waiting:
                component.append(waiting.pop())
                for source in back.get(component[-1], ()):
                    if source not in taken:
                        taken.add(source)
                        waiting.append(source)
            if len(component) > 1:
                yield sorted(component, key=str.encode)


# -- Comparison --

MASK = (1 << 64) - 1


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def expected_lines(universe, roots):
    hashes = {name: fnv(name.encode()) for name in universe.packages}
    reached, lines = set(), []
    for root in roots:
        members = universe.closure(root)
        reached |= members
        total = (sum(hashes[name] for name in members) - hashes[root]) & MASK
        missing = sum(len(universe.missing[name]) for name in members)
        lines.append(f"root {root} {len(members) - 1} {total:016x} {missing}")
    names = sorted(reached, key=str.encode)
    for name in names:
        lines += [f"missing {name}: {text}" for text in universe.missing[name]]
    lines += ["cycle " + " ".join(component) for component in sorted(universe.components(names))]
    return lines


def check_versions(universe, count):
    """Half random pairs, half neighbours in name order: those are often alike."""
    generator = random.Random(1)
    versions = [package.version for package in universe.packages.values()]
    wanted = {version for groups in universe.packages.values() for field in ("depends", "pre-depends")
              for version in re.findall(r"\([<>=]+ ([^)\s]+)\)", groups.fields.get(field, ""))}
    pool = sorted(set(versions) | wanted)
    wrong = 0
    for i in range(count):
        at = generator.randrange(len(pool))
        a, b = pool[at], generator.choice(pool) if i % 2 else pool[min(at + 1, len(pool) - 1)]
        relation = ("lt", "eq", "gt")[compare_versions(a, b) + 1]
        if subprocess.run(["dpkg", "--compare-versions", a, relation, b], check=False).returncode != 0:
            print(f"dpkg disagrees: {a} {relation} {b}")
            wrong += 1
    print(f"{count} version pairs compared as dpkg does, {wrong} differently")
    return wrong


def compare_dump(expected, found):
    wrong = 0
    for mine, theirs in itertools.zip_longest(expected, found, fillvalue="(nothing)"):
        if mine != theirs:
            wrong += 1
            if wrong <= 10:
                print(f"expected: {mine}\n   found: {theirs}")
    print(f"{len(expected)} lines expected, {wrong} differ")
    return wrong


def compare_json(expected, path):
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    roots = [line for line in expected if line.startswith("root ")]
    facts = {
        "roots": len(roots),
        "missing": sum(line.startswith("missing ") for line in expected),
        "cycles": sum(line.startswith("cycle ") for line in expected),
        "digest": f"{fnv(''.join(line + chr(10) for line in expected).encode()):016x}",
        "requests": sum(int(line.split()[2]) + 1 for line in roots) + found["reached"],
    }
    wrong = 0
    for key, value in facts.items():
        if found[key] != value:
            wrong += 1
            print(f"{key}: expected {value}, found {found[key]}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--dump", required=True)
    parser.add_argument("--json")
    parser.add_argument("--architecture", default="amd64")
    parser.add_argument("--versions", type=int, default=0)
    options = parser.parse_args()
    universe = Universe(options.input, options.architecture)
    with open(options.dump, encoding="utf-8") as file:
        found = file.read().splitlines()
    roots = [line.split()[1] for line in found if line.startswith("root ")]
    expected = expected_lines(universe, sorted(set(roots), key=str.encode))
    wrong = compare_dump(expected, found)
    if options.json:
        wrong += compare_json(expected, options.json)
    if options.versions:
        wrong += check_versions(universe, options.versions)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
