"""Lists of packages (Packages, in any compression): the stanzas of some, verbatim."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

_UNPACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}


@dataclass(frozen=True)
class Stanza:
    """One package of a list."""

    text: str

    def field(self, name: str) -> str:
        """A field of one line; "" where there is none."""
        match = re.search(rf"^{name}:[ \t]*(.*?)[ \t]*$", self.text, re.M)
        return match[1] if match else ""


def stanzas(path: Path, digests: Collection[str]) -> Iterator[Stanza]:
    """Those whose .deb has one of these sha256. OSError, EOFError, zlib.error, lzma.LZMAError: the file is damaged."""
    data = b"\n" + _UNPACKED.get(path.suffix, bytes)(path.read_bytes())
    wanted = {digest.encode() for digest in digests}
    for match in re.finditer(rb"\nSHA256: ([0-9a-f]{64})\n", data):  # a fifth of the time that all stanzas take
        if match[1] in wanted:
            start, end = data.rfind(b"\n\n", 0, match.start()), data.find(b"\n\n", match.start())
            yield Stanza(data[start + 1 : end if end >= 0 else None].strip(b"\n").decode("utf-8", "replace"))
