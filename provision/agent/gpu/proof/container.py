"""One container of the proof: created, run, listened to and removed, whatever happens.

The law: it has a name and our label, no network, its own log, and a time limit; it is always removed, and one that
an earlier run left (power loss) is removed first. A container that neither ends nor dies is Unknown, by its name.
"""

import contextlib
import json
import os
import time

from ...docker.engine_api import ApiError
from ...host import child
from ...host.errors import Failed, TimedOut, Unknown
from .. import container_program
from . import image as proof_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from ...host.system import System

LABEL = "provision.proof"
PREFIX = "provision-proof-"


class Ran:
    """What a container left: cuda_probe's `answer` or None, exit status, output, what Docker objected, seconds."""

    def __init__(
        self,
        answer: "dict[str, Any] | None" = None,
        status: "int | None" = None,
        output: str = "",
        error: str = "",
        seconds: float = 0.0,
    ) -> None:
        self.answer = answer
        self.status = status
        self.output = output
        self.error = error
        self.seconds = seconds

    def problem(self) -> str:
        """Why there is no answer, or ""."""
        if self.answer is not None:
            return ""
        return self.error or "exit status {}: {}".format(self.status, (self.output.strip() or "no output")[-600:])


def tidy(engine: "Any") -> None:
    """Remove containers of an earlier proof that was cut off: by label and name, as the image has the label too."""
    found = engine.get("/containers/json", all=1, filters=json.dumps({"label": [LABEL + "=1"]}))
    for item in found:
        if any(name.startswith("/" + PREFIX) for name in item.get("Names") or ()):
            engine.delete("/containers/" + item["Id"], force=1, v=1)


def command(request: "Any") -> "Any":
    """The command line of the program in the container."""
    return [proof_image.interpreter(), "-I", "-S", "-B", "-c", child.source(container_program), json.dumps(request)]


def run(
    engine: "Any",
    name: str,
    image: "Any",
    host: "Any" = (),
    env: "Any" = (),
    user: str = "",
    request: "Any" = (),
    timeout: float = 120,
) -> "Any":
    """Run the probe in a container; `host` adds to HostConfig. Returns a Ran. Raises Unknown when it does not end."""
    body = _body(image, command(dict(request)), host, env, user)
    started = time.monotonic()
    name = PREFIX + name
    try:
        ran = _run(engine, name, body, timeout)
    except TimedOut:
        ran = None
    finally:
        _remove(engine, name)
    if ran is None:
        raise Unknown("the container {} did not end within {} s; it was killed".format(name, timeout))
    ran.seconds = round(time.monotonic() - started, 3)
    return ran


class KeptContainer:
    """A container of the proof that runs on, so that it can be asked more than once."""

    def __init__(self, engine: "Any", name: str, timeout: float) -> None:
        self._engine = engine
        self._name = name
        self._timeout = timeout

    def ask(self, request: "Any" = ()) -> Ran:
        """What a new process in the container sees: a Ran, whose program ended or gave no answer."""
        started = time.monotonic()
        try:
            body = {"Cmd": command(dict(request)), "AttachStdout": True, "AttachStderr": True}
            number = self._engine.post("/containers/{}/exec".format(self._name), body)["Id"]
            data = self._engine.stream("/exec/{}/start".format(number), {"Detach": False}, self._timeout)
            status = self._engine.get("/exec/{}/json".format(number)).get("ExitCode")
        except ApiError as error:
            return Ran(error=error.message)
        output, errors = _streams(data)
        return Ran(_answer(output), status, errors or output, seconds=round(time.monotonic() - started, 3))


@contextlib.contextmanager
def kept(engine: "Any", name: str, image: "Any", host: "Any", env: "Any", timeout: float) -> "Iterator[KeptContainer]":
    """A container that runs for as long as the block; it is removed whatever happens. Raises ApiError, Failed."""
    words = [proof_image.interpreter(), "-I", "-S", "-B", "-c", "import time; time.sleep({})".format(10 * timeout)]
    body = _body(image, words, host, env)
    name = PREFIX + name
    try:
        engine.post("/containers/create", body, timeout, name=name)
        engine.post("/containers/{}/start".format(name), None, timeout)
        yield KeptContainer(engine, name, timeout)
    finally:
        _remove(engine, name)


def _body(image: "Any", words: "list[str]", host: "Any", env: "Any", user: str = "") -> "dict[str, Any]":
    return {
        "Image": image,
        "Entrypoint": words[:1],
        "Cmd": words[1:],
        "Env": list(env),
        "User": user,
        "Labels": {LABEL: "1"},
        "HostConfig": dict({"NetworkMode": "none", "LogConfig": {"Type": "json-file"}}, **dict(host)),
    }


def _run(engine: "Any", name: str, body: "Any", timeout: float) -> "Any":
    try:
        engine.post("/containers/create", body, timeout, name=name)
        engine.post("/containers/{}/start".format(name), None, timeout)
        status = engine.post("/containers/{}/wait".format(name), None, timeout)["StatusCode"]
        output, errors = _streams(engine.raw("/containers/{}/logs".format(name), stdout=1, stderr=1))
    except ApiError as error:
        return Ran(error=error.message)
    return Ran(_answer(output), status, errors or output)


def _remove(engine: "Any", name: str) -> None:
    try:
        engine.delete("/containers/" + name, force=1, v=1)
    except ApiError as error:
        if error.status not in (404, 409):  # gone already, or being removed (AutoRemove)
            raise
    except TimedOut:
        raise Unknown("the container {} cannot be removed: it hangs in the kernel".format(name)) from None


def _streams(data: bytes) -> "Any":
    """(stdout, stderr) of Docker's multiplexed log: eight bytes of header, the last four of them a length."""
    texts = {1: b"", 2: b""}
    while len(data) >= 8:
        length = int.from_bytes(data[4:8], "big")
        texts[data[0]] = texts.get(data[0], b"") + data[8 : 8 + length]
        data = data[8 + length :]
    return texts[1].decode("utf-8", "replace"), texts[2].decode("utf-8", "replace")


def _answer(output: "Any") -> "Any":
    lines = output.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "limits" in answer else None


def run_wrapped(
    engine: "Any", system: "System", name: str, image: "Any", gpus: "Any", request: "Any" = (), timeout: float = 120
) -> "Any":
    """The same through `nvidia-docker run` with NV_GPU (generations 1 and 2). `gpus`: UUIDs, None for all."""
    name = PREFIX + name
    argv = ["nvidia-docker", "run", "--rm", "--name", name, "--label", LABEL + "=1", "--net", "none"]
    argv += ["--log-driver", "json-file", image] + command(dict(request))
    started = time.monotonic()
    try:
        result = system.run(argv, timeout=timeout, env={"NV_GPU": ",".join(gpus)} if gpus is not None else {})
        ran = Ran(_answer(result.out), result.status, result.err or result.out)
    except Failed as error:
        ran = Ran(error=error.output or error.cause)
    finally:
        _remove(engine, name)
    ran.seconds = round(time.monotonic() - started, 3)
    return ran


def removes_itself(engine: "Any", image: "Any", timeout: float) -> "Any":
    """Is a container that was run with --rm gone by itself? A sentence where not, else ""."""
    name = PREFIX + "rm"
    words = [proof_image.interpreter(), "-I", "-S", "-B", "-c", "pass"]
    body = {"Image": image, "Entrypoint": words[:1], "Cmd": words[1:]}
    body.update(Labels={LABEL: "1"}, HostConfig={"NetworkMode": "none", "AutoRemove": True})
    try:
        engine.post("/containers/create", body, timeout, name=name)
        engine.post("/containers/{}/start".format(name), None, timeout)
        return _gone(engine, name, time.monotonic() + timeout)
    except ApiError as error:
        return error.message
    except TimedOut:
        return "the container {} did not end within {} s".format(name, timeout)
    finally:
        _remove(engine, name)


def _gone(engine: "Any", name: str, deadline: "Any") -> "Any":
    while time.monotonic() < deadline:
        try:
            engine.get("/containers/{}/json".format(name))
        except ApiError as error:
            return "" if error.status == 404 else error.message
        time.sleep(0.05)
    return "a container that was run with --rm is still there"


def exited(engine: "Any") -> "Any":
    """{"count", "bytes"} of exited containers: disk that nobody uses. None where Docker takes too long to tell."""
    try:
        found = engine.get(
            "/containers/json", timeout=20, all=1, size=1, filters=json.dumps({"status": ["exited", "dead"]})
        )
    except (TimedOut, ApiError):
        return None
    return {"count": len(found), "bytes": sum(item.get("SizeRw") or 0 for item in found)}


def nobody() -> "Any":
    """A user that no image knows, for `-u`: as `id -u`:`id -g` of somebody on the host."""
    return "{0}:{0}".format(65534 if os.geteuid() != 65534 else 65533)
