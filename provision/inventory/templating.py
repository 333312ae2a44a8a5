"""Templates in values: `{{ … }}`, evaluated with jinja2 over the variables of one host, as Ansible evaluates them.

The law: only what is used is evaluated, and what that uses. A value keeps its type. A name that is not defined, a loop,
or something that only Ansible has (a lookup, most of its filters) is an error with its place. What is made from a
secret is a secret; what is made from a value of a vaulted file stands where that value stands, so that it is hidden.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jinja2.exceptions import SecurityError, TemplateError, UndefinedError

from provision.errors import InputError, Problem
from provision.inventory import connection
from provision.inventory.document import Map, Mark, Seq, Tagged
from provision.inventory.engine import Environment, TemplateFailed, WrongTemplate
from provision.inventory.layers import Layers
from provision.inventory.namespace import Hostvars, Items, Lazy, ReadValues, Taint, Variables
from provision.inventory.ranges import is_address
from provision.inventory.references import Placeholder, References
from provision.inventory.scalars import Unquoted, doubt, is_template
from provision.inventory.spelling import closest
from provision.inventory.tree import ROOT, HostEntry, Tree
from provision.inventory.values import holds
from provision.secrets import HIDDEN, Secret

_UNDEFINED = re.compile(r"'([^']*)' is not defined")
HIDDEN_HINT = "define it with !vault or !secret, or write here where the password is"
Note = Callable[[tuple[Any, ...], Problem], None]
"""Told of each problem and of its path."""


def _first(text: str | None) -> str:
    """The first sentence, without its full stop."""
    return re.split(r"\.(?:\s|$)", text or "", maxsplit=1)[0]


class Templating:
    """Evaluates templates for any host of the tree. `references` looks up the secrets that they use."""

    def __init__(self, tree: Tree, layers: Layers, references: References, vaulted: set[str]) -> None:
        self._tree = tree
        self._layers = layers
        self._references = references
        self._vaulted = vaulted
        self._hosts: dict[str, Variables] = {}
        self._environment = Environment()
        self._taint = Taint()
        self._running: list[tuple[str, str]] = []
        self._groups: dict[str, list[str]] | None = None

    def expand(self, host: str, value: Any, at: Mark, path: tuple[Any, ...], note: Note) -> tuple[Any, Mark]:
        """The value with its templates evaluated, and its place; the same object where it holds none. None stands for
        what could not be evaluated, which is noted."""
        if not holds(value):
            return value, at
        if isinstance(value, Map):
            mapping = Map()
            for key, item in value.items():
                expanded, place = self.expand(host, item, value.values_at[key], (*path, key), note)
                mapping.put(key, expanded, value.keys_at[key], place)
            return mapping, at
        if isinstance(value, Seq):
            items = Seq()
            for index, item in enumerate(value):
                expanded, place = self.expand(host, item, value.items_at[index], (*path, index), note)
                items.append(expanded)
                items.items_at.append(place)
            return items, at
        return self._evaluated(host, value, at, path, note)

    def _evaluated(self, host: str, value: str, at: Mark, path: tuple[Any, ...], note: Note) -> tuple[Any, Mark]:
        variables, name = self.variables(host), ".".join(map(str, path))
        try:
            with self._watched() as taint:
                result = self.render(variables, value, name)
                place = taint.vaulted or at
                if isinstance(result, Lazy | Items):  # a structure keeps its places, and its secrets are told apart
                    return self.expand(result.host_, result.raw_, place, path, note)
                return self._left(result, place, taint), place
        except WrongTemplate as wrong:
            hint = HIDDEN_HINT if path and path[0] in connection.SECRET_NAMES else wrong.hint
            note(path, Problem(f"{name}: {wrong.message}", str(at), hint))
        except InputError as error:
            for problem in error.problems:
                note(path, problem)
        return None, at

    def variables(self, host: str) -> Variables:
        """What templates see of a host."""
        if host not in self._hosts:
            self._hosts[host] = Variables(self, self._tree.hosts[host])
        return self._hosts[host]

    def render(self, variables: Variables, source: str, label: str) -> Any:
        """The value of a template. Raises Wrong, and InputError for a secret."""
        here = (variables.host, label)
        if here in self._running:
            way = [name for _, name in self._running[self._running.index(here) :]] + [label]
            raise WrongTemplate(
                f"templates refer to one another in a circle: {' > '.join(way)}", "give one of them a value"
            )
        self._running.append(here)
        try:
            return self._environment.render(source, variables)
        except UndefinedError as error:
            raise WrongTemplate(*self._explained(variables, str(error.message)), undefined=True) from None
        except SecurityError:
            raise WrongTemplate("the template does what templates may not do here") from None
        except TemplateError as error:
            raise WrongTemplate(
                f"the template is wrong: {_first(error.message)}", self._environment.hint(str(error.message))
            ) from None
        except (WrongTemplate, InputError):
            raise
        except RecursionError:
            raise WrongTemplate("the template is nested too deeply") from None
        except Exception as error:  # of a filter or an operator, about the values that it was given
            about = type(error).__name__ if self._hushed else str(error)
            raise WrongTemplate(f"the template fails: {about}") from None
        finally:
            self._running.pop()

    @property
    def _hushed(self) -> bool:
        """Was something read that no message may hold?"""
        return self._taint.secret or self._taint.vaulted is not None

    def _explained(self, variables: Variables, message: str) -> tuple[str, str]:
        """What is not defined, and what was probably meant."""
        match = _UNDEFINED.match(message)
        if match is None and self._hushed:  # a key that is a secret
            return "a key is not there", ""
        name = match[1] if match else ""
        if name.startswith("ansible_"):
            return message, "facts, and what only a play knows, are not known here: write the value itself"
        close = closest(name, [known for known in variables if known not in connection.KNOWN]) if name else None
        return message, f"did you mean {close!r}?" if close else "define it for this host, or write default(…)"

    @contextmanager
    def _watched(self) -> Iterator[Taint]:
        """What is read in here is made from what."""
        outer, self._taint = self._taint, Taint()
        try:
            yield self._taint
        finally:
            outer.add(self._taint)
            self._taint = outer

    def read(self, memory: ReadValues, key: Any, compute: Callable[[], Any], label: str) -> Any:
        """What `compute` gives, once; what cannot be had is an error only where it is used."""
        if key not in memory.read:
            with self._watched() as taint:
                try:
                    value = compute()
                except WrongTemplate as wrong:
                    message = wrong.message if " (in " in wrong.message else f"{wrong.message} (in {label})"
                    value = (
                        self._environment.missing(message)
                        if wrong.undefined
                        else TemplateFailed(WrongTemplate(message, wrong.hint))
                    )
                except InputError as error:
                    value = TemplateFailed(error)
                memory.read[key] = value, taint
        value, taint = memory.read[key]
        self._taint.add(taint)
        return value

    def entered(self, host: str, value: Any, at: Mark, label: str) -> Any:
        """A value of the inventory as templates see it. Raises Wrong and InputError."""
        if isinstance(value, Map):
            return Lazy(self, host, value, label)
        if isinstance(value, Seq):
            return Items(self, host, value, label)
        if isinstance(value, Tagged):
            return self._tag(value, label)
        if at.file in self._vaulted:
            self._taint.vaulted = self._taint.vaulted or at
        if isinstance(value, Unquoted):
            if isinstance(value.meant, bool):
                return value.meant
            shown = HIDDEN if at.file in self._vaulted else value
            what = f"{label} is {shown}, which Ansible reads as a number or a date"
            raise WrongTemplate(f"{what} ({at})", f'write "{shown}" for text')
        if is_template(value):
            return self.render(self.variables(host), value, label)
        return value

    def _tag(self, value: Tagged, label: str) -> Any:
        if value.tag == "unsafe":
            return value.text
        if value.tag == "doubtful":
            raise WrongTemplate(f"{label}: {doubt(value.text)} ({value.at})")
        secret = self._references.lookup(value, label)
        self._taint.add(Taint(secret=True, unsettled=isinstance(secret, Placeholder)))
        return secret.reveal()

    def _left(self, result: Any, at: Mark, taint: Taint) -> Any:
        """A result as the inventory's data."""
        if isinstance(result, Lazy | Items):
            found: list[Problem] = []
            value, _ = self.expand(result.host_, result.raw_, at, (), lambda _, problem: found.append(problem))
            if found:
                raise WrongTemplate(found[0].message, found[0].hint)
            return value
        if isinstance(result, dict):
            mapping = Map()
            for key, item in result.items():
                mapping.put(key, self._left(item, at, taint), at, at)
            return mapping
        if isinstance(result, list | tuple):
            items = Seq()
            items.extend(self._left(item, at, taint) for item in result)
            items.items_at = [at] * len(items)
            return items
        if taint.secret and result is not None:
            return Placeholder() if taint.unsettled else Secret(str(result))
        return result

    def own(self, entry: HostEntry) -> Map:
        """The merged variables of a host."""
        return self._layers.of(entry)[1]

    def magic(self, entry: HostEntry, name: str) -> Any:
        """What Ansible adds to the variables of a host."""
        if name == "inventory_hostname":
            return entry.name
        if name == "inventory_hostname_short":
            return entry.name if is_address(entry.name) else entry.name.split(".")[0]
        if name == "group_names":
            return sorted(group.name for group in self._tree.lineage(entry) if group.name != ROOT)
        if name == "groups":
            if self._groups is None:
                self._groups = {group: list(self._tree.members(group)) for group in self._tree.groups}
            return self._groups
        return Hostvars(self._tree.hosts, self.variables)
