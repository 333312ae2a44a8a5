"""Hosts that look as if they had NVIDIA GPUs, and packages of NVIDIA's names: stand-ins, and each says so.

Law: what injects is real where it can be (Docker's own CDI, a runtime of Docker's that calls runc); what is injected is
the false libcuda and the false NVML of tests/gpu, built here. Nothing of NVIDIA's is in it.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.agent import false_gpu
from tests.lab.host import File, LabHost

DRIVER = "550.54.15"
FALSE = "/opt/false-nvidia"
TEXT = "stand-in for {} of NVIDIA's\n For tests only; nothing of it is NVIDIA's."

RUNTIME = """\
#!/usr/bin/python3
# A stand-in: mounts false libraries into the container as NVIDIA_VISIBLE_DEVICES says, then is runc.
import json, os, sys
words = sys.argv[1:]
if "--version" in words:
    print("NVIDIA Container Runtime version 1.17.8 (stand-in)")
if "create" in words and "--bundle" in words:
    path = os.path.join(words[words.index("--bundle") + 1], "config.json")
    spec = json.load(open(path))
    env = dict(item.partition("=")[::2] for item in spec["process"].get("env", ()))
    asked = env.get("NVIDIA_VISIBLE_DEVICES", "void")
    if asked not in ("void", "none", ""):
        for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
            spec["mounts"].append({"type": "bind", "source": "@FALSE@/%s/%s" % (asked, name),
                "destination": "/usr/lib/x86_64-linux-gnu/" + name, "options": ["ro", "bind"]})
        json.dump(spec, open(path, "w"))
os.execvp("runc", ["runc"] + words)
""".replace("@FALSE@", FALSE)

CTK = """\
#!/usr/bin/python3
# A stand-in: writes a CDI spec that mounts false libraries.
import os, sys
output = [word.partition("=")[2] for word in sys.argv if word.startswith("--output=")][0]
driver = open("/sys/module/nvidia/version").read().strip()
lines = ["cdiVersion: 0.5.0", "kind: nvidia.com/gpu", "# for libcuda.so." + driver, "devices:"]
for name in sorted(os.listdir("@FALSE@")):
    lines += ["- name: \\"%s\\"" % name, "  containerEdits:", "    mounts:"]
    for library in ("libcuda.so.1", "libnvidia-ml.so.1"):
        lines += ["    - hostPath: @FALSE@/%s/%s" % (name, library),
            "      containerPath: /usr/lib/x86_64-linux-gnu/" + library, "      options: [ro, bind]"]
open(output, "w").write("\\n".join(lines) + "\\n")
""".replace("@FALSE@", FALSE)

CONFIG = """\
#!/bin/sh
set -e
mkdir -p /etc/nvidia-container-runtime
[ -e /etc/nvidia-container-runtime/config.toml ] || cat >/etc/nvidia-container-runtime/config.toml <<'END'
disable-require = false

[nvidia-container-runtime]
log-level = "info"
mode = "auto"
END
"""
DAEMON_JSON = """\
{
    "runtimes": {
        "nvidia": {
            "path": "nvidia-container-runtime",
            "runtimeArgs": []
        }
    }
}
"""
WRAPPER = '#!/bin/sh\nset -f\n[ "$1" = run ] && { shift; exec docker run --runtime=nvidia "$@"; }\nexec docker "$@"\n'
FIRST = """\
#!/bin/sh
# A stand-in: like the first generation it gives GPUs only to images with its label, as NV_GPU says.
set -f
[ "$1" = run ] || exec docker "$@"
shift
for word; do
  case "$word" in provision-proof:*) image=$word; break ;; esac
done
label=$(docker inspect -f '{{index .Config.Labels "com.nvidia.volumes.needed"}}' "$image")
[ "$label" = nvidia_driver ] || exec docker run "$@"
from=@FALSE@/${NV_GPU:-all}
to=/usr/lib/x86_64-linux-gnu
exec docker run -v $from/libcuda.so.1:$to/libcuda.so.1:ro -v $from/libnvidia-ml.so.1:$to/libnvidia-ml.so.1:ro "$@"
""".replace("@FALSE@", FALSE)
PLUGIN_UNIT = """\
[Unit]
Description=NVIDIA Docker plugin (stand-in)
[Service]
EnvironmentFile=-/etc/default/nvidia-docker
ExecStart=/usr/bin/nvidia-docker-plugin
[Install]
WantedBy=multi-user.target
"""


def toolkit(into: Path, version: str) -> list[Path]:
    """The toolkit's four packages, with the vendor's relations between them."""
    same = f"(= {version})"
    return [
        deb(into, "libnvidia-container1", version, {"/usr/share/doc/libnvidia-container1/stand-in": "\n"}),
        deb(
            into,
            "libnvidia-container-tools",
            version,
            {"/usr/bin/nvidia-container-cli": "#!/bin/sh\nexit 1\n"},
            depends=f"libnvidia-container1 {same}",
        ),
        deb(
            into,
            "nvidia-container-toolkit-base",
            version,
            {"/usr/bin/nvidia-container-runtime": RUNTIME, "/usr/bin/nvidia-ctk": CTK},
            postinst=CONFIG,
        ),
        deb(
            into,
            "nvidia-container-toolkit",
            version,
            {"/usr/bin/nvidia-container-runtime-hook": f"#!/bin/sh\n# {version}\nexit 1\n"},
            depends=f"nvidia-container-toolkit-base {same}, libnvidia-container-tools {same}",
        ),
    ]


def nvidia_docker2(into: Path, version: str = "2.13.0-1") -> Path:
    """The package that holds /etc/docker/daemon.json as its own configuration file."""
    return deb(
        into,
        "nvidia-docker2",
        version,
        {"/etc/docker/daemon.json": DAEMON_JSON, "/usr/bin/nvidia-docker": WRAPPER},
        depends="nvidia-container-toolkit",
        breaks="nvidia-docker (<< 2.0.0)",
    )


def nvidia_docker1(into: Path, version: str = "1.0.1-1") -> tuple[Path, str]:
    """The .deb of 2016 with its plugin's service, and its sha256."""
    made = deb(
        into,
        "nvidia-docker",
        version,
        {
            "/usr/bin/nvidia-docker": FIRST,
            "/usr/bin/nvidia-docker-plugin": "#!/bin/sh\nexec sleep infinity\n",
            "/lib/systemd/system/nvidia-docker.service": PLUGIN_UNIT,
            "/etc/default/nvidia-docker": "# NVIDIA_DOCKER_PLUGIN_OPTS=\n",
        },
        depends="docker-engine (>= 1.9.0) | docker-ce | docker-ee",
        architecture="amd64",
    )
    return made, hashlib.sha256(made.read_bytes()).hexdigest()


def deb(
    into: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    depends: str = "",
    breaks: str = "",
    postinst: str = "",
    architecture: str = "all",
) -> Path:
    """Build one package; what is under /etc is a configuration file of it."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fields = {
            "Package": name,
            "Version": version,
            "Architecture": architecture,
            "Maintainer": "lab <lab@lab.invalid>",
        }
        fields |= {key: value for key, value in (("Depends", depends), ("Breaks", breaks)) if value}
        fields["Description"] = TEXT.format(name)
        control = root / "DEBIAN"
        control.mkdir()
        (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        (control / "conffiles").write_text("".join(f"{path}\n" for path in files if path.startswith("/etc/")))
        if postinst:
            (control / "postinst").write_text(postinst)
            (control / "postinst").chmod(0o755)
        for path, text in files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o755 if text.startswith("#!") else 0o644)
        target = into / f"{name}_{version}_{architecture}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", folder, str(target)], check=True, timeout=60
        )
    return target


def uuid(index: int) -> str:
    return f"GPU-{index:08x}-0000-0000-0000-000000000000"


def give_gpus(host: LabHost, folder: Path, count: int) -> None:
    """GPUs on the PCI bus, a loaded driver and its library, as far as files and a false NVML can show them."""
    files = {}
    for name, first, number in [("all", 0, count)] + [(uuid(index), index, 1) for index in range(count)]:
        for library in ("false_cuda", "false_nvml"):
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)
            built = Path(false_gpu.build(place, library, FIRST=first, GPUS=number))
            files[f"{FALSE}/{name}/{built.name}"] = File(built.read_bytes(), 0o755)
    files[f"/usr/local/nvidia/lib64/libnvidia-ml.so.{DRIVER}"] = files[f"{FALSE}/all/libnvidia-ml.so.1"]
    host.put(files)
    place_on_bus(host, count)


def can_be_measured(host: LabHost, folder: Path, count: int) -> None:
    """The driver's libraries on the host itself, for the speed: what they are like stands in /run/false/gpus."""
    folder.mkdir(parents=True, exist_ok=True)
    nvml, cuda = (Path(false_gpu.build(folder, f"false_speed_{name}", GPUS=count)) for name in ("nvml", "cuda"))
    place = "/usr/local/nvidia/lib64"
    libraries = {f"libnvidia-ml.so.{DRIVER}": nvml, "libcuda.so.1": cuda}
    host.put({f"{place}/{name}": File(library.read_bytes(), 0o755) for name, library in libraries.items()})


def place_on_bus(host: LabHost, count: int, driver: str = DRIVER) -> None:
    """Only what the kernel would show; again after a power loss."""
    lines = [f"{(0x10 + i):02x}00\t10de2330\t0\n" for i in range(count)]
    script = [
        "set -e; umount /proc/bus/pci/devices /sys/bus/pci/devices /sys/module 2>/dev/null || true",
        "mkdir -p /run/false; ln -sfn libnvidia-ml.so." + DRIVER + " /usr/local/nvidia/lib64/libnvidia-ml.so.1",
        "mount -t tmpfs none /sys/bus/pci/devices; mount -t tmpfs none /sys/module; mkdir -p /sys/module/nvidia",
        f"echo {driver} >/sys/module/nvidia/version",
        "cat >/run/false/devices; mount --bind /run/false/devices /proc/bus/pci/devices",
    ]
    for index in range(count):
        device = f"/sys/bus/pci/devices/0000:{0x10 + index:02x}:00.0"
        script.append(
            f"mkdir {device}; echo 0x10de >{device}/vendor; echo 0x2330 >{device}/device; echo 0x030200 >{device}/class"
        )
    host.run("\n".join(script), input="".join(lines))


def package_state(host: LabHost, names: Sequence[str]) -> dict[str, str]:
    """`hi 1.18.1-1` and the like: dpkg's two letters and the version."""
    words = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\\n", *names]
    lines = host.run(words, check=False).stdout.splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
