"""Garbage is left alone while the program starts, and looked for as ever from the first connection on."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.cli import apply, gc_tuning, run_verb
from provision.cli.options import Asked


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_a_start_waits_and_a_run_does_not() -> None:
    own = gc.get_threshold()
    gc_tuning.wait()
    assert gc.get_threshold()[0] == gc_tuning.PATIENCE
    gc_tuning.begin()
    assert gc.get_threshold() == own
    assert gc.get_freeze_count() > 1000


def test_a_run_connects_at_pythons_own_pace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {a: {roles: []}}}\n")
    seen = []
    own = gc.get_threshold()

    def execute(self: object, pool: object, executor: object) -> None:
        seen.append(gc.get_threshold())
        raise KeyboardInterrupt

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(run_verb.Rollout, "execute", execute)
    gc_tuning.wait()
    with pytest.raises(KeyboardInterrupt):
        apply.converge("check", Asked(inventory=(str(tmp_path),)))
    assert seen == [own]
