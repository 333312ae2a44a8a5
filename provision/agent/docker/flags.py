"""A dockerd command line as its flags, and DOCKER_OPTS as a list of them. Both ends import this one file.

The law: pure; an argument that is not understood is kept.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Mapping, Match, Sequence

SHORT = {
    "s": "storage-driver",
    "g": "graph",
    "H": "host",
    "b": "bridge",
    "G": "group",
    "l": "log-level",
    "p": "pidfile",
    "D": "debug",
}
REPEATABLE = (
    "dns",
    "dns-opt",
    "dns-search",
    "insecure-registry",
    "registry-mirror",
    "label",
    "storage-opt",
    "exec-opt",
    "host",
    "default-address-pool",
    "cdi-spec-dir",
)
NAMED = ("default-ulimit", "log-opt", "add-runtime", "feature")
"""Repeatable, and one of each name before `=`."""


def parse(words: "Iterable[str]") -> "list[tuple[str, str, tuple[str, ...]]]":
    """[(long name, value, words as they stand)] in order; the name is "" for a word that is no flag.

    A flag without `=` takes the next word, unless that is a flag or a variable; without one it is true.
    """
    queue = list(words)
    found: "list[tuple[str, str, tuple[str, ...]]]" = []
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            found.append(("", "", (word,)))
            continue
        name, equals, value = _name(word)
        if equals:
            found.append((name, value, (word,)))
        elif queue and queue[0][:1] not in ("-", "$"):
            found.append((name, queue[0], (word, queue.pop(0))))
        else:
            found.append((name, "true", (word,)))
    return found


def _name(word: str) -> "tuple[str, bool, str]":
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        return name, bool(equals), value
    letter, attached = word[1], word[2:]
    return SHORT.get(letter, letter), bool(attached), attached[1:] if attached[:1] == "=" else attached


def values(words: "Iterable[str]") -> "dict[str, list[str]]":
    """{flag: all of its values, in order}."""
    found: "dict[str, list[str]]" = {}
    for name, value, _ in parse(words):
        if name:
            found.setdefault(name, []).append(value)
    return found


def expand(words: "Iterable[str]", variables: "Mapping[str, Sequence[str]]") -> "list[list[str]]":
    """For each word of a command line what systemd makes of it: `$X` alone becomes the words of X, `${X}` its text.

    A variable that is not known here stays as it is.
    """
    return [_expanded(word, variables) for word in words]


def _expanded(word: str, variables: "Mapping[str, Sequence[str]]") -> "list[str]":
    if word[:1] == "$" and word[1:] in variables:
        return list(variables[word[1:]])

    def text(match: "Match[str]") -> str:
        return " ".join(variables[match.group(1)]) if match.group(1) in variables else match.group(0)

    return [re.sub(r"(?<!\$)\$\{([A-Za-z_]\w*)\}", text, word)]


def size(text: str) -> "int | None":
    """Bytes of a size as Docker reads it (64m, 1G, 1.5GiB, 1073741824), or None."""
    match = re.match(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$", text.strip().lower())
    return int(float(match.group(1)) * 1024 ** "_kmgtp".index(match.group(2) or "_")) if match else None


def normal(name: str, value: str) -> str:
    """A value in one spelling, to compare two of them: `memlock=-1` is `memlock=-1:-1`, 1G is 1073741824."""
    if name == "default-shm-size":
        return str(size(value) or value)
    if name == "default-ulimit":
        ulimit, _, limits = value.partition("=")
        soft, _, hard = limits.partition(":")
        return "{}={}:{}".format(ulimit, soft, hard or soft)
    return value.rstrip("/") if name == "registry-mirror" else value


def unlike(words: "Iterable[str]", others: "Iterable[str]") -> "list[str]":
    """The flags, as `--name`, in which two command lines differ in what they mean."""
    one, other = ({name: _meaning(name, given) for name, given in values(line).items()} for line in (words, others))
    return ["--" + name for name in sorted(set(one) | set(other)) if one.get(name) != other.get(name)]


def _meaning(name: str, given: "list[str]") -> "list[str]":
    spelled = [normal(name, value) for value in given]
    return sorted(spelled) if name in REPEATABLE + NAMED else spelled[-1:]


def slot(name: str, value: str) -> "tuple[str, str | None]":
    """What a flag takes the place of: the flag itself, the same value of it, or the same name before `=`."""
    if name in NAMED:
        return name, value.partition("=")[0]
    if name in REPEATABLE:
        return name, normal(name, value)
    return name, None
