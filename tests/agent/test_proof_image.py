"""The image that is made from the host: it has what NVIDIA's libcuda needs beside python3."""

import io
import os
import struct
import sys
import tarfile

from provision.agent.gpu.proof import image
from provision.agent.host.system import ReadOnly


def test_the_parts_of_the_c_library_that_libcuda_is_linked_with_are_in_it():
    """Seen on an H100 under Ubuntu 24.04: nothing of its python3 is linked with libdl.so.2, and libcuda.so.1 is."""
    files = image.contents(ReadOnly())
    folder = next(os.path.dirname(path) for path in files.values() if os.path.basename(path) == "libc.so.6")
    names = {os.path.basename(path) for path in files}
    for name in image.LIBC_PARTS:
        if os.path.exists(os.path.join(folder, name)):
            assert name in names
    assert "libc.so.6" in names


def test_python_takes_the_compiled_modules_that_are_in_it():
    """It compares the time that is noted in them with the source's: without them each container compiles anew."""
    system = ReadOnly()
    archive = tarfile.open(fileobj=io.BytesIO(image.archive(system, image.contents(system))))
    compiled = {}
    for entry in archive.getmembers():
        folder, name = os.path.split(entry.name)
        if name.endswith(".pyc"):
            source = os.path.join(os.path.dirname(folder), name.split(".")[0] + ".py")
            head = archive.extractfile(entry).read(16)
            if sys.version_info < (3, 7):  # which has no flags yet
                head = head[:4] + bytes(4) + head[4:12]
            _, flags, when, size = struct.unpack("<4sLLL", head)
            compiled[name.split(".")[0]] = flags or (when, size)
            assert compiled[name.split(".")[0]] in (
                1,
                3,
                (archive.getmember(source).mtime, archive.getmember(source).size),
            )
    assert "decoder" in compiled, "of json"
