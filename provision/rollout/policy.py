"""How a run goes through the fleet: `rollout:` of the inventory, and what the command line says instead.

The law: a mistake is an input error with its place, told before the first connection.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from provision.errors import Problem, nearest
from provision.inventory.document import Map, locate
from provision.rollout.hooks import Hooks
from provision.rollout.waves import Amount, Order, amount, growing
from provision.rollout.windows import Window, Windows, window, zone


def _amount(value: Any) -> Any:
    return amount(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _window(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("should be a text of days and times, as in Sat 02:00-06:00")
    return window(value)


def _zone(value: Any) -> Any:
    return zone(value) if isinstance(value, str) else value


Variables = Callable[[str], Mapping[str, Any]]
"""The values of one variable, by host; a host without it is not in there."""
Size = Annotated[Amount, BeforeValidator(_amount)]
Argv = Annotated[tuple[str, ...], Field(min_length=1)]
HOOKS = ("before_host", "after_host")
NO_HOOKS, ALWAYS = Hooks(), Windows(())


class _Rollout(BaseModel):
    """`rollout:` as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    waves: Annotated[tuple[Size, ...], BeforeValidator(_listed)] = ()
    max_failures: Size | None = None
    order: Order = "inventory"
    pause: Annotated[float, Field(ge=0, le=86400)] = 0
    spread: str | None = None
    before_host: Argv | None = None
    after_host: Argv | None = None
    hook_timeout: Annotated[float, Field(gt=0, le=86400)] = 600
    windows: Annotated[tuple[Annotated[Window, BeforeValidator(_window)], ...], BeforeValidator(_listed)] = ()
    timezone: Annotated[ZoneInfo | None, BeforeValidator(_zone)] = None


@dataclass(frozen=True)
class Policy:
    """How one run goes through its hosts. The default: all at once, as many failures as like."""

    waves: tuple[Amount, ...] = ()
    max_failures: Amount | None = None
    order: Order = "inventory"
    pause: float = 0.0
    """Seconds between two waves."""
    places: Mapping[str, str] | None = None
    """Host to the value of the variable that `spread` names."""
    hooks: Hooks = NO_HOOKS
    windows: Windows = ALWAYS
    """When what disrupts may be done; none: always."""

    def closed(self, now: datetime | None = None) -> str | None:
        """Why nothing that disrupts may be done now, as a clause; None where it may."""
        return self.windows.closed(now or datetime.now(UTC))

    def limit(self, hosts: int) -> int | None:
        """How many failures of so many hosts stop the run; one by default where there are waves."""
        if self.max_failures is None:
            return 1 if self.waves else None
        return self.max_failures.of(hosts)


@dataclass(frozen=True)
class GivenPolicy:
    """What the command line says of the rollout; None: what the inventory says."""

    waves: str | None = None
    max_failures: str | None = None
    hooks: bool = False
    """Is this a run that hooks are for?"""
    no_exec: bool = False


def policy(given: Any, wanted: GivenPolicy, names: Sequence[str], variable: Variables) -> tuple[Policy, list[Problem]]:
    """The policy for these hosts, and everything that is wrong with it. `given` is `rollout:` as the inventory has it;
    `variable(name)` is a host variable's value by host."""
    found, problems = _read(given)
    result = Policy(
        found.waves,
        found.max_failures,
        found.order,
        found.pause,
        hooks=Hooks(found.before_host, found.after_host, found.hook_timeout),
        windows=Windows(found.windows, found.timezone),
    )
    if wanted.hooks:
        problems += _unfit_hooks(found, given, no_exec=wanted.no_exec)
    if problem := growing(found.waves):
        problems.append(Problem(f"rollout.waves: {problem}", _place(given, ("waves",))))
    result = _with_command_line(result, wanted, problems)
    if found.spread is not None:
        places = _places(variable(found.spread), found.spread, names, _place(given, ("spread",)), problems)
        result = replace(result, places=places)
    return result, problems


def _read(given: Any) -> tuple[_Rollout, list[Problem]]:
    if given is None:
        return _Rollout(), []
    if not isinstance(given, Mapping):
        return _Rollout(), [
            Problem("rollout: must be a mapping", hint="its keys are " + ", ".join(_Rollout.model_fields))
        ]
    try:
        return _Rollout.model_validate(dict(given)), []
    except ValidationError as error:
        problems = [_problem(given, item["loc"], item["type"], item["msg"]) for item in error.errors(include_url=False)]
        return _Rollout(), list(dict.fromkeys(problems))


def _problem(given: Any, path: tuple[Any, ...], kind: str, message: str) -> Problem:
    name = ".".join(str(part) for part in ("rollout", *path))
    if kind == "extra_forbidden":
        close = nearest(str(path[0]), _Rollout.model_fields)
        hint = f"did you mean {close}:?" if close else "its keys are " + ", ".join(_Rollout.model_fields)
        return Problem(f"{name}: no such setting", _place(given, path, key=True), hint)
    return Problem(f"{name}: {message.removeprefix('Value error, ')}", _place(given, path))


def _place(given: Any, path: Sequence[Any], *, key: bool = False) -> str:
    at = locate(given, path, key=key) if isinstance(given, Map) else None
    return str(at) if at else ""


def _unfit_hooks(found: _Rollout, given: Any, *, no_exec: bool) -> list[Problem]:
    problems = []
    for name in HOOKS:
        argv = getattr(found, name)
        if argv is None:
            continue
        if no_exec:
            what, hint = f"rollout.{name} is a program, and --no-exec forbids those", "leave out one of the two"
        elif shutil.which(argv[0]) is None:
            what, hint = (
                f"rollout.{name}: there is no program {argv[0]!r} here",
                "give its path, and make it executable",
            )
        else:
            continue
        problems.append(Problem(what, _place(given, (name,)), hint))
    return problems


def _with_command_line(found: Policy, wanted: GivenPolicy, problems: list[Problem]) -> Policy:
    if wanted.waves is not None:
        try:
            waves = tuple(amount(part) for part in wanted.waves.split(","))
            if problem := growing(waves):
                raise ValueError(problem)
            found = replace(found, waves=waves)
        except ValueError as error:
            problems.append(Problem(f"--waves {wanted.waves}: {error}", hint="as in --waves 1,10%,50%,100%"))
    if wanted.max_failures is not None:
        try:
            found = replace(found, max_failures=amount(wanted.max_failures))
        except ValueError as error:
            problems.append(Problem(f"--max-failures: {error}"))
    return found


def _places(
    values: Mapping[str, Any], variable: str, names: Sequence[str], where: str, problems: list[Problem]
) -> Mapping[str, str]:
    missing = [name for name in names if not isinstance(values.get(name), str | int | float)]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        problems.append(
            Problem(
                f"rollout.spread: {', '.join(missing[:3])}{more} must have the variable {variable}, as one word",
                where,
                f"set {variable} for each host or group of hosts",
            )
        )
    return {name: str(values.get(name)) for name in names}


__all__ = ["GivenPolicy", "Policy", "policy"]
