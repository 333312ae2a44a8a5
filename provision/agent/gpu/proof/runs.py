"""The containers of a proof: which are run for which level, and what is asked of each.

The law: few containers, each with several questions: all GPUs with the daemon's own limits (level 2), `-u`,
`--shm-size` and `--rm` (level 2), one GPU with `--ipc=host`, none (level 3). The GPU that is asked alone is the last
one, so that index 0 in the container is shown to be another than index 0 on the host. Containers that use no GPU run
beside the one that does: most of a container's time is Docker's.
"""

import threading

from ...docker import daemon_socket, in_use
from ...docker.engine_api import ApiError, Engine
from ...host.errors import Failed, Unknown
from .. import container_program, injection
from . import container, container_checks, image
from .host_checks import FAILED, PASSED, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from ...host.system import System

SHM = 256 * 1024 * 1024
"""Bytes asked with --shm-size: neither Docker's default (64 MiB) nor any usual one."""
WRAPPED = "nvidia-docker"


class ContainerRuns:
    """One climb of levels 2 and 3. `uuids` is [(uuid, index)] of what the host has, `docker` what level 0 found."""

    def __init__(self, system: "System", proof: "Any", uuids: "Any", docker: "Any") -> None:
        self._system = system
        self._proof = proof
        self._uuids = uuids
        self._ways = docker.get("ways") or [None]
        self._engine = Engine(system)
        self.containers: "list[dict[str, Any]]" = []
        container.tidy(self._engine)
        self._image = self._ready_image()
        self._limits = self._expected_limits()

    def level(self, number: "Any") -> "Any":
        """The checks of one level."""
        checks = []
        beside = _Beside(self._flags) if number == 2 else None
        try:
            for way in self._ways:
                checks += self._two(way) if number == 2 else self._three(way)
                if any(item["verdict"] != PASSED for item in checks):
                    return checks
        finally:
            more = beside.result() if beside else []
        return checks + more

    def exited(self) -> "Any":
        return container.exited(self._engine)

    # -- what is run

    def _ready_image(self) -> "Any":
        if self._proof.image is None:
            return image.ensure(self._system, self._engine)
        try:
            self._engine.get("/images/{}/json".format(self._proof.image))
        except ApiError as error:
            if error.status != 404:
                raise
            fix = "name it in container_images.images, or leave gpu_smoke_test.image out"
            raise Failed("the image {} is not on this host".format(self._proof.image), fix) from None
        return self._proof.image

    def _expected_limits(self) -> "Any":
        pid = daemon_socket.process(self._system)
        if pid is None:
            raise Unknown("the Docker daemon ended during the proof")
        found = container_checks.configured(self._system, pid)
        found.update(self._proof.limits)
        return found

    def _run(self, way: "Any", name: str, asked: "Any", **options: "Any") -> "Any":
        """One container by one way in. `asked`: injection.ALL, NONE or [(uuid, index)]."""
        title = "{} ({})".format(name, way) if way else name
        host = dict(options.pop("host", {}))
        if way == WRAPPED and asked != injection.NONE:
            gpus = None if asked == injection.ALL else [uuid for uuid, _ in asked]
            ran = container.run_wrapped(
                self._engine,
                self._system,
                name,
                self._image,
                gpus,
                request=options.get("request", {}),
                timeout=self._proof.timeout,
            )
        else:
            extra, env = injection.options(self._system, way, asked) if way and way != WRAPPED else ({}, ())
            host.update(extra)
            ran = container.run(self._engine, name, self._image, host, env, timeout=self._proof.timeout, **options)
        self.containers.append({"name": title, "seconds": ran.seconds, "answer": ran.answer})
        return title, ran

    def _answered(self, title: "Any", ran: "Any") -> "Any":
        return container_checks.answered(title, ran, daemon_socket.log(self._system))

    # -- level 2

    def _two(self, way: "Any") -> "Any":
        request = self._request(way) if way else {}
        title, ran = self._run(way, "all", injection.ALL if way else injection.NONE, request=request)
        checks = [self._answered(title, ran)]
        if ran.answer is None:
            return checks
        checks.append(container_checks.sees(title, ran.answer, [uuid for uuid, _ in self._uuids]))
        if self._uuids and checks[-1]["verdict"] == PASSED:
            checks.append(container_checks.complete(title, ran.answer, request["libraries"] + request["nodes"]))
            checks += [container_checks.runs_nvidia_smi(ran.answer)] if request["nvidia_smi"] else []
            checks.append(self._computes(ran.answer))
        return checks + list(container_checks.limits(ran.answer, self._limits))

    def _request(self, way: str) -> "dict[str, Any]":
        """What of the driver is looked for in the container."""
        libraries, nodes = injection.driver_files(self._system)
        smi = injection.nvidia_smi(self._system, way)
        return {"libraries": sorted(libraries), "nodes": nodes, "nvidia_smi": smi}

    def _computes(self, answer: "Any") -> "Any":
        found = container_checks.computes(answer)
        if found["verdict"] == PASSED:
            return found
        return container_checks.taken(found, in_use.users(self._system)["processes"])

    def _flags(self) -> "Any":
        """-u, --shm-size and --rm do what the guide says."""
        user = container.nobody()
        host = {"ShmSize": SHM}
        _, ran = self._run(None, "flags", injection.NONE, user=user, host=host)
        checks = [self._answered("-u, --shm-size", ran)]
        if ran.answer is not None:
            found = "{uid}:{gid}".format(**ran.answer)
            checks.append(_same("-u", found, user, "the container does not run as the user that was asked for"))
            checks.append(_same("--shm-size", ran.answer["shm"], SHM, "/dev/shm is not of the size that was asked for"))
        checks += self._volumes()
        left = container.removes_itself(self._engine, self._image, self._proof.timeout)
        checks.append(_same("--rm", left, "", left))
        return checks

    def _volumes(self) -> "Any":
        """-v shows the host's own directories (a missing one is told, not made, as `docker run -v` would)."""
        known = {path: container_program.volume(path) for path in self._proof.volumes}
        missing = sorted(path for path in known if known[path] is None)
        if missing:
            cause = "there is no directory {} on this host".format(missing[0])
            return [check("-v", FAILED, "", cause, "mount or make it, or correct gpu_smoke_test.volumes")]
        if not known:
            return []
        inside = {"/volume{}".format(number): path for number, path in enumerate(sorted(known))}
        mounts = [{"Type": "bind", "Source": path, "Target": name, "ReadOnly": True} for name, path in inside.items()]
        _, ran = self._run(
            None, "volumes", injection.NONE, host={"Mounts": mounts}, request={"volumes": sorted(inside)}
        )
        checks = [self._answered("-v", ran)]
        for name, path in sorted(inside.items() if ran.answer else ()):
            found = ran.answer["volumes"][name]
            checks.append(_same("-v " + path, found, known[path], "the container sees another directory"))
        return checks

    # -- level 3

    def _three(self, way: "Any") -> "Any":
        none = _Beside(lambda: self._run(way, "none", injection.NONE))
        try:
            checks = self._one(way)
        finally:
            title, ran = none.result()
        if any(item["verdict"] != PASSED for item in checks):
            return checks
        checks.append(self._answered(title, ran))
        if ran.answer is not None:
            checks.append(container_checks.sees(title, ran.answer, []))
        return checks

    def _one(self, way: "Any") -> "Any":
        checks = []
        if len(self._uuids) > 0:
            one = self._uuids[-1]
            wrapped = way == WRAPPED
            title, ran = self._run(way, "one", [one], **({} if wrapped else {"host": {"IpcMode": "host"}}))
            checks.append(self._answered(title, ran))
            if ran.answer is None:
                return checks
            checks.append(container_checks.sees(title, ran.answer, [one[0]]))
            if not wrapped:
                # What Docker calls the host's is that of its daemon, which need not be that of PID 1.
                own = self._system.link("/proc/{}/ns/ipc".format(daemon_socket.process(self._system)))
                checks.append(
                    _same("--ipc=host", ran.answer["ipc"], own, "the container does not share the host's IPC")
                )
        return checks


class _Beside:
    """A call in a thread of its own: only containers by Docker's socket, never a command. `result` raises its error."""

    def __init__(self, call: "Callable[[], Any]") -> None:
        self._call = call
        self._result: "Any" = None
        self._error: "Exception | None" = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._result = self._call()
        except Exception as error:
            self._error = error

    def result(self) -> "Any":
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result


def _same(name: str, found: "Any", asked: "Any", cause: "Any") -> "Any":
    if found == asked:
        return check(name, PASSED, found)
    return check(
        name,
        FAILED,
        found,
        "{}: found {}, asked {}".format(cause, found or "nothing", asked),
        "look at docker inspect and at the daemon's user namespace settings",
    )
