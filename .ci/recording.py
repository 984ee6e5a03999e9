#!/usr/bin/env python3
"""Records `jobstreamer dev --demo` as an animated picture.

recording.py PROGRAM FILE.svg

The program runs in a terminal of its own for a few seconds, on free ports and
in a temporary folder; the picture shows the default ones instead. Each line
appears when it was printed. A reader who prefers no motion sees all at once.
"""
import html
import os
import pty
import re
import select
import signal
import socket
import sys
import tempfile
import time

SECONDS = 6.5
COLUMNS = 92
FONT, LINE, LEFT, TOP = 14, 20, 18, 52
CHAR = FONT * 0.602  # the width of a character of a monospaced font
COLORS = {"1": "#ffffff", "2": "#7d8590", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def record(program, folder):
    """Returns what the program printed as (seconds, line)."""
    http, nats = free_port(), free_port()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS=str(COLUMNS), TERM="xterm-256color")
        os.execv(program, [program, "dev", "--demo", "--data", folder, "--http", f"127.0.0.1:{http}", "--nats", f"127.0.0.1:{nats}"])
    start, lines, rest, told = time.monotonic(), [], "", False
    while True:
        now = time.monotonic() - start
        if now > SECONDS and not told:
            os.kill(pid, signal.SIGINT)
            told = True
        if now > SECONDS + 30:
            os.kill(pid, signal.SIGKILL)
        try:
            if not select.select([fd], [], [], 0.1)[0]:
                continue
            data = os.read(fd, 65536).decode()
        except OSError:  # the terminal is closed: the program has ended
            break
        *whole, rest = (rest + data).replace("\r", "").split("\n")
        lines += [(now, line) for line in whole]
    os.waitpid(pid, 0)
    shown = {f":{http}": ":45102", f":{nats}": ":4222", folder: "~/.local/share/jobstreamer"}
    for was, now in shown.items():
        lines = [(t, line.replace(was, now)) for t, line in lines]
    return lines


def spans(line):
    """Returns a line as (text, color), its escape sequences taken out."""
    color, parts = None, []
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if m := re.fullmatch(r"\x1b\[([0-9;]*)m", piece):
            color = COLORS.get(m[1].split(";")[-1])
        elif piece:
            parts.append((piece, color))
    return parts


def cut(line):
    """Returns a line with at most COLUMNS characters, not counting its escape sequences."""
    room, out = COLUMNS, ""
    if len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= room:
        return line
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not piece.startswith("\x1b"):
            piece = piece if len(piece) < room else piece[: max(room - 1, 0)] + "…" * (room > 0)
            room -= len(piece)
        out += piece
    return out


def picture(lines):
    width, height = int(LEFT * 2 + COLUMNS * CHAR), TOP + LINE * len(lines)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="jobstreamer dev --demo in a terminal">',
        "<style>text{font:%dpx ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#c9d1d9;white-space:pre}" % FONT,
        ".l{opacity:0;animation:s .01s linear forwards}@keyframes s{to{opacity:1}}@media(prefers-reduced-motion:reduce){.l{opacity:1;animation:none}}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *(f'<circle cx="{LEFT + 4 + 20 * i}" cy="18" r="6" fill="{c}"/>' for i, c in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))),
    ]
    for number, (at, line) in enumerate(lines):
        text = "".join(f'<tspan fill="{c}">{html.escape(t)}</tspan>' if c else html.escape(t) for t, c in spans(line))
        out.append(f'<text class="l" x="{LEFT}" y="{TOP + LINE * number}" style="animation-delay:{at:.2f}s" xml:space="preserve">{text}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    program, file = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        lines = record(os.path.abspath(program), os.path.join(folder, "data"))
    lines = [(0, "$ jobstreamer dev --demo"), *lines]
    with open(file, "w") as f:
        f.write(picture([(t, cut(line)) for t, line in lines]))


if __name__ == "__main__":
    main()
