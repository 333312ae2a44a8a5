"""Lines on standard output: what verbs that only read end with."""

import sys
from collections.abc import Iterable

from provision.report.output import Output, warn
from provision.report.text import Line


def show(lines: Iterable[Line]) -> int:
    """Write lines to standard output; 1 if that was not possible."""
    output = Output(sys.stdout)
    output.write("".join(f"{found.text}\n" for found in lines))
    output.flush()
    if output.problem:
        warn(output.problem)
    return 1 if output.problem else 0
