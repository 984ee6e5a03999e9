#!/usr/bin/env python3
"""Counts what makes the code hard to read.

house.py           prints the counts, now and before the names and comments were
                   rewritten (commit 8aaa55c)
house.py --constants
                   prints the counts as BEFORE has them
house.py --check   fails if a comment is too wide: a line that is only a comment
                   at 100 columns, a comment after code at 110

Tabs count as four columns.
"""
import collections
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

MAX_WIDTH = 100
MAX_AFTER_CODE = 110
# Words with several meanings, as found in November 2026. Some of them are now
# reserved for one: token, monitor, record.
VAGUE = ["take", "judge", "follow", "note", "lane", "token", "monitor", "record", "wish", "chore", "life", "heart", "ship", "figures"]
# Scripts whose comments begin with #.
SCRIPTS = [".ci/run", ".ci/*.py", "agent/examples/*.py"]

# The counts at commit 8aaa55c, by this script.
BEFORE = {
    "comment lines": 3906,
    "  over 80 columns": 1487,
    "  over 100 columns": 808,
    "comments after code that end over 110 columns": 103,
    "functions": 2276,
    "  one word of up to 7 letters": 961,
    "  with such a name that occurs over 3 times": 344,
    "functions and types with the word take": 22,
    "functions and types with the word judge": 10,
    "functions and types with the word follow": 14,
    "functions and types with the word note": 8,
    "functions and types with the word lane": 3,
    "functions and types with the word token": 10,
    "functions and types with the word monitor": 12,
    "functions and types with the word record": 4,
    "functions and types with the word wish": 3,
    "functions and types with the word chore": 1,
    "functions and types with the word life": 3,
    "functions and types with the word heart": 2,
    "functions and types with the word ship": 0,
    "functions and types with the word figures": 3,
    "exports of bus": 164,
    "files of httpapi, without tests": 32,
}
# Texts that a POST of a job by a v1 client made the bus parse. The test counts
# them.
PARSES, PARSES_BEFORE, PARSES_TEST = 2, 6, "TestPostOfJobParsesTwice"

FUNCTION = re.compile(r"^func (?:\([^)]*\) )?(\w+)[\[(]")
EXPORTED = re.compile(r"^(?:func (?:\([^)]*\) )?([A-Z]\w*)|type ([A-Z]\w*)|(?:var|const) ([A-Z]\w*)|\t([A-Z]\w*)(?:, [A-Z]\w*)* +(?:\w+ )?= )")
TYPE = re.compile(r"^type (\w+)")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# What ends a piece of Go in which // is no comment, after what begins it.
GO_PIECE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`[^`]*`|/\*.*?\*/|(//[^\n]*)', re.DOTALL)


def files(*patterns):
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns], capture_output=True, text=True, check=True).stdout.split()
    return [Path(n) for n in names if Path(n).exists()]


def go_comments(text):
    """Yields the number of each line with a // comment."""
    number, at = 1, 0
    for m in GO_PIECE.finditer(text):
        if m[1] is not None:
            number += text.count("\n", at, m.start())
            at = m.start()
            yield number


def python_comments(text):
    """Yields the number of each line with a # comment or of a docstring."""
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0]
        elif token.type == tokenize.STRING and fresh:
            yield from range(token.start[0], token.end[0] + 1)
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            fresh = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def shell_comments(text):
    """Yields the number of each line that is a # comment, or seems to end in one."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"(^|\s)# ", line):
            yield number


def comments_of(path):
    """Yields (number, width, whole) of each line with a comment; whole: nothing precedes it."""
    text = path.read_text()
    find = {".go": go_comments, ".py": python_comments}.get(path.suffix, shell_comments)
    mark = "//" if path.suffix == ".go" else "#"
    lines = text.splitlines()
    for number in find(text):
        line = lines[number - 1]
        after_code = not line.lstrip().startswith(mark) and mark in line
        yield number, len(line.expandtabs(4)), not after_code


def too_wide():
    """Yields (path, number, width, limit) of each comment that is too wide."""
    for path in files("*.go", *SCRIPTS):
        for number, width, whole in comments_of(path):
            limit = MAX_WIDTH if whole else MAX_AFTER_CODE
            if width > limit:
                yield path, number, width, limit


def counts():
    """Returns the counts by name, and the sizes of each folder."""
    n, functions = collections.Counter(), collections.Counter()
    folders = collections.defaultdict(collections.Counter)
    vague = collections.Counter()
    for path in files("*.go"):
        test = path.name.endswith("_test.go")
        text = path.read_text()
        lines = text.splitlines()
        folder = folders[str(path.parent)]
        folder["test" if test else "code"] += len(lines)
        folder["files"] += not test
        for _, width, whole in comments_of(path):
            if whole:
                n["comment lines"] += 1
                n["  over 80 columns"] += width > 80
                n[f"  over {MAX_WIDTH} columns"] += width > MAX_WIDTH
            else:
                n[f"comments after code that end over {MAX_AFTER_CODE} columns"] += width > MAX_AFTER_CODE
        if test:
            continue
        for line in lines:
            function, kind = FUNCTION.match(line), TYPE.match(line)
            if function:
                functions[function[1]] += 1
            for name in (m[1] for m in (function, kind) if m):
                vague.update({w.lower() for w in WORD.findall(name)} & set(VAGUE))
            if EXPORTED.match(line):
                folder["exports"] += 1
    often = {name: k for name, k in functions.items() if k > 3 and re.fullmatch(r"[a-z]{1,7}", name)}
    n["functions"] = sum(functions.values())
    n["  one word of up to 7 letters"] = sum(k for name, k in functions.items() if re.fullmatch(r"[a-z]{1,7}", name))
    n["  with such a name that occurs over 3 times"] = sum(often.values())
    for word in VAGUE:
        n[f"functions and types with the word {word}"] = vague[word]
    n["exports of bus"] = folders["bus"]["exports"]
    n["files of httpapi, without tests"] = folders["httpapi"]["files"]
    return n, folders


def main():
    if "--check" in sys.argv[1:]:
        wide = list(too_wide())
        for path, number, width, limit in wide:
            print(f"{path}:{number}: a comment that ends in column {width}; at most {limit}")
        return bool(wide)

    n, folders = counts()
    if "--constants" in sys.argv[1:]:
        print(dict(n))
        return False
    n[f"texts parsed by a v1 POST of a job ({PARSES_TEST})"] = PARSES
    print(f"{'':62} {'now':>6} {'before':>6}")
    for name, k in n.items():
        print(f"{name:62} {k:6} {BEFORE.get(name, PARSES_BEFORE if PARSES_TEST in name else 0):6}")
    print(f"\n{'folder':36} files  code  test test/code exports")
    for name, r in sorted(folders.items()):
        if r["files"]:
            print(f"{name:36} {r['files']:5} {r['code']:5} {r['test']:5} {r['test'] / r['code']:9.2f} {r['exports']:7}")
    return False


if __name__ == "__main__":
    sys.exit(main())
