"""A signed apt repository of the lab's own, served to its hosts over HTTP.

Law: a throwaway key in a throwaway GNUPGHOME, never the user's; the server listens on the lab's bridge
address only and ends with the process that made it.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.lab.machine import program
from tests.lab.processes import LabError, call


class AptRepository:
    """A repository that is being served; `key_asc` is its public key in ASCII armour.

    `requests` grows by the path of each request that hosts make.
    """

    def __init__(
        self, name: str, debs: Sequence[Path], address: str, *, suite: str, flat: bool, sha1: bool = False
    ) -> None:
        self.name = name
        self.suite = suite
        self.flat = flat
        self.requests: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="provision-lab-")
        self._root = Path(self._folder.name) / "www"
        self._home = Path(self._folder.name) / "gnupg"
        self._home.mkdir(mode=0o700)
        (self._root / "pool").mkdir(parents=True)
        self.key_asc, self.fingerprint = self._make_key(sha1)
        (self._root / "key.asc").write_text(self.key_asc)
        self.publish(debs)
        handler = partial(_Handler, directory=str(self._root), requests=self.requests)
        self._server = ThreadingHTTPServer((address, 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://{address}:{self._server.server_address[1]}"

    @property
    def source(self) -> str:
        """What follows `deb [signed-by=…]` in a one-line source."""
        return f"{self.url} ./" if self.flat else f"{self.url} {self.suite} main"

    def publish(self, debs: Sequence[Path]) -> None:
        """Add packages, then index and sign anew."""
        for deb in debs:
            shutil.copy(deb, self._root / "pool")
        listed = self._index("packages", "pool")
        if self.flat:
            self._sign(self._root, {"Packages": listed})
        else:
            arches = set(re.findall(r"(?m)^Architecture: (\S+)$", listed)) - {"all"} or {_architecture()}
            files = {f"main/binary-{arch}/Packages": listed for arch in arches}
            self._sign(self._root / "dists" / self.suite, files)
        call([program("gpgconf"), "--homedir", str(self._home), "--kill", "all"])

    @property
    def folder(self) -> Path:
        """The repository as files, `key.asc` included: a site without network copies it to its hosts."""
        return self._root

    def close(self) -> None:
        """Stop serving and forget key and files."""
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    def _index(self, *words: str) -> str:
        argv = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(self._root)]
        return call([*argv, program("apt-ftparchive"), *words], timeout=120).stdout

    def _sign(self, folder: Path, files: dict[str, str]) -> None:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        arches = sorted({path.split("binary-")[1].split("/")[0] for path in files if "binary-" in path})
        facts = {"Origin": self.name, "Label": self.name, "Suite": self.suite, "Codename": self.suite}
        facts |= {"Components": "main", "Architectures": " ".join(arches or [_architecture()])}
        options = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in facts.items()]
        for stale in ("Release", "InRelease", "Release.gpg"):
            (folder / stale).unlink(missing_ok=True)
        release = folder / "Release"
        text = self._index(*options, "release", str(folder.relative_to(self._root)))
        release.write_text(text)
        self._gpg("--clearsign", "--output", str(folder / "InRelease"), str(release))
        self._gpg("--detach-sign", "--armor", "--output", str(folder / "Release.gpg"), str(release))

    def _make_key(self, sha1: bool) -> tuple[str, str]:
        """`sha1`: its signature on its own name has that digest, as keys of old have it; apt 3 takes it no more."""
        user = f"{self.name} (lab, throwaway) <{self.name}@lab.invalid>"
        options = ("--cert-digest-algo", "SHA1") if sha1 else ()
        self._gpg(*options, "--quick-generate-key", user, "rsa2048" if sha1 else "ed25519", "sign", "never")
        listed = self._gpg("--with-colons", "--list-keys")
        found = re.search(r"(?m)^fpr:+([0-9A-F]{40}):", listed)
        if found is None:
            raise LabError(f"gpg made no key for repository {self.name}")
        return self._gpg("--armor", "--export"), found[1]

    def _gpg(self, *words: str) -> str:
        options = ["--homedir", str(self._home), "--batch", "--yes", "--pinentry-mode", "loopback"]
        return call([program("gpg"), *options, "--passphrase", "", *words]).stdout


class _Handler(SimpleHTTPRequestHandler):
    """Static files; notes each request instead of writing it to the terminal."""

    def __init__(self, *words: Any, requests: list[str], **options: Any) -> None:
        self._noted = requests
        super().__init__(*words, **options)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        self._noted.append(self.path)

    def log_message(self, format: str, *words: Any) -> None:  # noqa: A002 - the base class's name
        """Errors (404 and the like) are for the client to report."""


def _architecture() -> str:
    return call([program("dpkg"), "--print-architecture"]).stdout.strip()
