#!/usr/bin/env python3
"""An agent in Python, written from the comment of package subjects (../../subjects/doc.go).

    pip install -r requirements.txt
    python agent.py --nats-url nats://localhost:4222 --name py1 --apps default --data /var/lib/py1

It runs steps that are an org.jobstreamer.batch.ShellBatchlet with the property "command", one after
the other; a job with anything else ends failed, and the exception names the element. Processes
that a killed agent left running are found by their environment, in /proc: on Linux only.
"""
import argparse, asyncio, contextlib, fcntl, glob, json, os, platform, re, signal, sys, time, uuid
from pathlib import Path

import nats

PRIORITIES = "high", "normal", "low"
MAX_HOLD, LOST_AFTER, GRACE = 30, 3, 5  # seconds; heartbeat intervals; seconds from SIGTERM to SIGKILL
UNSURE = nats.errors.Error, OSError, asyncio.TimeoutError, ValueError, KeyError  # the broker's answer is not known


def now():
    t = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + f".{int(t * 1000) % 1000:03d}Z"


def pack(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def plan(request):
    """The steps to run, as pairs of id and command. Raises ValueError for what this agent cannot run."""
    job = request["definition"]
    done = {s["step_name"] for s in request.get("steps") or [] if s["batch_status"] == "completed"}
    elements = {e["id"]: e for e in job.get("steps", [])}
    if job.get("listeners"):
        raise ValueError(f"job {job['id']}: this agent has no listeners")
    todo, seen = [], set()
    name = request.get("restart_position") or next(iter(elements), None)
    while name:
        if name not in elements or name in seen:
            raise ValueError(f"element {name}: " + ("comes twice" if name in seen else "there is no such element"))
        seen.add(name)
        step = elements[name]
        for key in step.keys() - {"id", "next", "properties", "start_limit", "allow_start_if_complete", "batchlet"}:
            if step[key]:
                raise ValueError(f"element {name}: this agent cannot run {key!r}, only batchlets one after the other")
        batchlet = step.get("batchlet") or {}
        command = (batchlet.get("properties") or {}).get("command", "")
        if batchlet.get("ref") != "org.jobstreamer.batch.ShellBatchlet" or "#{" in command:
            raise ValueError(f"element {name}: this agent cannot run {batchlet.get('ref')!r} with {command!r}")
        if name not in done or step.get("allow_start_if_complete") in (True, "true"):
            todo.append((name, command))
        name = step.get("next")
    return todo


class Attempt:
    """One handling of one delivery of a request, from the fetch until its end is stored or refused."""

    def __init__(self, request, agent):
        execution = request["execution"]
        self.id, self.app, self.job = execution["execution_id"], execution["app"], execution["job"]
        self.attempt, self.agent, self.expected = request["attempt"], agent, request["expected_sequence"]
        self.handling, self.number = uuid.uuid4().hex, 0
        self.group = None  # the running process group
        self.wish = None  # why the body has to end: stop, lost or drop
        self.dropped = 0  # log lines that could not be sent
        self.name = {"execution_id": self.id, "attempt": self.attempt, "app": self.app, "job": self.job}

    def subject(self, kind):
        return f"jobstreamer.{kind}.{self.app}.{self.job}.{self.id}.{self.agent}"

    def result(self, status, **more):
        self.number += 1
        return {**self.name, "batch_status": status, "agent": self.agent, "handling": self.handling,
                "number": self.number, "time": now(), **{k: v for k, v in more.items() if v}}

    def end(self, wish):
        """Ends the body: kindly for stop, at once for lost and drop."""
        if self.wish == "drop" or self.wish == wish:
            return
        self.wish = wish
        if self.group:
            kill(self.group, signal.SIGTERM if wish == "stop" else signal.SIGKILL)
            asyncio.get_running_loop().call_later(GRACE, lambda g: self.group == g and kill(g), self.group)


def kill(group, sig=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sig)


class Agent:
    def __init__(self, o):
        self.o, self.life, self.start_time = o, uuid.uuid4().hex, now()
        self.data = Path(o.data).absolute()
        self.data.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.data / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # one agent a directory
        self.mark = f"JOBSTREAMER_AGENT_DATA={self.data}"
        self.status, self.attempts = "ready", []
        self.heard = time.time()  # when the broker last sent a heartbeat of ours back
        self.changed, self.freed, self.tasks = asyncio.Event(), asyncio.Event(), set()

    async def run(self):
        self.end_leftovers()
        async def complain(e): print(f"agent {self.o.name}: {e!r}", file=sys.stderr)
        # pending_size=0: what cannot be sent now must not be sent after a reconnect.
        self.nc = await nats.connect(self.o.nats_url, name=self.o.name, pending_size=0, max_reconnect_attempts=-1,
                                     reconnect_time_wait=0.2, ping_interval=self.o.heartbeat, error_cb=complain)
        with contextlib.suppress(nats.errors.NoRespondersError, nats.errors.TimeoutError):
            other = await self.nc.request(f"jobstreamer.command.{self.o.name}.ping", b"{}", timeout=1)
            sys.exit(f"agent {self.o.name}: another agent of this name is alive: {other.data.decode()}")
        await self.nc.subscribe(f"jobstreamer.command.{self.o.name}.*", cb=self.command)
        await self.nc.subscribe(f"jobstreamer.heartbeat.{self.o.name}", cb=self.echo)
        for file in sorted(self.data.glob("*.end")):
            kept = json.loads(file.read_text())
            a = Attempt({"execution": kept["result"], **kept["result"], "expected_sequence": kept["expected"]}, self.o.name)
            self.attempts.append(a)
            self.spawn(self.finish(a, kept["result"], file))
        for sig in signal.SIGTERM, signal.SIGINT:
            asyncio.get_running_loop().add_signal_handler(sig, self.leave)
        beats, pulls = asyncio.create_task(self.beat()), asyncio.create_task(self.pull())
        await pulls
        while self.attempts:
            await asyncio.sleep(0.05)
        self.status = "gone"
        beats.cancel()
        await self.heartbeat()
        await self.nc.close()

    def spawn(self, coroutine):
        self.tasks.add(task := asyncio.create_task(coroutine))
        task.add_done_callback(self.tasks.discard)

    def end_leftovers(self):
        """Ends the processes of an earlier life, until there are none."""
        found = True
        while found:
            found = False
            for path in glob.glob("/proc/[0-9]*/environ"):
                with contextlib.suppress(OSError):
                    if self.mark.encode() in Path(path).read_bytes().split(b"\0"):
                        kill(os.getpgid(int(path.split("/")[2])))
                        found = True

    # Taking work

    async def pull(self):
        """Asks for as many requests as there are free slots, the higher priority first, until the agent leaves."""
        while self.status not in ("leaving", "gone"):
            found = 0
            for priority in PRIORITIES:
                found += sum(await asyncio.gather(*(self.ask(q, priority, no_wait=True) for q in self.queues())))
            if found == 0 and self.free() > 0:  # wait at all of them; of what comes too much goes back
                await asyncio.gather(*(self.ask(q, p, expires=500_000_000) for p in PRIORITIES for q in self.queues()))
            elif self.free() <= 0:
                self.freed.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.freed.wait(), 1)

    def queues(self):
        return [(app, pool) for app in self.o.apps for pool in self.o.pools]

    def free(self):
        return self.o.slots - len(self.attempts) if self.status == "ready" else 0

    async def ask(self, queue, priority, **wait):
        """Pulls once from one consumer. Returns how many requests came."""
        (app, pool), asked, came = queue, time.time(), 0
        if (batch := self.free()) <= 0:
            return 0
        inbox = self.nc.new_inbox()
        replies = await self.nc.subscribe(inbox)
        with contextlib.suppress(*UNSURE):
            await self.nc.publish(f"$JS.API.CONSUMER.MSG.NEXT.JOBSTREAMER_REQUEST_{app}.{pool}={priority}",
                                  pack({"batch": batch, **wait}), reply=inbox)
            while came < batch:
                message = await replies.next_msg(timeout=2)
                if (message.headers or {}).get("Status"):  # 404 none, 408 expired, 503 no such consumer yet
                    await asyncio.sleep(1 if message.headers["Status"] == "503" else 0)
                    break
                came += 1
                if self.free() <= 0:
                    await message.nak()
                else:
                    self.attempts.append(a := Attempt(request := json.loads(message.data), self.o.name))
                    self.spawn(self.handle(a, request, message, asked + MAX_HOLD))
        with contextlib.suppress(*UNSURE):
            await replies.unsubscribe()
        if not self.nc.is_connected:
            await asyncio.sleep(0.2)
        return came

    async def handle(self, a, request, message, until):
        """Claims a request and runs it. Held too long, it is let go, and comes again."""
        fault, todo = None, []
        try:
            todo = plan(request)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            fault = f"{type(e).__name__}: {e}"
        number = max((s["step_execution_id"] for s in request["execution"].get("step_executions") or []), default=0)
        steps = [{"step_execution_id": number + i + 1, "step_name": name} for i, (name, _) in enumerate(todo)]
        if steps:
            steps[0].update(batch_status="started", start_time=now())
        claimed = False
        with contextlib.suppress(asyncio.TimeoutError):
            claim = a.result("started", execution=request["execution"], steps=steps[:1])
            claimed = await self.store(a, claim, until)
            with contextlib.suppress(*UNSURE):
                await message.ack()
        if not claimed:
            return self.forget(a)
        env = {"PATH": os.environ.get("PATH", os.defpath), **os.environ,
               "JOBSTREAMER_APP": a.app, "JOBSTREAMER_JOB": a.job, "JOBSTREAMER_EXECUTION_ID": str(a.id),
               "JOBSTREAMER_ATTEMPT": str(a.attempt), **dict([self.mark.split("=", 1)])}
        for name, value in (request["execution"].get("job_parameters") or {}).items():
            env["JOBSTREAMER_PARAM_" + re.sub(r"\W", "_", name, flags=re.ASCII).upper()] = value
        status = "failed" if fault else "completed"
        for i, (name, command) in enumerate(todo):
            code = None if a.wish else await self.process(a, name, command, env)
            status = "stopped" if a.wish == "stop" else "completed" if code == 0 and not a.wish else "failed"
            steps[i].update(batch_status=status, exit_status=status.upper() if code is None else str(code), end_time=now())
            if status != "completed":
                fault = {"failed": f"step {name}: exit code {code}"}.get(status)
                fault = "cut off from the broker for too long" if a.wish == "lost" else fault
            if status != "completed" or i + 1 == len(todo):
                steps = steps[i:i + 1]
                break
            steps[i + 1].update(batch_status="started", start_time=now())
            if not await self.store(a, a.result("started", steps=steps[i:i + 2])):
                return self.forget(a, f"fenced off after step {name}, exit code {code}")
        end = a.result(status, exit_status=status.upper(), exception=fault, steps=steps)
        await self.finish(a, end, self.data / f"{a.handling}.end")

    # Results

    async def finish(self, a, end, file):
        """Repeats the end until it is stored or refused; the file carries it over a restart."""
        if a.wish != "drop":
            with open(temporary := file.with_suffix(".tmp"), "w") as f:
                json.dump({"expected": a.expected, "result": end}, f)
                f.flush()
                os.fsync(f.fileno())
            temporary.rename(file)
        stored = a.wish != "drop" and await self.store(a, end)
        file.unlink(missing_ok=True)
        self.forget(a, None if stored else f"fenced off, it had ended as {end['batch_status']}")

    def forget(self, a, why=None):
        if why:
            self.spawn(self.log(a, "agent", "", [why], "warn"))
        self.attempts.remove(a)
        self.freed.set()

    async def store(self, a, result, until=float("inf")):
        """Publishes a result until the broker stores it (True) or refuses it (False).
        Raises TimeoutError if neither is known in time."""
        subject = a.subject("result")
        filter = subject.rpartition(".")[0] + ".*"
        headers = {"Nats-Expected-Last-Subject-Sequence": str(a.expected),
                   "Nats-Expected-Last-Subject-Sequence-Subject": filter}
        while time.time() < until and a.wish != "drop":
            with contextlib.suppress(*UNSURE):
                answer = json.loads((await self.nc.request(subject, pack(result), timeout=2, headers=headers)).data)
                if "seq" in answer:
                    a.expected = answer["seq"]
                    return True
                # 10164 is no refusal: another message of the filter, perhaps this one, is being stored.
                if answer["error"]["err_code"] == 10071:
                    last = await self.nc.request(f"$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.{filter}", timeout=2)
                    sequence = int((last.headers or {}).get("Nats-Sequence", 0))  # none there: status 404
                    if sequence >= int(answer["error"]["description"].rpartition(" ")[2]):  # else a replica lags
                        other = json.loads(last.data or b"{}")
                        if (other.get("handling"), other.get("number")) != (a.handling, result["number"]):
                            return False
                        a.expected = sequence
                        return True
            await asyncio.sleep(0.2)
        if a.wish == "drop":
            return False
        raise asyncio.TimeoutError

    async def log(self, a, stream, step, lines, level="info"):
        for i in range(0, len(lines), 200):
            block = [{"time": now(), "level": level, "stream": stream, "step": step, "message": m} for m in lines[i:i + 200]]
            try:
                message = {"attempt": a.attempt, "dropped": a.dropped, "lines": block}
                await self.nc.publish(a.subject("log"), pack(message))
                a.dropped = 0
            except nats.errors.Error:
                a.dropped += len(block)

    # Bodies

    async def process(self, a, step, command, env):
        """Runs a command in a group of its own and returns its exit code, negative for a signal."""
        p = await asyncio.create_subprocess_exec("/bin/sh", "-c", command, start_new_session=True,
                                                 env={**env, "JOBSTREAMER_STEP": step}, stdin=asyncio.subprocess.DEVNULL,
                                                 stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        a.group = p.pid
        if a.wish:  # came while the process was made
            kill(a.group)
        readers = [asyncio.create_task(self.read(a, stream, step, pipe))
                   for stream, pipe in (("stdout", p.stdout), ("stderr", p.stderr))]
        code = await p.wait()
        kill(a.group)  # what the command left in the background
        a.group = None
        _, hanging = await asyncio.wait(readers, timeout=2)
        for reader in hanging:
            reader.cancel()
        return code

    async def read(self, a, stream, step, pipe):
        rest = b""
        while chunk := await pipe.read(8192):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > 16384:  # a line without an end
                lines, rest = lines + [rest], b""
            await self.log(a, stream, step, [line.decode(errors="replace") for line in lines])
        if rest:
            await self.log(a, stream, step, [rest.decode(errors="replace")])

    # Heartbeats and commands

    async def beat(self):
        while True:
            await self.heartbeat()
            if time.time() - self.heard > LOST_AFTER * self.o.heartbeat:
                for a in self.attempts:  # a bus may hold them for lost
                    if a.group:
                        a.end("lost")
            self.changed.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.changed.wait(), self.o.heartbeat)

    async def heartbeat(self):
        names = {(a.id, a.attempt): a.name for a in self.attempts}
        memory = {"free": os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
                  "total": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}
        beat = {"name": self.o.name, "life": self.life, "status": self.status, "agent_version": "example", "host": platform.node(),
                "os_name": platform.system(), "os_version": platform.release(), "cpu_arch": platform.machine(),
                "cpu_core": os.cpu_count(), "apps": self.o.apps, "pools": self.o.pools, "slots": self.o.slots,
                "running": len(names), "interval_ms": int(self.o.heartbeat * 1000), "start_time": self.start_time,
                "stats": {"memory": {"physical": memory, "swap": {"free": 0, "total": 0}}, "cpu": {
                    "process": {"load": 0, "time": time.process_time_ns()},
                    "system": {"load": 0, "load_average": os.getloadavg()[0]}}}, "executions": list(names.values())}
        with contextlib.suppress(*UNSURE):
            await self.nc.publish(f"jobstreamer.heartbeat.{self.o.name}", pack(beat))

    async def echo(self, message):
        """Hears the heartbeats of this name. Of two that started at once, the younger leaves."""
        beat = json.loads(message.data)
        if beat["life"] == self.life:
            self.heard = time.time()
        elif beat["status"] != "gone" and (beat["start_time"], beat["life"]) < (self.start_time, self.life):
            print(f"agent {self.o.name}: another agent of this name is alive, leaving", file=sys.stderr)
            self.leave()

    async def command(self, message):
        verb, body, error = message.subject.rpartition(".")[2], json.loads(message.data or b"{}"), None
        if verb in ("stop", "drop"):
            named = [a for a in self.attempts if (a.id, a.attempt) == (body.get("execution_id"), body.get("attempt"))]
            for a in named:
                a.end(verb)
            error = None if named else f"no attempt {body.get('attempt')} of execution {body.get('execution_id')} here"
        elif verb in ("drain", "resume"):
            if self.status in ("ready", "blocked"):
                self.status = "blocked" if verb == "drain" else "ready"
            self.changed.set(), self.freed.set()
        elif verb != "ping":
            error = f"unknown command {verb}"
        await message.respond(pack({"ok": error is None, "error": error or "", "life": self.life}))

    def leave(self):
        self.status = "leaving"
        self.changed.set(), self.freed.set()
        for a in self.attempts:
            a.end("stop")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = lambda text: text.split(",")
    p.add_argument("--nats-url", default="nats://localhost:4222")
    p.add_argument("--name", default=re.sub(r"[^A-Za-z0-9_-]", "-", platform.node()))
    p.add_argument("--apps", type=names, default=["default"], help="applications, joined by commas")
    p.add_argument("--pools", type=names, default=["default"], help="pools, joined by commas")
    p.add_argument("--slots", type=int, default=4, help="how many executions run at a time")
    p.add_argument("--data", default="agent-data", help="directory of this agent alone")
    p.add_argument("--heartbeat", type=float, default=5, help="seconds between heartbeats")
    asyncio.run(Agent(p.parse_args()).run())


if __name__ == "__main__":
    main()
