#!/usr/bin/env python3
"""Counts what makes the code hard to read.

house.py           prints the counts
house.py --check   fails if a comment line is wider than 100 columns

Tabs count as four columns.
"""
import collections
import re
import subprocess
import sys
from pathlib import Path

MAX_WIDTH = 100
# One word with several meanings, as found in November 2026.
VAGUE = ["take", "judge", "follow", "note", "lane", "token", "monitor", "record", "wish", "chore"]

COMMENT = re.compile(r"^\s*//")
FUNCTION = re.compile(r"^func (?:\([^)]*\) )?(\w+)[\[(]")
EXPORTED = re.compile(r"^(?:func (?:\([^)]*\) )?([A-Z]\w*)|type ([A-Z]\w*)|(?:var|const) ([A-Z]\w*)|\t([A-Z]\w*)(?:, [A-Z]\w*)* +(?:\w+ )?= )")
TYPE = re.compile(r"^type (\w+)")


def sources():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go"], capture_output=True, text=True, check=True).stdout.split()
    return [Path(n) for n in names if Path(n).exists()]


def main():
    wide, wide80, comments = [], 0, 0
    functions, types = collections.Counter(), collections.Counter()
    rooms = collections.defaultdict(lambda: {"files": 0, "code": 0, "test": 0, "exports": 0})
    for path in sources():
        lines = path.read_text().splitlines()
        test = path.name.endswith("_test.go")
        room = rooms[str(path.parent)]
        room["test" if test else "code"] += len(lines)
        room["files"] += not test
        for number, line in enumerate(lines, 1):
            if COMMENT.match(line):
                comments += 1
                width = len(line.expandtabs(4))
                wide80 += width > 80
                if width > MAX_WIDTH:
                    wide.append((path, number, width))
            if test:
                continue
            if m := FUNCTION.match(line):
                functions[m[1]] += 1
            if m := TYPE.match(line):
                types[m[1]] += 1
            if EXPORTED.match(line):
                room["exports"] += 1

    if "--check" in sys.argv[1:]:
        for path, number, width in wide:
            print(f"{path}:{number}: a comment of {width} columns; at most {MAX_WIDTH}")
        return bool(wide)

    total = sum(functions.values())
    short = sum(n for name, n in functions.items() if re.fullmatch(r"[a-z]{1,7}", name))
    often = {name: n for name, n in functions.items() if n > 3 and re.fullmatch(r"[a-z]{1,7}", name)}
    print(f"comment lines              {comments}")
    print(f"  over 80 columns          {wide80} ({100 * wide80 / comments:.1f} %)")
    print(f"  over {MAX_WIDTH} columns         {len(wide)} ({100 * len(wide) / comments:.1f} %)")
    print(f"functions                  {total}")
    print(f"  one word, up to 7        {short} ({100 * short / total:.1f} %)")
    print(f"  such a word over 3 times {len(often)} words, {sum(often.values())} functions: " + " ".join(sorted(often, key=lambda w: -often[w])[:12]))
    print("functions, types named     " + ", ".join(f"{w} {functions[w]} {types[w]}" for w in VAGUE))
    print(f"\n{'folder':36} files  code  test test/code exports")
    for name, r in sorted(rooms.items()):
        if r["files"]:
            print(f"{name:36} {r['files']:5} {r['code']:5} {r['test']:5} {r['test'] / r['code']:9.2f} {r['exports']:7}")
    return False


if __name__ == "__main__":
    sys.exit(main())
