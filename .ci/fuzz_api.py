"""Sends generated requests to a control bus that requires a login, as an admin, an operator and
a watcher, and compares the answers with its OpenAPI document: no answer may be a 5xx, and the
status, the media type and the body must be as documented.

    fuzz_api.py JOBSTREAMER SCHEMATHESIS REQUESTS

REQUESTS is how many requests each role sends at least. Half of them name an application, a job
and an execution that exist. Streams are left out, since they do not end, and so are the routes
that end the login or the key of the role that is tested.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

PASSWORD = "zebra crossing nine"
ROLES = ("admin", "operator", "watcher")
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,negative_data_rejection"
LEFT_OUT = r"^/auth$|^/events$|/log$|^/user/\{id\}"
FIXED = """
[parameters]
"path.app" = "default"
"path.job" = "hello"

[[operations]]
include-path-regex = "/execution/"
parameters = { "path.id" = 1 }
"""


def call(method, url, key, body=None):
    """Sends a request and returns its answer, or None if it has no body."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = "Bearer " + key
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read() or "null")


def start(jobstreamer, data):
    """Starts the bus, and returns the process and its address."""
    file = pathlib.Path(data, "admin-password")
    file.touch(0o600)
    file.write_text(PASSWORD)
    process = subprocess.Popen(
        [jobstreamer, "serve", "--login", "--admin-password-file", str(file), "--data", str(pathlib.Path(data, "bus")),
         "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--sync", "interval"],
        stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if m := re.search(r'"http":"([^"]+)"', line):
            # What the bus logs has to go somewhere.
            subprocess.Popen(["grep", "-v", '"INFO"'], stdin=process.stderr)
            return process, m[1]
    sys.exit("the bus did not start")


def make_keys(bus):
    """Makes a user for each role, and returns their keys."""
    token = call("POST", bus + "/auth", None, {"id": "admin", "password": PASSWORD})["token"]
    for role in ROLES:
        call("POST", bus + "/user", token, {"id": "fuzz-" + role, "password": PASSWORD, "role": role})
    keys = {role: call("POST", f"{bus}/user/fuzz-{role}/key", token)["key"] for role in ROLES}
    call("POST", bus + "/default/jobs", token, {"id": "hello", "steps": [{"id": "s"}]})
    call("POST", bus + "/default/job/hello/executions", token, {})
    return keys


def run(schemathesis, bus, key, work, config, phases, examples):
    """Runs the fuzzer, and returns how many requests it sent, or exits with its report."""
    pathlib.Path(work, "schemathesis.toml").write_text(config)
    answer = urllib.request.urlopen(urllib.request.Request(bus + "/openapi.json", headers={"Authorization": "Bearer " + key}))
    pathlib.Path(work, "openapi.json").write_bytes(answer.read())
    done = subprocess.run(
        [schemathesis, "run", "openapi.json", "-u", bus, "-H", "Authorization: Bearer " + key, "-n", str(examples),
         "--phases", phases, "--request-timeout", "30", "--no-shrink", "--continue-on-failure",
         "--exclude-path-regex", LEFT_OUT, "-c", CHECKS],
        cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sent = re.search(r"(\d+) generated", done.stdout)
    failed = re.search(r"=+ FAILURES =+.*?(?==+ \w+ =+)", done.stdout, re.DOTALL)
    if failed or not sent:
        sys.exit(failed[0] if failed else done.stdout)
    return int(sent[1])


def main(jobstreamer, schemathesis, requests):
    with tempfile.TemporaryDirectory() as data:
        process, bus = start(jobstreamer, data)
        try:
            keys = make_keys(bus)
            # The phase coverage alone sends some thousands.
            phases = "examples,coverage,fuzzing" if requests > 5000 else "examples,fuzzing"
            for role in ROLES:
                sent = 0
                while sent < requests:
                    # A run sends some examples of each of about 70 operations.
                    for config in "", FIXED:
                        examples = max(3, min(200, (requests - sent) // 140))
                        sent += run(schemathesis, bus, keys[role], data, config, phases, examples)
                call("GET", bus + "/account", keys[role])  # the key was good until the end
                print(f"{role}: {sent} requests, each answered as documented", flush=True)
        finally:
            process.terminate()
            process.wait(60)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
