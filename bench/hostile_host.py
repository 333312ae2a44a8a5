"""What one host can cost the controller: of each word the most that an agent may say, as CPU seconds.

    python -m bench.hostile_host                 # all of them
    python -m bench.hostile_host beats replans   # some

A host of a script in memory talks to the real controller: session, rollout with its masks, the lines for people with
--diff --verbose, the journal, and the reports made at the end. CPU is of the whole process, user and system, without
what it took to make the words. The login and the encryption of a real connection are not in it.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from provision import conversation
from provision.agent.wire import MARKER, Decoder, FrameError, encode
from provision.allowance import Allowance
from provision.errors import HostError, ProtocolError
from provision.events import Event, Looked
from provision.facts import Facts
from provision.journal import Journal
from provision.loader import prepare
from provision.plan import Stage
from provision.questions import Question
from provision.questions.status import AskStatus
from provision.report import Output
from provision.report.facts import FactsTranscript
from provision.report.html import page
from provision.report.jsonlines import JsonLines
from provision.report.junit import junit
from provision.report.plain import Plain
from provision.report.record import Record
from provision.report.transcript import Transcript
from provision.resources import Directory
from provision.rollout import Job, Policy, Rollout
from provision.run import Run
from provision.secrets import Mask, Secret
from provision.session import FRAME
from provision.target import Target

FACTS = {"os": {"id": "debian"}, "architecture": "amd64", "init": "systemd"}
STAGES = 30
"""Roles of the run."""
SECRETS = ["s3cret-of-a-proxy", "pass word%with/all", "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkqhkiG\n" * 80]
CHUNK = 32768


class Host:
    """The other end of a connection: says its pieces, whatever it hears, each time anew."""

    def __init__(self, script: Sequence[bytes]) -> None:
        self.script = script

    def connect(self, target: Target) -> "Host":
        return self

    def open(self, command: str) -> "Host":
        self.pieces = iter(self.script)
        return self

    def send(self, data: bytes) -> None: ...

    def receive(self, timeout: float) -> bytes:
        return next(self.pieces, b"")

    def close_input(self) -> None: ...

    def exit_status(self, timeout: float) -> int | None:
        return 0

    def failure(self) -> HostError | None:
        return None

    def close(self) -> None: ...


class Attack(Job):
    """A job whose plan is many small stages, without the roles that would make them."""

    def stages(self, facts: Facts) -> Sequence[Stage]:
        return [Stage(f"r{number}", (Directory(path=f"/x{number}"),)) for number in range(STAGES)]


def said(message: dict[str, Any]) -> bytes:
    return encode(message, FRAME)


def hello(**changes: Any) -> bytes:
    return said({"type": "hello", "protocol": 1, "facts": FACTS, "interrupted": None} | changes)


def facts(**changes: Any) -> bytes:
    return hello(facts=FACTS | changes)


def result(position: int = 0, stage: int = 0, **changes: Any) -> bytes:
    told = {"type": "result", "role": f"r{stage}", "kind": "directory", "name": f"/x{stage}", "stage": stage}
    told |= {"position": position, "outcome": "changed", "diff": [], "note": "", "error": None, "seconds": 0.1}
    return said(told | changes)


def failed(**changes: Any) -> bytes:
    return result(outcome="failed", error={"cause": "c", "fix": "f", "output": "", "trace": ""} | changes)


def routes(count: int) -> list[dict[str, str]]:
    return [{"network": f"10.{n // 250 % 250}.{n % 250}.0/24", "interface": "eth0"} for n in range(count)]


def replans(count: int) -> bytes:
    each = facts(routes=routes(count // STAGES)).replace(b"hello", b"")
    return b"".join(said({"type": "replan", "stage": n, "facts": FACTS | {"routes": routes(count // STAGES)}})
                    for n in range(STAGES)) if each else b""  # fmt: skip


def proof(count: int) -> dict[str, Any]:
    return {"levels": {str(n): {"verdict": "passed", "checks": [{}]} for n in range(count)}}


def impact(count: int) -> dict[str, Any]:
    named = [{"name": "n"}] * count
    told = {"level": "restart", "why": ["w"] * count, "systemd": True, "survive": False, "effect": "e"}
    return told | {"containers": named, "processes": named}


def status(text: str) -> bytes:
    told: dict[str, Any] = dict.fromkeys(("unfinished", "last_run", "proof", "lock", "reboot", "interrupted"))
    waits = {"role": "r", "reason": text, "since": "", "age": 0, "by": "", "resources": [], "staged": [], "run": ""}
    return said({"type": "answer", "answer": told | {"pending": [waits], "unmanaged": [], "time": ""}})


END, OK = said({"type": "bye"}), b"".join(result(0, number, outcome="ok") for number in range(STAGES))
ESCAPE, NEARLY = "\x1b[", SECRETS[2][:-3] + "!"
FLOODS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "nothing": ("apply", lambda n: hello() + OK + END),
    "beats": ("apply", lambda n: hello() + n * said({"type": "beat", "step": "s", "seconds": 1.0, "text": ""}) + END),
    "long beats": ("apply", lambda n: hello() + said({"type": "beat", "step": "s" * n, "seconds": 1.0, "text": ""})),
    "started": ("apply", lambda n: hello() + n * said(
        {"type": "started", "role": "r", "kind": "k", "name": "n", "stage": 0, "position": 0}) + END),
    "empty lists in facts": ("facts", lambda n: facts(x=[[]] * n)),
    "routes": ("facts", lambda n: facts(routes=routes(n))),
    "routes in a look": ("apply", lambda n: facts(routes=routes(n)) + OK + END),
    "replans": ("apply", lambda n: hello() + replans(n) + OK + END),
    "text in facts": ("facts", lambda n: facts(x="x" * n)),
    "escapes in facts": ("facts", lambda n: facts(x=ESCAPE * n)),
    "a note": ("apply", lambda n: hello() + result(note="x" * n) + END),
    "a note of escapes": ("apply", lambda n: hello() + result(note=ESCAPE * n) + END),
    "a note that is nearly a secret": ("apply", lambda n: hello() + result(note=NEARLY * n) + END),
    "a note of secrets": ("apply", lambda n: hello() + result(note=SECRETS[0] * n) + END),
    "lines of output": ("apply", lambda n: hello() + failed(output="x\n" * n) + END),
    "lines of a cause": ("apply", lambda n: hello() + failed(cause="x\n" * n) + END),
    "a cause of escapes": ("apply", lambda n: hello() + failed(cause=ESCAPE * n) + END),
    "differences": ("apply", lambda n: hello() + result(diff=[{"key": "k", "before": 0, "after": 1}] * n) + END),
    "lines of a difference": ("apply", lambda n: hello() + result(
        diff=[{"key": "k", "before": None, "after": None, "text": "x\n" * n}]) + END),
    "values of a difference": ("apply", lambda n: hello() + result(
        diff=[{"key": "k", "before": [], "after": [{"k": [1]}] * n}]) + END),
    "results": ("apply", lambda n: hello() + b"".join(result(1 + at % 950, at // 950) for at in range(n)) + END),
    "results in the look and after": ("apply", lambda n: hello() + b"".join(
        result(at % 900, at // 900, outcome="would-change") for at in range(n)) + b"".join(
        result(0, at, outcome="would-change") for at in range(-(-n // 900), STAGES)) + said(
        {"type": "preflight", "answers": []}) + END),
    "answers": ("apply", lambda n: hello() + result() + said(
        {"type": "preflight", "answers": [{"question": "q", "verdict": "warn", "text": "t", "fix": "f"}] * n}) + END),
    "looked": ("apply", lambda n: hello() + said(
        {"type": "looked", "seen": {str(at): ("a", "b", "c") for at in range(n)}}) + END),
    "a crash": ("apply", lambda n: hello() + said({"type": "crash", "trace": "x\n" * n})),
    "a refusal": ("apply", lambda n: hello() + said({"type": "refused", "cause": "x\n" * n, "fix": "f"})),
    "interrupted": ("apply", lambda n: hello(interrupted={"run": [[]] * n, "step": "s"}) + OK + END),
    "earlier": ("apply", lambda n: hello(
        earlier={"changed": [f"r: k {at}" for at in range(min(n, 1000))], "failed": []}) + OK + END),
    "a status": ("status", lambda n: hello() + status("x" * n) + END),
    "a proof": ("apply", lambda n: hello() + result(outcome="ok", proof=proof(n)) + END),
    "an impact": ("apply", lambda n: hello() + result(impact=impact(n)) + END),
    "a note in bytes of one": ("apply", lambda n: hello() + result(note="x" * n) + END),
}  # fmt: skip
"""name: (verb, what the host says after its marker, so large)."""


def sliced(name: str, words: bytes) -> Iterator[bytes]:
    size = 1 if "bytes of one" in name else CHUNK
    return (words[at : at + size] for at in range(0, len(words), size))


def allowed(name: str, make: Callable[[int], bytes], size: int) -> bool:
    """Is it within what one conversation may cost, and one message be large?"""
    allowance, decoder = Allowance(str, lambda: 0.0), Decoder(FRAME)
    try:
        for piece in sliced(name, make(size)):
            conversation.decoded(decoder, piece, allowance)
    except (ProtocolError, FrameError):
        return False
    return True


def largest(name: str, make: Callable[[int], bytes]) -> bytes:
    """The largest that is allowed."""
    low, high = 1, 1 << 23
    while high - low > low // 50 + 1:
        middle = min(low * 4, (low + high) // 2)
        low, high = (middle, high) if allowed(name, make, middle) else (low, middle)
    return make(low)


def cost(name: str, verb: str, words: bytes) -> tuple[float, int, str]:
    """(CPU seconds, MiB that the process grew by, how it ended)."""
    script = list(sliced(name, MARKER + words))
    asks = verb in {"facts", "status"}
    question: Question | None = AskStatus([]) if verb == "status" else None
    story = FactsTranscript() if verb == "facts" else Transcript(diff=True, verbose=True)
    record, lines = Record(), Output(io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        listeners = [Plain(lines, story), JsonLines(Output(io.StringIO())), record, Journal(Path(folder), "r", {})]

        def sink(event: Event) -> None:
            for listener in [] if isinstance(event, Looked) else listeners:
                listener(event)

        run, mask = Run("R", "me@here", asks, facts_only=asks), Mask(map(Secret, SECRETS))
        rollout = Rollout(run, verb, [Attack(Target("h1", "h1"), (), {}, question=question)], sink, mask, 1, Policy())
        before, grown = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        summary = rollout.execute(Host(script))  # type: ignore[arg-type]
        page(record)
        junit(record)
        spent = time.process_time() - before
    error = summary.hosts["h1"].error
    ended = f"{summary.hosts['h1'].outcome}: {error.cause[:80] if error else ''}"
    return spent, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown) // 1024, ended


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*")
    wanted = parser.parse_args().words
    prepare()
    print(f"{'what the host says':34} {'MiB said':>8} {'CPU, s':>7} {'MiB':>5}  ended")
    for name, (verb, make) in FLOODS.items():
        if not wanted or any(word in name for word in wanted):
            words = largest(name, make)
            spent, grown, ended = cost(name, verb, words)
            print(f"{name:34} {len(words) / 2**20:8.2f} {spent:7.2f} {grown:5}  {ended!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
