"""The verb verify: from what was asked to pytest on every host, and its exit status.

The law: nothing is connected to before all input was found right. What pytest writes to its own standard output, no one
sees: what happened is told by events.
"""

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path

from provision import report
from provision.cli import hosts, run_verb
from provision.cli.options import Asked
from provision.errors import InputError, Problem
from provision.events import Event
from provision.report import files
from provision.report.record import Record
from provision.report.summary import exit_status
from provision.report.transcript import Transcript
from provision.secrets import Mask, secrets_in

NEEDED = {"pytest": "pytest", "testinfra": "pytest-testinfra", "xdist": "pytest-xdist"}
INTERRUPTED = 130


def verify(asked: Asked, junit: Path | None) -> int:
    """Verify the hosts that were asked for. Raises InputError before anything is connected to."""
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        hint = "run: pip install 'provision[verify]'"
        raise InputError([Problem(f"verify needs {', '.join(missing)}, which this Python does not have", hint=hint)])
    if problems := hosts.folders(replace(asked, junit=junit)):
        raise InputError(problems)
    from provision.verify import runner, subject

    source = hosts.read(asked)
    found = subject.subjects(
        source, source.select(asked.limit), hosts.role_path(asked), ask=hosts.asker(), login=hosts.login(asked)
    )
    report.warn(*(f"warning: {text}" for text in source.warnings))
    mask = Mask(secrets_in([item.target for item in found]))
    # pytest captures standard output, so ours goes to a copy of it.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding) as stream:
        output = report.Output(stream)
        view = report.view(output, Transcript(verbose=asked.verbose, quiet=asked.quiet), as_json=asked.as_json)
        record = Record()

        def sink(event: Event) -> None:
            record(event)
            view(event)

        wanted = {"html": asked.report, "metrics": asked.metrics}
        try:
            summary = runner.verify(run_verb.run_id(), found, sink, mask, forks=asked.forks, junit=junit)
        except KeyboardInterrupt:
            files.write(record, wanted)
            return INTERRUPTED
        finally:
            view.close()
        complete = files.write(record, wanted)
        if output.problem:
            report.warn(output.problem)
            return 1
        return INTERRUPTED if output.closed else exit_status(summary) or (0 if complete else 1)
