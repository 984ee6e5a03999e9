#!/usr/bin/env python3
"""An agent in Python, written from the comment of package subjects (../../subjects/doc.go).

    pip install -r requirements.txt
    jobstreamer agent-token create py1 --apps default -o py1.creds
    python agent.py --nats-url nats://localhost:4222 --nats-creds py1.creds \
        --name py1 --apps default --data /var/lib/py1

It runs steps that are an org.jobstreamer.batch.ShellBatchlet with the property "command",
one after the other; a job with anything else, also with secrets, ends failed, and the
exception names the element. The first SIGTERM lets what runs come to its end, a second
one stops it.
Processes that a step or a killed agent left are found by their environment, in /proc: on
Linux alone.
"""
import argparse, asyncio, contextlib, errno, fcntl, glob, json, os, platform, re, signal, sys, tempfile, time, uuid
from pathlib import Path

import nats

MAX_HOLD, LOST_AFTER, GRACE = 30, 3, 5  # seconds; heartbeat intervals; seconds from SIGTERM to SIGKILL
# Seconds that a body waits while no output can be stored; last lines that are
# kept then.
PATIENCE, TAIL = 60, 500
MAX_OUTPUT, MAX_VALUES = 256 << 10, 64 << 10  # bytes of the output file, of the values of all steps
# The broker's answer is not known.
UNSURE = nats.errors.Error, OSError, asyncio.TimeoutError, ValueError, KeyError
# The rest may hold credentials.
INHERITED = "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"


def now():
    t = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + f".{int(t * 1000) % 1000:03d}Z"


def pack(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def kill(group, sig=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sig)


def variables(parameters):
    """The environment of the parameters. Raises ValueError for two that would be one variable."""
    names = {}
    for name in sorted(parameters):
        variable = "JOBSTREAMER_PARAM_" + re.sub("[^A-Z0-9]", "_", re.sub("[a-z]", lambda c: c[0].upper(), name))
        if variable in names:
            raise ValueError(f"the parameters {names[variable]!r} and {name!r} are one variable, {variable}")
        names[variable] = name
    return {variable: parameters[name] for variable, name in names.items()}


def plan(request):
    """The steps to run, as pairs of id and command. Raises ValueError for what this agent
    cannot run."""
    job, todo, seen = request["definition"], [], set()
    done = {s["step_name"] for s in request.get("steps") or [] if s["batch_status"] == "completed"}
    elements = {e["id"]: e for e in job.get("steps") or []}
    if job.get("listeners"):
        raise ValueError(f"job {job['id']}: this agent has no listeners")
    name = request.get("restart_position") or next(iter(elements), None)
    while name:
        if name not in elements or name in seen:
            raise ValueError(f"element {name}: " + ("it comes twice" if name in seen else "there is none"))
        seen.add(name)
        step = elements[name]
        for key in step.keys() - {"id", "next", "properties", "allow_start_if_complete", "batchlet"}:
            raise ValueError(f"element {name}: this agent cannot do {key!r}, only batchlets one after the other")
        batchlet = step.get("batchlet") or {}
        command = (batchlet.get("properties") or {}).get("command", "")
        if "secrets" in {**(step.get("properties") or {}), **(batchlet.get("properties") or {})}:
            raise ValueError(f"element {name}: this agent cannot do 'secrets'")
        if batchlet.get("ref") != "org.jobstreamer.batch.ShellBatchlet" or not command or "#{" in command:
            raise ValueError(f"element {name}: this agent cannot run {batchlet.get('ref')!r} with {command!r}")
        if name not in done or str(step.get("allow_start_if_complete")).lower() == "true":
            todo.append((name, command))
        name = step.get("next")
    return todo


def output(file, others):
    """The exit status, persistent data and values that a step has written to its output file.
    Raises ValueError for a bad line, or too many bytes with the values of the other steps."""
    found, values, lines = {}, {}, []
    with contextlib.suppress(FileNotFoundError):
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as f:
            lines = [line.removesuffix("\r") for line in f.read(MAX_OUTPUT + 1).decode().split("\n")]
            if f.tell() > MAX_OUTPUT:
                raise ValueError(f"want at most {MAX_OUTPUT} bytes")
    rest = iter(enumerate(lines, 1))
    for n, line in rest:
        name, sign, value = re.fullmatch("([^=<]*(?:<(?!<)[^=<]*)*)(=|<<|)(.*)", line).groups()
        if sign == "<<":
            end, value = value, []
            for _, more in rest:
                if more == end:
                    break
                value.append(more)
            else:
                sign = ""
            value, sign = "\n".join(value), sign if end else ""
        if not line.strip():
            continue
        if "\0" in value:
            raise ValueError(f"line {n}: want a value without NUL characters")
        if sign and re.fullmatch("value[.][a-z_][a-z0-9_]{0,63}", name):
            values[name[len("value."):]] = value
        elif sign and (name == "persistent_data" or name == "exit_status" and value and "\n" not in value):
            found[name] = value
        else:
            raise ValueError(f"line {n}: want exit_status, persistent_data or value.name, then =VALUE or <<WORD, got {line[:40]!r}")
    size = sum(len((k + v).encode()) for one in (*others, values) for k, v in one.items())
    if size > MAX_VALUES or len(found.get("persistent_data", "").encode()) > MAX_VALUES:
        raise ValueError(f"want values of all steps, and persistent data, of at most {MAX_VALUES} bytes")
    return {**found, **({"values": values} if values else {})}


class Attempt:
    """One handling of one delivery of a request, from the fetch until its end is stored
    or refused."""

    def __init__(self, agent, execution, attempt, expected):
        self.id, self.app, self.job = execution["execution_id"], execution["app"], execution["job"]
        self.name = {"execution_id": self.id, "attempt": attempt, "app": self.app, "job": self.job}
        self.agent, self.expected = agent, expected  # sequence that the next result expects
        self.transferable = execution.get("on_agent_lost") == "requeue" or execution.get("exclusive")
        self.handling, self.number = uuid.uuid4().hex, 0
        self.group = self.wish = None  # the process group that runs; how the body has to end: stop or drop
        self.lost_before = execution.get("log_dropped") or 0  # log lines, by earlier attempts
        self.lossy, self.tail, self.gap, self.lost = False, [], 0, 0  # see log()
        self.read, self.unstarted = 0, None  # bytes of output; why a process could not be started
        self.message, self.sent, self.stored, self.next_try, self.writing = None, 0, 0, 0, asyncio.Lock()

    def subject(self, kind, who):
        return f"jobstreamer.{kind}.{self.app}.{self.job}.{self.id}.{who}"

    def result(self, status, **more):
        self.number += 1
        return {**self.name, "batch_status": status, "agent": self.agent, "handling": self.handling,
                "number": self.number, "time": now(), **{k: v for k, v in more.items() if v}}

    def end(self, wish):
        if self.wish not in (wish, "drop"):
            self.wish = wish
            self.end_group()

    def end_group(self):
        """Ends the processes as was wished: kindly for stop, at once for drop."""
        if self.group and self.wish:
            kill(self.group, signal.SIGTERM if self.wish == "stop" else signal.SIGKILL)
            asyncio.get_running_loop().call_later(GRACE, lambda group: self.group == group and kill(group), self.group)


class Agent:
    def __init__(self, o):
        self.o, self.life, self.start_time, self.heard = o, uuid.uuid4().hex, now(), time.time()
        self.data = Path(o.data).absolute()
        self.data.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.data / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one agent a directory
        self.mark = "JOBSTREAMER_AGENT_DATA=" + str(self.data)
        self.status, self.fault, self.attempts, self.tasks = "ready", None, [], set()
        self.changed, self.freed, self.echoed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(self):
        self.end_marked()
        # pending_size=0: what cannot be sent now must not be sent after a reconnect.
        self.nc = await nats.connect(self.o.nats_url, user_credentials=self.o.nats_creds, name=self.o.name,
                                     inbox_prefix=f"_INBOX.{self.o.name}", pending_size=0,
                                     max_reconnect_attempts=-1, reconnect_time_wait=0.2,
                                     ping_interval=self.o.heartbeat, error_cb=self.complain)
        with contextlib.suppress(nats.errors.NoRespondersError, nats.errors.TimeoutError):
            other = await self.nc.request(f"jobstreamer.command.{self.o.name}.ping", b"{}", timeout=1)
            sys.exit(f"agent {self.o.name}: another agent of this name is alive: {other.data.decode()}")
        await self.nc.subscribe(f"jobstreamer.command.{self.o.name}.*", cb=self.command)
        await self.nc.subscribe(f"jobstreamer.heartbeat.{self.o.name}", cb=self.echo)
        for file in sorted(self.data.glob("*.end")):
            kept = json.loads(file.read_text())
            end = kept["result"]
            self.attempts.append(a := Attempt(self.o.name, end, end["attempt"], kept["expected"]))
            a.handling = end["handling"]
            self.spawn(self.finish(a, end, file))
        for sig in signal.SIGTERM, signal.SIGINT:
            asyncio.get_running_loop().add_signal_handler(sig, self.leave)
        beats = asyncio.create_task(self.beat())
        await self.pull()
        while self.attempts:
            await self.wait(self.freed, 1)
        beats.cancel()
        if not self.fault:
            self.status = "gone"
            await self.heartbeat()
        await self.nc.close()
        sys.exit(self.fault)

    async def complain(self, e):
        print(f"agent {self.o.name}: {e!r}", file=sys.stderr)

    def spawn(self, coroutine):
        self.tasks.add(task := asyncio.create_task(coroutine))
        task.add_done_callback(self.tasks.discard)

    async def wait(self, event, seconds):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
        came = event.is_set()
        event.clear()
        return came

    def end_marked(self, *more):
        """Ends the processes that have this agent's mark, and more variables, in their
        environment, until there are none: those of an earlier life, or daemons of a step,
        which have left its group."""
        marks = {mark.encode() for mark in (self.mark, *more)}
        for _ in range(100):
            found = False
            for path in glob.glob("/proc/[0-9]*/environ"):
                with contextlib.suppress(OSError):
                    if marks <= set(Path(path).read_bytes().split(b"\0")):
                        os.kill(int(path.split("/")[2]), signal.SIGKILL)
                        found = True
            if not found:
                break
            time.sleep(0.02)

    # Taking work

    async def pull(self):
        """Asks for as many requests as there are free slots, the higher priority first,
        until the agent leaves."""
        queues = [(app, pool) for app in self.o.apps for pool in self.o.pools]
        priorities = "high", "normal", "low"
        while self.status != "leaving":
            found = 0
            for p in priorities:
                found += sum(await asyncio.gather(*(self.ask(*q, p, no_wait=True) for q in queues)))
            if self.free() <= 0:
                await self.wait(self.freed, 1)
            elif found == 0:  # wait at all of them; of what comes too much goes back
                await asyncio.gather(*(self.ask(*q, p, expires=500_000_000) for p in priorities for q in queues))

    def free(self):
        return self.o.slots - len(self.attempts) if self.status == "ready" else 0

    async def ask(self, app, pool, priority, **how):
        """Pulls once from one consumer. Returns how many requests came."""
        batch, asked, came = self.free(), time.time(), 0
        if batch <= 0:
            return 0
        with contextlib.suppress(*UNSURE):
            replies = await self.nc.subscribe(inbox := self.nc.new_inbox())
            try:
                await self.nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_{app}.{pool}={priority}",
                                      pack({"batch": batch, **how}), reply=inbox)
                while came < batch:
                    message = await replies.next_msg(timeout=2)
                    # 404: none are there, 408: none came, 503: there is no consumer yet
                    if status := (message.headers or {}).get("Status"):
                        await asyncio.sleep(0 if status in ("404", "408") else 1)
                        break
                    came += 1
                    if self.free() <= 0:
                        await message.nak()
                        continue
                    try:
                        request = json.loads(message.data)
                        a = Attempt(self.o.name, request["execution"], request["attempt"], request["expected_sequence"])
                    except (ValueError, KeyError, TypeError, AttributeError) as e:
                        await self.complain(e)  # it comes again, perhaps to an agent that can read it
                        continue
                    self.attempts.append(a)
                    self.spawn(self.handle(a, request, message, asked + MAX_HOLD))
            finally:
                await replies.unsubscribe()
        await asyncio.sleep(0 if self.nc.is_connected else 0.2)
        return came

    async def handle(self, a, request, message, until):
        """Claims a request and runs it. One that was held too long is let go, and comes again."""
        todo, steps, parameters, fault, execution = [], [], {}, None, request["execution"]
        try:
            parameters = variables(execution.get("job_parameters") or {})
            todo, a.lossy = plan(request), request["definition"].get("log") == "lossy"
            first = 1 + max((s["step_execution_id"] for s in execution.get("step_executions") or []), default=0)
            kept = {s["step_name"]: {"persistent_data": s["persistent_data"]}
                    for s in request.get("steps") or [] if s.get("persistent_data") is not None}
            steps = [{"step_execution_id": first + i, "step_name": name, **kept.get(name, {})}
                     for i, (name, _) in enumerate(todo)]
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            todo, fault = [], str(e) if isinstance(e, ValueError) else f"definition: {e!r}"
        if steps:
            steps[0].update(batch_status="started", start_time=now())
        try:
            claimed = await self.store(a, a.result("started", execution=execution, steps=steps[:1]), until)
        except asyncio.TimeoutError:
            return self.forget(a)
        with contextlib.suppress(*UNSURE):
            await message.ack()  # if it is lost, the request comes again and its claim is refused
        if not claimed:
            return self.forget(a)
        env = {name: os.environ[name] for name in INHERITED if name in os.environ} | parameters
        for name in "scheduled_for", "scheduled_date":
            if execution.get(name):
                env["JOBSTREAMER_" + name.upper()] = execution[name]
        env.update([self.mark.split("=", 1)], JOBSTREAMER_APP=a.app, JOBSTREAMER_JOB=a.job if fault else request["definition"]["id"],
                   JOBSTREAMER_EXECUTION_ID=str(a.id), JOBSTREAMER_ATTEMPT=str(request["attempt"]))
        status, news = "failed" if fault else "completed", []
        # The values of the steps, in the order in which they ended.
        values = {s["step_name"]: s["values"] for s in sorted(request.get("steps") or [], key=lambda s: s.get("end_time") or "")
                  if s.get("values")}
        for i, (name, command) in enumerate(todo):
            values.pop(name, None)
            if (data := steps[i].get("persistent_data")) is not None:
                env["JOBSTREAMER_PERSISTENT_DATA"] = data if isinstance(data, str) else pack(data).decode()
            else:
                env.pop("JOBSTREAMER_PERSISTENT_DATA", None)
            handed = {"JOBSTREAMER_VALUE_" + k.upper(): v for one in values.values() for k, v in one.items()}
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "output")
                file.touch()
                code = await self.process(a, command, {**env, **handed, "JOBSTREAMER_STEP": name, "JOBSTREAMER_OUTPUT": str(file)})
                why = (a.unstarted or f"exit code {code}") if code else None
                steps[i].update(exit_status=str(code), end_time=now())
                try:
                    steps[i].update(output(file, values.values()))
                    values[name] = steps[i].get("values", {})
                except (ValueError, OSError) as e:
                    why = why or f"JOBSTREAMER_OUTPUT: {e}"
            status = "stopped" if a.wish == "stop" else "failed" if why else "completed"
            steps[i]["batch_status"] = status
            news = steps[i:i + 2]
            if status != "completed" or a.wish:
                if status == "failed":
                    steps[i]["exception"], fault = why, f"step {name}: {why}"
                news = steps[i:i + 1]
                break
            if i + 1 < len(todo):
                steps[i + 1].update(batch_status="started", start_time=now())
                if not await self.store(a, a.result("started", steps=news)):
                    return self.forget(a, f"given up after step {name}, exit code {code}")
        await self.log(a, "stdout", "", [])  # one more try; what cannot be stored now is lost
        a.lost += len(a.tail) + len(a.message["lines"] if a.message else [])
        a.tail, a.message = [], None
        end = a.result(status, exit_status=status.upper(), exception=fault, steps=news, log_dropped=a.lost_before + a.lost)
        await self.finish(a, end, self.data / f"{a.handling}.end")

    # Results

    async def finish(self, a, end, file):
        """Repeats the end until it is stored or refused. The file carries it over a restart."""
        if a.wish != "drop":
            with open(temporary := file.with_suffix(".tmp"), "wb") as f:
                f.write(pack({"expected": a.expected, "result": end}))
                f.flush()
                os.fsync(f.fileno())
            temporary.rename(file)
        stored = await self.store(a, end)
        file.unlink(missing_ok=True)
        self.forget(a, None if stored else f"given up, here it had ended as {end['batch_status']}")

    def forget(self, a, why=None):
        if why:
            self.spawn(self.log(a, "agent", "", [why], "warn"))
        self.attempts.remove(a)
        self.freed.set()

    async def store(self, a, result, until=float("inf")):
        """Publishes a result until the broker stores it (True) or refuses it, or it is
        not wanted any more (False). Raises TimeoutError if neither is known in time."""
        filter = a.subject("result", "*")
        headers = {"Nats-Expected-Last-Subject-Sequence": str(a.expected),
                   "Nats-Expected-Last-Subject-Sequence-Subject": filter}
        while a.wish != "drop":
            if time.time() > until:
                raise asyncio.TimeoutError
            with contextlib.suppress(*UNSURE):
                answer = await self.nc.request(a.subject("result", a.agent), pack(result), timeout=2, headers=headers)
                answer = json.loads(answer.data)
                if "error" not in answer:  # beside an error there is a seq as well, 0
                    a.expected = answer["seq"]
                    return True
                # 10164 is no refusal: another message of the filter, perhaps this
                # one, is being stored.
                if answer["error"]["err_code"] == 10071:
                    last = await self.nc.request(f"$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.{filter}", timeout=2)
                    sequence = int((last.headers or {}).get("Nats-Sequence", 0))  # there is none: status 404
                    # Else a replica is behind.
                    if sequence >= int(answer["error"]["description"].split()[-1]):
                        other = json.loads(last.data or b"{}")
                        if (other.get("handling"), other.get("number")) != (result["handling"], result["number"]):
                            return False
                        a.expected = sequence
                        return True
            await asyncio.sleep(0.2)
        return False

    async def log(self, a, stream, step, lines, level="info"):
        """Stores lines before it returns, so that a body that writes faster waits at its
        pipe. While nothing can be stored for PATIENCE seconds, or the job is lossy, it
        does not wait: the newest TAIL lines are kept for later."""
        about = {"time": now(), "level": level, "stream": stream, "step": step}
        async with a.writing:  # stdout and stderr, one after the other
            a.tail += [{**about, "message": line} for line in lines]
            while a.tail or a.message:
                if time.monotonic() >= a.next_try:
                    if not a.message:
                        a.message, a.sent = self.next_message(a), a.sent + 1
                    if await self.put(a.subject("log", a.agent), a.message, f"{a.handling}-{a.sent}"):
                        a.message, a.stored = None, time.monotonic()
                        continue
                    a.next_try = time.monotonic() + 0.5
                a.stored = a.stored or time.monotonic()
                if time.monotonic() - a.stored > (0 if a.lossy else 2 if a.wish else PATIENCE):
                    gone = max(0, len(a.tail) - TAIL)
                    del a.tail[:gone]
                    a.gap, a.lost = a.gap + gone, a.lost + gone
                    return
                await asyncio.sleep(0.1)

    def next_message(self, a):
        size = count = 0
        while count < len(a.tail) and size < 30_000:  # 64 KiB as JSON, with room for what is escaped
            size, count = size + 150 + len(pack(a.tail[count]["message"])), count + 1
        message = {"attempt": a.name["attempt"], "dropped": a.gap, "lines": a.tail[:count]}
        del a.tail[:count]
        a.gap = 0
        return message

    async def put(self, subject, message, id):
        """Publishes a message of output and reports whether the stream has stored it. A
        repeat is not stored twice."""
        with contextlib.suppress(*UNSURE):
            answer = await self.nc.request(subject, pack(message), timeout=2, headers={"Nats-Msg-Id": id})
            return "error" not in json.loads(answer.data)
        return False

    # Bodies

    async def process(self, a, command, env):
        """Runs a command in a group of its own and returns its exit code, as a shell counts it."""
        if a.wish:
            return 143
        pipe = asyncio.subprocess.PIPE
        try:
            p = await asyncio.create_subprocess_exec("/bin/sh", "-c", command, env=env, start_new_session=True,
                                                     stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        except (OSError, ValueError) as e:
            name = max(env, key=lambda name: len(env[name].encode()))
            a.unstarted = f"cannot start the command: {e}" + (
                f"; the largest variable is {name}, of {len(env[name].encode())} bytes" if getattr(e, "errno", 0) == errno.E2BIG else "")
            await self.log(a, "agent", env["JOBSTREAMER_STEP"], [a.unstarted], "error")
            return 126
        a.group = p.pid
        a.end_group()  # if the wish came while the process was made
        readers = [asyncio.create_task(self.read(a, stream, env["JOBSTREAMER_STEP"], reader))
                   for stream, reader in (("stdout", p.stdout), ("stderr", p.stderr))]
        while (code := p.returncode) is None:  # wait() waits for whoever holds the pipes, too
            await asyncio.sleep(0.02)
        kill(a.group)  # what the command left in the background
        self.end_marked(*(f"JOBSTREAMER_{name}={env['JOBSTREAMER_' + name]}" for name in ("EXECUTION_ID", "ATTEMPT", "STEP")))
        a.group = None
        hanging, before = readers, -1
        while hanging and (before != a.read or a.writing.locked()):  # ends 2 s after the last byte
            before = a.read
            _, hanging = await asyncio.wait(hanging, timeout=2)
        for reader in hanging:
            reader.cancel()
        return code if code >= 0 else 128 - code

    async def read(self, a, stream, step, pipe):
        rest, chunk = b"", True
        while chunk:
            chunk = await pipe.read(8192)
            a.read += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 8192 or (rest and not chunk):  # a line without an end
                lines, rest = lines + [rest], b""
            await self.log(a, stream, step, [line.decode(errors="replace") for line in lines])

    # Heartbeats and commands

    async def beat(self):
        while True:
            await self.heartbeat()
            if await self.wait(self.echoed, self.o.heartbeat):
                await self.wait(self.changed, self.o.heartbeat)
            elif time.time() - self.heard > LOST_AFTER * self.o.heartbeat:
                for a in self.attempts:
                    if a.group and a.transferable:  # it may begin elsewhere as soon as nobody names it
                        a.end("drop")

    async def heartbeat(self):
        names = list({(a.id, a.name["attempt"]): a.name for a in self.attempts}.values())
        free, total = (os.sysconf(n) * os.sysconf("SC_PAGE_SIZE") for n in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"))
        beat = {"name": self.o.name, "life": self.life, "status": self.status, "agent_version": "example",
                "host": platform.node(), "os_name": platform.system(), "os_version": platform.release(),
                "cpu_arch": platform.machine(), "cpu_core": os.cpu_count(), "apps": self.o.apps, "pools": self.o.pools,
                "slots": self.o.slots, "running": len(names), "interval_ms": int(self.o.heartbeat * 1000),
                "start_time": self.start_time, "executions": names, "stats": {
                    "memory": {"physical": {"free": free, "total": total}, "swap": {"free": 0, "total": 0}},
                    "cpu": {"process": {"load": 0, "time": time.process_time_ns()},
                            "system": {"load": 0, "load_average": os.getloadavg()[0]}}}}
        with contextlib.suppress(*UNSURE):
            await self.nc.publish(f"jobstreamer.heartbeat.{self.o.name}", pack(beat))

    async def echo(self, message):
        """Hears the heartbeats of this name: its own, so the broker has them, or those of
        who took the name over."""
        beat = json.loads(message.data)
        if beat["life"] == self.life:
            self.heard = time.time()
            self.echoed.set()
        elif beat["status"] != "gone" and (beat["start_time"], beat["life"]) > (self.start_time, self.life):
            self.fault = f"agent {self.o.name}: another agent of this name started later, on {beat['host']}"
            self.leave()

    async def command(self, message):
        verb, body, error = message.subject.split(".")[-1], json.loads(message.data or b"{}"), ""
        if verb in ("stop", "drop"):
            wanted = body.get("execution_id"), body.get("attempt")
            named = [a for a in self.attempts if (a.id, a.name["attempt"]) == wanted]
            for a in named:
                a.end(verb)
            error = "" if named else "no attempt {1} of execution {0} is here".format(*wanted)
        elif verb in ("drain", "resume"):
            if self.status != "leaving":
                self.status = "blocked" if verb == "drain" else "ready"
            self.tell()
        elif verb != "ping":
            error = f"no such command: {verb}"
        await message.respond(pack({"ok": not error, "error": error, "life": self.life}))

    def leave(self):
        for a in self.attempts if self.status == "leaving" else []:
            a.end("stop")
        self.status = "leaving"
        self.tell()

    def tell(self):
        """Makes the loops look at the status now."""
        self.changed.set()
        self.freed.set()


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--nats-url", default="nats://localhost:4222")
    p.add_argument("--nats-creds", metavar="FILE", help="credentials, from jobstreamer agent-token create")
    p.add_argument("--name", default=re.sub("[^A-Za-z0-9_-]", "-", platform.node()))
    names = {"type": lambda text: text.split(","), "default": ["default"]}
    p.add_argument("--apps", **names, help="applications, joined by commas")
    p.add_argument("--pools", **names, help="pools, joined by commas")
    p.add_argument("--slots", type=int, default=4, help="how many executions run at a time")
    p.add_argument("--data", default="agent-data", help="directory of this agent alone")
    p.add_argument("--heartbeat", type=float, default=2, help="seconds between heartbeats")
    asyncio.run(Agent(p.parse_args()).run())


if __name__ == "__main__":
    main()
