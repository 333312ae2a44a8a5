"""jinja2 as Ansible sets it up: sandboxed, strict about names, and a value that stands alone keeps its type.

The law: nothing here knows of an inventory, no program is run and no file is read. A backslash in quotes within `{{ }}`
is a backslash.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NoReturn

from jinja2 import Template
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.runtime import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing as nothing

from provision.inventory.filters import FILTERS

LOOKUPS = ("lookup", "query", "q")
LONGEST = 1_000_000
"""Characters or items that a template may make with `*`; bits, with `**`."""
_NAMED = re.compile(r"No (filter|test) named '([^']*)'")


class WrongTemplate(Exception):
    """What is wrong with a template: a sentence, and a hint. `undefined`: a name that `default` may stand in for."""

    def __init__(self, message: str, hint: str = "", *, undefined: bool = False) -> None:
        super().__init__(message)
        self.message, self.hint, self.undefined = message, hint, undefined


class Missing(StrictUndefined):
    """What is not defined: whoever uses it fails, unless by `default` or `is defined`."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint.removesuffix(".")
        if self._undefined_obj is nothing:
            return f"{self._undefined_name!r} is not defined"
        label = getattr(self._undefined_obj, "label_", None) or f"the {type(self._undefined_obj).__name__}"
        return f"there is no {self._undefined_name!r} in {label}"


class TemplateFailed(Missing):
    """What could not be had: whoever uses it fails, by `default` and `is defined` too."""

    __slots__ = ("_error",)

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        raise self._error


for _base in TemplateFailed.__mro__:
    for _name, _what in list(vars(_base).items()):
        if _what is Undefined._fail_with_undefined_error:
            setattr(TemplateFailed, _name, TemplateFailed._fail)


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    if isinstance(value, TemplateFailed):
        value._fail()
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _is_defined(value: Any) -> bool:
    if isinstance(value, TemplateFailed):
        value._fail()
    return not isinstance(value, Undefined)


def _lookup(*_: Any, **__: Any) -> NoReturn:
    raise WrongTemplate(
        "lookups of Ansible's are not done here",
        "write the value itself; a secret with !vault, or as !secret env:NAME, file:PATH or cmd:COMMAND",
    )


def concatenated(values: Iterable[Any]) -> Any:
    """What a template yields, as one value: a single one keeps its type, several become text, none is None."""
    found = list(values)
    if len(found) <= 1:
        return found[0] if found else None
    return "".join("" if value is None else str(value) for value in found)


def plain(value: Any) -> Any:
    """A result as plain data; structures of the inventory as they are. Raises Wrong for what is no value."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    if value is None or isinstance(value, bool | int | float) or hasattr(value, "raw_"):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, range) or callable(value) or not isinstance(value, Iterable):
        raise WrongTemplate(f"the template gives a {type(value).__name__}, which is no value")
    items = [plain(item) for item in value]
    return tuple(items) if isinstance(value, tuple) else items


def _newlines(text: str) -> int:
    """How many are at its end."""
    return len(text) - len(text.rstrip("\n"))


class _Generator(NativeCodeGenerator):
    def _output_const_repr(self, group: Iterable[Any]) -> str:
        return repr(concatenated(group))


class _Scope(Mapping[str, Any]):
    """A host's variables, and below them the functions that any template has."""

    def __init__(self, variables: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
        self._variables, self._functions = variables, functions

    def __contains__(self, name: object) -> bool:
        return name in self._variables or name in self._functions

    def __getitem__(self, name: str) -> Any:
        return self._variables[name] if name in self._variables else self._functions[name]

    def __iter__(self) -> Any:
        return iter({**dict.fromkeys(self._functions), **dict.fromkeys(self._variables)})

    def __len__(self) -> int:
        return len(list(iter(self)))


class Environment(ImmutableSandboxedEnvironment):
    """The environment of all templates of an inventory."""

    code_generator_class = _Generator
    concat = staticmethod(concatenated)
    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, trim_blocks=True)
        self.filters |= FILTERS | {"default": _default, "d": _default}
        self.tests |= {"defined": _is_defined, "undefined": lambda value: not _is_defined(value)}
        self.globals.pop("lipsum", None)
        self.globals |= dict.fromkeys(LOOKUPS, _lookup)
        self._compiled: dict[str, Template] = {}

    def render(self, source: str, variables: Mapping[str, Any]) -> Any:
        """The value of a template. Raises jinja2's errors, and whatever reading a variable raises."""
        template = self._compiled.get(source)
        if template is None:
            template = self._compiled[source] = self.from_string(self._with_backslashes(source))
        context = template.new_context(_Scope(variables, self.globals), shared=True)  # type: ignore[arg-type]
        result = plain(concatenated(template.root_render_func(context)))
        if isinstance(result, str):  # as many newlines as the template had
            result += "\n" * (_newlines(source) - _newlines(result))
        return result

    def missing(self, hint: str) -> Missing:
        """Stands for a value that is not defined, for this reason."""
        return Missing(hint=hint)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        sizes = [len(value) for value in (left, right) if isinstance(value, Collection)]
        times = [abs(value) for value in (left, right) if isinstance(value, int)]
        if operator == "**" and times[1:] and times[0].bit_length() * times[1] > LONGEST:
            raise WrongTemplate("the template makes a number that is too large")
        if operator == "*" and sizes and times and sizes[0] * times[0] > LONGEST:
            raise WrongTemplate(f"the template makes a value of more than {LONGEST} parts")
        return super().call_binop(context, operator, left, right)

    def hint(self, message: str) -> str:
        """What to do about a template that is wrong."""
        named = _NAMED.search(message)
        if named and named[1] == "test":
            return "Ansible's own tests are not here: compare with == or in, or write the value itself"
        if named:
            return f"of Ansible's own filters there are here: {', '.join(sorted(FILTERS))}; or write the value itself"
        return "tag text that is no template with !unsafe"

    def _with_backslashes(self, source: str) -> str:
        if "\\" not in source:
            return source
        parts, inside = [], False
        for _, kind, text in self.lex(source):
            if kind in ("variable_begin", "variable_end"):
                inside = kind == "variable_begin"
            parts.append(text.replace("\\", "\\\\") if inside and kind == "string" else text)
        return "".join(parts)
