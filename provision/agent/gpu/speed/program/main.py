"""Measures the GPUs of a host: each in a process of its own, all at the same time, the PCIe link and the copies from
GPU to GPU one after the other.

A process that does not end in time is killed, and its GPU is unknown, with the step that it was in; one that cannot be
killed hangs in the driver and is left behind, by its PID. The others' answers stand.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time

from . import judge, peers
from .causes import of_cuda
from .cuda import CudaCallError, middle
from .worker import Worker, blank

GRACE = 2.0
"""Seconds that a killed process has to go."""


class Child:
    """A forked process that runs `work(told, turn)`, whose result is its last message, {"end": result}."""

    def __init__(self, work, limit):
        self.step, self.end, self.gave = "start", None, False
        self.hung, self.left, self.status = False, None, 0
        self.deadline = time.monotonic() + limit
        reading, writing = os.pipe()
        self._turn, self._give = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            self._work(work, writing)
        os.close(writing)
        self.fd, self._rest = reading, b""

    def _work(self, work, writing):
        """In the new process: never comes back."""
        try:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with who waits for us

            def told(message):
                os.write(writing, (json.dumps(message) + "\n").encode("ascii"))

            end = work(told, lambda: os.read(self._turn, 1))
            with os.fdopen(writing, "wb") as file:
                file.write((json.dumps({"end": end}) + "\n").encode("ascii"))
        except BaseException as error:
            sys.stderr.write("{}: {}\n".format(type(error).__name__, error))
            os._exit(1)
        os._exit(0)

    def give_turn(self):
        os.write(self._give, b"!")

    def messages(self):
        """What has come; None at the end."""
        data = os.read(self.fd, 65536)
        if not data:
            return None
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        return [json.loads(line.decode("ascii")) for line in lines]

    def kill(self):
        """End it; True when it went."""
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            time.sleep(0.01)
        return False


def gather(children):
    """Wait for all, and give the link to one at a time. Each has then `end`, or none and the step it was in."""
    waiting, queue, holder = list(children), [], None
    while waiting:
        if holder is None and queue:
            holder = queue.pop(0)
            holder.give_turn()
        soonest = min(child.deadline for child in waiting)
        ready = select.select([child.fd for child in waiting], [], [], max(0, soonest - time.monotonic()))[0]
        now = time.monotonic()
        for child in list(waiting):
            done = child.fd in ready and _hear(child, queue)
            if done:
                child.status = os.waitpid(child.pid, 0)[1]
            elif now >= child.deadline:
                done = child.hung = True
                child.left = None if child.kill() else child.pid
            if done:
                waiting.remove(child)
                queue = [other for other in queue if other is not child]
            if holder is child and (done or child.gave):
                holder, child.gave = None, False


def _hear(child, queue):
    """Take in what a child says; True at its end."""
    messages = child.messages()
    for message in messages or ():
        if "at" in message:
            child.step = message["at"]
        elif "wants" in message:
            child.step = "waiting for the link"
            queue.append(child)
        elif "gives" in message:
            child.gave = True
        else:
            child.end = message["end"]
    return messages is None


def main(request):
    """{"gpus": [see worker.py], "peers": None or see peers.py, "seconds"}.

    `request`: gpus (PCI addresses), full, beside_jobs, limit (seconds of a GPU), least, slack and last (see judge.py;
    last by UUID).
    """
    began = time.monotonic()
    children = [Child(_work(bus, request), request["limit"]) for bus in request["gpus"]]
    gather(children)
    gpus = [_gpu(bus, child, request) for bus, child in zip(request["gpus"], children)]  # noqa: B905 - 3.6
    measured = [gpu for gpu in gpus if "after" in gpu.get("nvml", ())]  # those that came to their end
    found = _between(measured, request) if len(measured) > 1 else None
    return {"gpus": gpus, "peers": found, "seconds": round(time.monotonic() - began, 3)}


def _work(bus, request):
    return lambda told, turn: Worker(bus, request, told, turn).run()


def _gpu(bus, child, request):
    """A child's answer, or what became of it."""
    if child.end is not None:
        return child.end
    gpu = blank(bus, request)
    gpu["checks"] = [_silent(child, request["limit"])]
    return gpu


def _silent(child, limit):
    """The check for a child that did not answer."""
    fix = "dmesg | grep -i -e nvrm -e xid; drain the host, then reset the GPU or reboot"
    if child.left is not None:
        cause = "process {} hangs in the driver, in the step {}, and cannot be killed".format(child.left, child.step)
        return judge.check("time", "unknown", child.step, cause, "reboot the host: only that ends it")
    if child.hung:
        cause = "it did not end within {} s, in the step {}, and was killed".format(limit, child.step)
        return judge.check("time", "unknown", child.step, cause, fix)
    cause = "the measuring process died (status {}) in the step {}".format(child.status, child.step)
    return judge.check("time", "failed", child.step, cause, fix)


# -- from GPU to GPU


def _between(gpus, request):
    """Measure the pairs, and give each GPU its figure and its check."""
    child = Child(lambda told, turn: _peers([gpu["uuid"] for gpu in gpus]), request["limit"])
    child.step = "GPU to GPU"
    gather([child])
    found = child.end or {"pairs": [], "check": _silent(child, request["limit"])}
    if "check" in found:
        gpus[0]["checks"].append(found.pop("check"))
    for pair in found["pairs"]:
        pair.update({end: gpus[pair[end]]["uuid"] for end in ("from", "to")})
    for gpu in gpus:
        own = [pair for pair in found["pairs"] if pair["from"] == gpu["uuid"]]
        if own:
            gpu["figures"]["peer"] = max(own, key=lambda pair: pair["best"])
    _judge_peers([gpu for gpu in gpus if "peer" in gpu["figures"]], request)
    return found


def _peers(uuids):
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(uuids)
    try:
        return peers.measure(len(uuids))
    except CudaCallError as error:
        verdict, cause, fix = of_cuda(error.code)
        cause = "{} ({}, in the step GPU to GPU)".format(cause, error)
        return {"pairs": [], "check": judge.check("GPU to GPU", verdict, str(error), cause, fix)}


def _judge_peers(gpus, request):
    usual = middle([gpu["figures"]["peer"]["best"] for gpu in gpus]) if gpus else 0
    for gpu in gpus:
        last = request["last"].get(gpu["uuid"])
        gpu["checks"].append(judge.peer(gpu, usual, request, last))
