"""Reports that are files: written whole or not at all."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from provision.report.output import warn
from provision.report.record import Record


def write(record: Record, wanted: Mapping[str, Path | None]) -> bool:
    """Write each report that has a path ("html", "junit", "metrics"). False, and a line on standard error, where one
    could not be written."""
    complete = True
    for kind, path in wanted.items():
        if path is None:
            continue
        try:
            _replace(path, _made(kind, path)(record))
        except OSError as error:
            warn(f"{path} could not be written: {error.strerror or error}")
            complete = False
    return complete


def _made(kind: str, path: Path) -> Callable[[Record], str]:
    if kind == "metrics":
        from provision.report.metrics import metrics

        before = path.read_text("utf-8", "replace") if path.is_file() else ""
        return partial(metrics, before=before)
    if kind == "junit":
        from provision.report.junit import junit

        return junit
    from provision.report.html import page

    return page


def _replace(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():  # /dev/stdout, a pipe
        path.write_text(text, "utf-8")
        return
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_text(text, "utf-8")
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
