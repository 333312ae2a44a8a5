"""Builds the stand-ins for NVIDIA's libraries (tests/gpu/*.c) at test time; without gcc the tests are skipped, loudly.

With CI set a missing compiler is a failure: see test_nvml.py.
"""

import glob
import os
import shutil
import subprocess

SOURCES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "gpu")
COMPILER = shutil.which("gcc") or shutil.which("cc")


def build(folder, name, **options):
    """Compile `name` (false_nvml, false_cuda and those of the speed tests) with these -D options; return its path."""
    soname = "libcuda.so.1" if name.endswith("cuda") else "libnvidia-ml.so.1"
    target = os.path.join(str(folder), soname)
    defines = ["-D{}={}".format(key, value) for key, value in sorted(options.items())]
    source = os.path.join(SOURCES, name + ".c")
    argv = [COMPILER, "-shared", "-fPIC", "-Wl,-soname," + soname] + defines + ["-o", target, source]
    subprocess.check_call(argv)
    return target


def pynvml():
    """The source of pynvml, from wherever this machine has it, or None: on a host it comes with the plan."""
    root = os.path.dirname(os.path.dirname(SOURCES))
    places = [os.environ.get("PYNVML", "")]
    places += glob.glob(os.path.join(root, ".venv", "lib", "python3*", "site-packages", "pynvml.py"))
    places += glob.glob(os.path.join(os.path.dirname(root), "venv", "lib", "python3*", "site-packages", "pynvml.py"))
    for place in places:
        if os.path.isfile(place):
            with open(place, encoding="utf-8") as file:
                return file.read()
    return None
