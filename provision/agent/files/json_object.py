"""A JSON file that holds one object, as a dict, or the sentence that says what is wrong in which line.

The law: pure. What Docker does not take (a byte order mark, comments, another document than an object) is a Failed, and
so is a key that stands twice, of which a parser would silently keep one.
"""

import json

from ..host.errors import Failed


def parse(data, path):
    """The object in `data` (bytes), its keys in order; {} where there is nothing in it. `path` is for the sentence."""
    if not data.strip():
        return {}
    if data.startswith(b"\xef\xbb\xbf"):
        raise Failed(
            "{}:1: begins with a byte order mark, which Docker does not take".format(path), "save it as plain UTF-8"
        )
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
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


def _unique(pairs):
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Duplicate(next(repr(name) for name in names if names.count(name) > 1))
    return document


def _comment(lines):
    return any(line.strip()[:2] in ("//", "/*") or line.strip()[:1] == "#" for line in lines)
