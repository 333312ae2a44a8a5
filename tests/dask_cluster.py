"""A Dask scheduler and workers as processes of this machine, as somebody would start them on several, with TLS."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).parents[1]
PREFIX = "DASK_DISTRIBUTED__COMM__TLS__"


@dataclass
class Cluster:
    """Addresses as `--executor` takes them; `environment` has the certificates of a client."""

    executor: str
    workers: list[subprocess.Popen[str]]
    environment: Mapping[str, str]


@contextmanager
def cluster(
    directory: Path, *, workers: int = 2, threads: int = 2, tls: bool = False, environment: Mapping[str, str] = {}
) -> Iterator[Cluster]:
    """Up when entered: the scheduler, and so many workers with these variables in their environment."""
    directory.mkdir(exist_ok=True)
    certificates = _certificates(directory) if tls else {}
    file = directory / "scheduler.json"
    file.unlink(missing_ok=True)
    common = {**os.environ, **certificates, "PYTHONPATH": str(ROOT)}
    protocol = ("--protocol", "tls" if tls else "tcp", "--host", "127.0.0.1")
    started = [
        _start(
            directory,
            "scheduler",
            common,
            *protocol,
            "--port",
            "0",
            "--dashboard-address",
            "127.0.0.1:0",
            f"--scheduler-file={file}",
        )
    ]
    try:
        address = _address(file)
        words = (
            address,
            *protocol,
            "--no-nanny",
            "--dashboard-address",
            "127.0.0.1:0",
            "--nthreads",
            str(threads),
            "--local-directory",
        )
        for number in range(workers):
            own = (*words, str(directory / f"scratch-{number}"))
            started.append(_start(directory, f"worker-{number}", common | dict(environment), *own))
        name = address.replace("tls://", "dask+tls://").replace("tcp://", "dask://")
        yield Cluster(name, started[1:], certificates)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait(30)


def _start(directory: Path, name: str, environment: Mapping[str, str], *words: str) -> "subprocess.Popen[str]":
    module = f"distributed.cli.dask_{name.partition('-')[0]}"
    with (directory / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            cwd=directory,
            env=dict(environment),
        )


def _address(file: Path) -> str:
    for _ in range(300):
        try:
            return str(json.loads(file.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.1)
    raise AssertionError(f"no scheduler: {(file.parent / 'scheduler.log').read_text()}")


def _certificates(directory: Path) -> Mapping[str, str]:
    """A CA, and one certificate of its for all three: what Dask's configuration calls them, as environment."""
    authority, authority_key = _certificate("provision test CA", None)
    made, key = _certificate("provision test", (authority, authority_key))
    files: dict[str, Any] = {"ca.pem": authority, "cert.pem": made}
    for name, item in files.items():
        (directory / name).write_bytes(item.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key.pem").touch(0o600)
    (directory / "key.pem").write_bytes(private)
    own = {
        f"{role}__{what.upper()}": f"{what}.pem"
        for role in ("CLIENT", "SCHEDULER", "WORKER")
        for what in ("cert", "key")
    }
    return {PREFIX + name: str(directory / file) for name, file in {**own, "CA_FILE": "ca.pem"}.items()}


def _certificate(name: str, issuer: Any) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """By `issuer` (certificate, key), or a CA that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signer = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    return made, key
