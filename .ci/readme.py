"""Runs what README.md and the pages of docs/ print against `jobstreamer dev --demo`, and
compares the answers.

Each page has a new bus of its own, and its commands run from top to bottom; some pages
run beside each other. If the commands of a page send $TOKEN, its bus requires a login, and
TOKEN is a token of the user admin. A link to a file or a heading of this repository must lead
somewhere.

A block that begins with a line "# file: NAME" is written to that file first. A block
```console holds commands ("$ ...", going on after a backslash) and below each its
answer. An answer in JSON must have the same members, all the way down, and the same
values where those are words of the API; times and counts may differ. One in EDN must have
the same keywords. A plain text must have the same lines, in any number, but for numbers,
times and spaces. The answers of nats are excerpts: there the command must succeed and say
something. A command that goes on for ever (nats sub, following a log) is ended after some
seconds; it must have said something until then. With --write the answers are replaced by
those received. Names of pages on the command line choose some of them.
"""
import concurrent.futures
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

PAGES = [pathlib.Path("README.md"), *sorted(pathlib.Path("docs").glob("*.md"))]
TOGETHER = 4  # pages that run beside each other: most of their time they wait
ENDLESS = re.compile(r"nats sub|nats kv watch|curl -\w*N|jobstreamer (serve|agent|dev|bench)|nats bench")
PATIENCE = 12  # seconds: the demo's schedule fires every ten
PASSWORD = "correct horse"  # of the user admin, on pages with commands that send $TOKEN
WORDS = {"batch_status", "exit_status", "title", "status", "app", "job", "name", "step_name", "message", "cron_notation"}


def start(data, login):
    """Starts the bus on free ports, and returns the process and its two addresses."""
    command = ["jobstreamer", "dev", "--demo", "--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--sync", "interval"]
    if login:
        file = pathlib.Path(data, "admin-password")
        file.touch(0o600)
        file.write_text(PASSWORD + "\n")
        command += ["--login", "--admin-password-file", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    found = {}
    for line in process.stdout:
        for name in ("REST API", "NATS"):
            if m := re.match(rf"\s+{name}\s+(\S+)", line):
                found[name] = m[1]
        if len(found) == 2:
            break
    else:
        sys.exit("dev did not start")
    # What the demo prints has to go somewhere.
    subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    return process, found["REST API"], found["NATS"]


def log_in(rest):
    """Returns a token of the user admin."""
    body = json.dumps({"id": "admin", "password": PASSWORD}).encode()
    with urllib.request.urlopen(urllib.request.Request(rest + "/auth", body, {"Content-Type": "application/json"})) as r:
        return json.load(r)["token"]


def wait_for_demo(rest, token):
    """Waits until the demo's first jobs and its first fire have ended."""
    for _ in range(60):
        try:
            for job in ("three-steps", "orders", "every-10s"):
                url = f"{rest}/default/job/{job}/executions"
                with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})) as r:
                    if not any(e["batch_status"] == "completed" for e in json.load(r)["results"]):
                        break
            else:
                return
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit("the demo's jobs did not run")


def blocks(page, lines):
    """Yields (first, end, command) of each command's answer in the console blocks."""
    i = 0
    while i < len(lines):
        if lines[i] != "```console":
            i += 1
            continue
        i += 1
        while lines[i] != "```":
            assert lines[i].startswith("$ "), f"{page}:{i + 1}: want a command"
            command = [lines[i][2:]]
            while command[-1].endswith("\\"):
                i += 1
                command.append(lines[i])
            i += 1
            first = i
            while lines[i] != "```" and not lines[i].startswith("$ "):
                i += 1
            yield first, i, "\n".join(command)
        i += 1


FILE = re.compile(r"^```\w+\n# file: ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command, rest, nats, data, token):
    """Returns what the command prints, or ends with what is wrong."""
    text = command.replace("http://127.0.0.1:45102", rest).replace("nats://127.0.0.1:4222", nats)
    endless = ENDLESS.search(command)
    process = subprocess.Popen(["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=data,
                               env={**os.environ, "NATS_URL": nats, "JOBSTREAMER_NATS_URL": nats, "JOBSTREAMER_URL": rest, "JOBSTREAMER_SERVER": rest, "JOBSTREAMER_DATA": data, "XDG_CONFIG_HOME": data + "/config", "TOKEN": token})
    try:
        out, _ = process.communicate(timeout=PATIENCE if endless else 60)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        code = 0 if endless else -1
    out = out.replace(rest, "http://127.0.0.1:45102").replace(nats, "nats://127.0.0.1:4222").strip("\n")
    return code, out


def differences(want, got, path=""):
    """Yields the places where the shape of two answers differs."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if key not in want or key not in got:
                yield f"{path}/{key} is only in {'the page' if key in want else 'the answer'}"
            else:
                yield from differences(want[key], got[key], f"{path}/{key}")
    elif isinstance(want, list) and isinstance(got, list):
        if want and not got:
            yield f"{path} is empty"
        elif want and got:
            yield from differences(want[0], got[0], f"{path}/0")
    elif type(want) is not type(got) and not {type(want), type(got)} <= {int, float, str, type(None)}:
        yield f"{path} is {got!r}, not {want!r}"
    elif path.rsplit("/", 1)[-1] in WORDS and want != got:
        yield f"{path} is {got!r}, not {want!r}"


KEYWORD = re.compile(r":[a-z][a-z-]*/[a-z-]+\??")
EXECUTION = re.compile(r":db/id (\d+) :job-execution/execution-id")


def keywords(text):
    """Those of an answer in EDN, but of logs, which may come a moment later."""
    return {k for k in KEYWORD.findall(text) if "log" not in k} if text.startswith(("{:", "[{:")) else set()


TIME = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")
ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b")
NUMBER = re.compile(r"[-+]?\d[\d,.:TZ+-]*(?: ?(?:ns|µs|ms|s|m|h|B|[KMGT]i?B)\b|%)?")


def plain_lines(text):
    """The lines of a plain text, without what differs from run to run."""
    text = re.sub(r"\n {16,}", " ", text)  # a long line of doctor, wrapped
    text = text.replace("/home/me/", "~/").replace(platform.node(), "vm")
    lines = (NUMBER.sub("#", TIME.sub("#", ID.sub("#", line))) for line in text.split("\n"))
    return {" ".join(re.sub(r"#(?:[ :./-]*#)*", "#", line).split()) for line in lines}


def parsed(text):
    """The JSON in an answer, after the lines of a header if it has any."""
    body = text.split("\n\n", 1)[1] if text.startswith("HTTP/1.1") and "\n\n" in text else text
    try:
        return json.loads(body)
    except ValueError:
        return None


def pretty(text):
    value = parsed(text)
    if value is None:
        return [line.rstrip() for line in text.replace("\r", "").split("\n")]
    return json.dumps(value, indent=2, ensure_ascii=False).split("\n")


HEADING = re.compile(r"^#+ +(.*?) *$")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(page):
    """Yields (number, line) of a page without its blocks of code."""
    code = False
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if line.startswith("```"):
            code = not code
        elif not code:
            yield number, line


def anchors(page):
    """The headings of a page, as GitHub makes anchors of them."""
    found = (HEADING.match(line) for _, line in prose(page))
    return {re.sub(r"[^\w\- ]", "", m[1].lower()).replace(" ", "-") for m in found if m}


def broken_links(page):
    """Yields the links of a page that lead to no file or heading of this repository."""
    for number, line in prose(page):
        for link in LINK.findall(line):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or anchor and anchor not in anchors(target):
                yield f"{page}:{number}: {link} leads nowhere"


def run_page(page, write):
    """Runs a page's commands against a new bus, and returns how many there are, how many
    of them went wrong, and a report."""
    lines = page.read_text().split("\n")
    if not any(blocks(page, lines)):
        return 0, 0, ""
    wrong = commands = 0
    answers, report = [], [f"== {page}"]
    with tempfile.TemporaryDirectory() as data:
        login = any("$TOKEN" in command for _, _, command in blocks(page, lines))
        bus, rest, nats = start(data, login)
        try:
            for name, text in FILE.findall("\n".join(lines)):
                pathlib.Path(data, name).write_text(text.replace("http://127.0.0.1:45102", rest))
            token = log_in(rest) if login else ""
            wait_for_demo(rest, token)
            ids = {}  # of executions: on the page, and here
            for first, end, command in blocks(page, lines):
                command = re.sub(r"/execution/(\d+)", lambda m: f"/execution/{ids.get(m[1], m[1])}", command)
                code, out = run(command, rest, nats, data, token)
                out = out.replace(data, "~/.local/share/jobstreamer")
                before = "\n".join(lines[first:end])
                want, got = parsed(before), parsed(out)
                problems = []
                if code != 0:
                    problems.append(f"exit code {code}")
                elif not out and (first != end or command.startswith("nats")):
                    problems.append("it says nothing")
                elif want is not None and got is None:
                    problems.append("not JSON")
                elif want is not None and not write:
                    problems += differences(want, got)
                elif got is not None and "code" in got and "-X" in command and want is not None and "code" not in want:
                    problems.append("refused")
                if not write and not problems and first != end and not command.startswith("nats") and want is None and not keywords(before):
                    problems += [f"only on the page: {l}" for l in sorted(plain_lines(before) - plain_lines(out))]
                    problems += [f"only in the answer: {l}" for l in sorted(plain_lines(out) - plain_lines(before))]
                if not write and keywords(before) != keywords(out):
                    problems.append(f"other keywords: {sorted(keywords(before) ^ keywords(out))}")
                if (a := EXECUTION.search(before)) and (b := EXECUTION.search(out)):
                    ids.setdefault(a[1], b[1])
                if isinstance(want, dict) and isinstance(got, dict) and "execution_id" in got:
                    ids[str(want.get("execution_id"))] = str(got["execution_id"])
                report.append(("WRONG " if problems else "ok    ") + command.split("\n")[0])
                report += ["      " + p for p in problems]
                if problems:
                    wrong += 1
                    report += ["      | " + l for l in out.split("\n")[:40]]
                elif first != end:
                    answers.append((first, end, command, pretty(out)))
                commands += 1
        finally:
            bus.send_signal(signal.SIGINT)
            if bus.wait(timeout=30) != 0:
                report.append(f"WRONG dev ended with {bus.returncode}")
                wrong += 1
    if write:
        for first, end, command, text in reversed(answers):
            rows = command.split("\n")
            rows[0] = "$ " + rows[0]
            lines[first - len(rows):end] = rows + text
        page.write_text("\n".join(lines))
    return commands, wrong, "\n".join(report)


def main():
    write = "--write" in sys.argv
    chosen = {pathlib.Path(a) for a in sys.argv[1:] if a != "--write"}
    pages = [p for p in PAGES if not chosen or p in chosen]
    links = [fault for page in pages for fault in broken_links(page)]
    wrong, commands = len(links), 0
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
        for running in [pool.submit(run_page, page, write) for page in pages]:
            n, bad, report = running.result()
            commands += n
            wrong += bad
            if report:
                print(report, flush=True)
    print("\n".join(["== links", *(links or ["ok"])]))
    if not commands:
        sys.exit("no commands found")
    print(f"{len(pages)} pages, {commands} commands, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
