"""An image for the proof, made from the host itself: its python3 with the modules that the probe imports, libc,
ldconfig, a shell. Some MB, imported in a fraction of a second, so that a host without any registry can be proven.

The law: nothing but what the host runs already; the image is labelled as ours, named after a digest of what is in
it, and older ones of ours are removed. Its layout is the merged one (/lib is a link to usr/lib), as toolkits expect.
"""

import hashlib
import io
import json
import os
import re
import sys
import tarfile

from ...host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...host.system import System

REPOSITORY = "provision-proof"
LABEL = "com.nvidia.volumes.needed"
CHANGES = (
    "ENV PATH=/usr/local/nvidia/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LABEL provision.proof=1 {}=nvidia_driver".format(
        LABEL
    ),  # nvidia-docker 1 gives GPUs only to images with this label
)
MODULES = "ctypes glob json os platform resource sys time encodings.latin_1 encodings.ascii"
"""What cuda_probe.py imports."""
FOLDERS = (
    "usr/lib",
    "usr/lib64",
    "usr/bin",
    "usr/sbin",
    "usr/local",
    "etc/ld.so.conf.d",
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "var",
    "root",
)
LINKS = (("lib", "usr/lib"), ("lib64", "usr/lib64"), ("bin", "usr/bin"), ("sbin", "usr/sbin"))
LIBC_PARTS = ("libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1")
"""What libcuda.so.1 is linked with. Since glibc 2.34 nothing of python3 is linked with all of them any more."""
LIMIT = 512 * 1024 * 1024


def ensure(system: "System", engine: "Any") -> "Any":
    """The name of the image, made and imported when it is not there."""
    files = contents(system)
    name = "{}:{}".format(REPOSITORY, _digest(system, files))
    known = [tag for image in engine.get("/images/json") for tag in image.get("RepoTags") or ()]
    if name not in known:
        answer = engine.send(
            "/images/create",
            archive(system, files),
            fromSrc="-",
            repo=REPOSITORY,
            tag=name.partition(":")[2],
            changes=CHANGES,
        )
        if '"error"' in answer:
            raise Failed(
                "Docker did not import the image for the proof: {}".format(answer.strip()[-300:]),
                "look at docker info and df -h",
            )
    for tag in known:
        if tag.startswith(REPOSITORY + ":") and tag != name:
            engine.delete("/images/" + tag)
    return name


def interpreter() -> str:
    """The path of python3, on the host and in the image."""
    return os.path.realpath(sys.executable)


def contents(system: "System") -> "dict[str, str]":
    """{path in the image: path on the host} of every file."""
    python = interpreter()
    found = set(_modules(system, python)) | {python}
    for program in ("ldconfig", "ldconfig.real", "sh"):
        path = system.which(program)
        if path is not None:
            found.add(path)
    libraries = _libraries(system, [path for path in found if not path.endswith((".py", ".pyc"))])
    return {_inside(path): path for path in found | libraries}


def _modules(system: "System", python: str) -> "list[str]":
    """Files of the modules that the probe needs, as this interpreter finds them, and what it has compiled of them."""
    program = "import {}\nimport json,sys\nmodules=list(sys.modules.values())\n".format(",".join(MODULES.split()))
    program += "compiled=[getattr(getattr(m,'__spec__',None),'cached',None) for m in modules]\n"
    program += "print(json.dumps([getattr(m,'__file__',None) for m in modules]+compiled))"
    result = system.query([python, "-I", "-S", "-B", "-c", program], timeout=30)
    if not result.ok:
        raise Failed(
            "{} cannot import what the proof needs: {}".format(python, result.tail(1)),
            "install the complete python3 package",
        )
    files = [path for path in json.loads(result.out) if path and os.path.isfile(path)]
    landmark = os.path.join(os.path.dirname(json.__file__), os.pardir, "os.py")  # python finds its library by os.py
    return files + [os.path.normpath(landmark)]


def _libraries(system: "System", binaries: "list[str]") -> "set[str]":
    """What the dynamic linker loads for them, the linker itself included; by the names it looks for."""
    result = system.query(["ldd"] + sorted(binaries), timeout=30)
    missing = re.findall(r"^\s*(\S+) => not found", result.out, re.M)
    if missing:
        raise Failed(
            "a library of python3 is missing on this host: {}".format(missing[0]), "repair it, and run ldconfig"
        )
    found = set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", result.out, re.M))
    folders = {os.path.dirname(path) for path in found if os.path.basename(path) == "libc.so.6"}
    parts = (os.path.join(folder, name) for folder in folders for name in LIBC_PARTS)
    return found | {path for path in parts if os.path.exists(path)}


def _inside(path: str) -> str:
    """Where a file stands in the image: /lib/x is /usr/lib/x there."""
    folder, name = os.path.split(path)
    path = os.path.join(os.path.normpath(folder), name)
    return re.sub(r"^/(lib|lib64|bin|sbin)/", r"/usr/\1/", path).lstrip("/")


def _digest(system: "System", files: "Any") -> "Any":
    whole = hashlib.sha256(json.dumps(CHANGES).encode("ascii"))
    for inside, path in sorted(files.items()):
        status = os.stat(path)
        whole.update("{}\0{}\0{}\n".format(inside, status.st_size, status.st_mtime_ns).encode("utf-8"))
    return whole.hexdigest()[:12]


def archive(system: "System", files: "dict[str, str]") -> bytes:
    """The image's file system as a tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in FOLDERS:
            _add(tar, folder, tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        for name, target in LINKS:
            _add(tar, name, tarfile.SYMTYPE, link=target)
        _add(tar, "etc/ld.so.conf", data=b"include /etc/ld.so.conf.d/*.conf\n")
        _add(tar, "etc/ld.so.conf.d/nvidia.conf", data=b"/usr/local/nvidia/lib\n/usr/local/nvidia/lib64\n")
        _add(tar, "etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\n")
        _add(tar, "etc/group", data=b"root:x:0:\n")
        for inside, path in sorted(files.items()):
            data = system.read(path, LIMIT) or b""
            mode, when = 0o755 if os.access(path, os.X_OK) else 0o644, int(os.stat(path).st_mtime)
            _add(tar, inside, data=data, mode=mode, when=when)  # python compares when a source was compiled and written
        _add(tar, "usr/bin/python3", tarfile.SYMTYPE, link=interpreter())
    return stream.getvalue()


def _add(
    tar: "Any",
    name: str,
    kind: "Any" = tarfile.REGTYPE,
    data: bytes = b"",
    mode: int = 0o644,
    link: str = "",
    when: int = 0,
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname, entry.size, entry.mtime = kind, mode, link, len(data), when
    tar.addfile(entry, io.BytesIO(data) if data else None)
