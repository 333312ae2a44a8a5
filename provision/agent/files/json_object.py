"""A JSON file that holds one object, as a dict, or the sentence that says what is wrong in which line.

The law: pure. What Docker does not take (comments, another document than an object) is a Failed, and so is a key that
stands twice, of which a parser would silently keep one. A byte order mark is left out: Docker takes it from 23 on.
"""

import json
import sys

from ..host.errors import Failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = sys.float_info.max
MOST = 1024 * 1024
"""Bytes; a daemon.json of all options is a hundredth of that."""


def parse(data: bytes, path: str) -> "dict[str, Any]":
    """The object in `data` (bytes), its keys in order; {} where there is nothing in it. `path` is for the sentence."""
    if len(data) > MOST:
        raise Failed("{} is larger than {} bytes".format(path, MOST), "look at what fills it; nothing was written")
    if not data.strip():
        return {}
    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)
    except _NoNumber as error:
        cause = "{}: {} is no number of JSON, and Docker does not take it".format(path, error)
        raise Failed(cause, "correct it by hand; nothing was written") from None
    except _Duplicate as error:
        raise Failed("{}: {} stands twice in one object".format(path, error), "remove one of the two") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Failed("{}:{}: is not UTF-8".format(path, line), "save it as UTF-8") from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        comment = _comment(data.decode("utf-8").splitlines()[line - 1 : line])
        why = "JSON has no comments" if comment else "is not JSON: {}".format(getattr(error, "msg", error))
        raise Failed("{}:{}: {}".format(path, line, why), "correct it by hand; nothing was written") from None
    except RecursionError:
        raise Failed("{}: is nested too deeply".format(path), "correct it by hand; nothing was written") from None
    if not isinstance(document, dict):
        raise Failed("{}:1: is not a JSON object".format(path), "it has to be one object, {...}")
    return document


class _Duplicate(ValueError):
    """A key that stands twice."""


class _NoNumber(ValueError):
    """What only Python reads as a number: NaN, Infinity, 1e999."""


def _finite(text: str) -> float:
    value = float(text)
    if not -LARGEST <= value <= LARGEST:
        raise _NoNumber(text)
    return value


def _unique(pairs: "list[Any]") -> "dict[str, Any]":
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Duplicate(next(repr(name) for name in names if names.count(name) > 1))
    return document


def _comment(lines: "list[str]") -> bool:
    return any(line.strip()[:2] in ("//", "/*") or line.strip()[:1] == "#" for line in lines)
