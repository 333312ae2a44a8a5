"""docker.service as it stands on disk: the command line that systemd would start Docker with now (systemd.service(5)).

The law: nothing is asked of the program that wrote it. What cannot be told from the files (specifiers, a script that
starts dockerd) is None, and no test fails for it.
"""

import re
import shlex
from collections.abc import Callable, Iterator

from provision.agent.docker.flags import expand

DAEMONS = ("dockerd", "docker", "dockerd-ce", "docker-daemon")
VARIABLE = r"(?<!\$)\$(?:\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)"


def command_line(shown: str, read: Callable[[str], str]) -> list[str] | None:
    """Of what `systemctl cat` shows; `read` gives the text of a file, or "" where there is none."""
    words: list[str] = []
    variables: dict[str, list[str]] = {}
    files: list[str] = []
    for key, value in _assignments(shown):
        if key == "ExecStart":
            words = shlex.split(value)
        elif key == "Environment":
            variables = variables | dict(_variables(shlex.split(value))) if value else {}
        elif key == "EnvironmentFile":
            files = [*files, value.lstrip("-")] if value else []
    for file in files:
        variables |= dict(_variables(_joined(read(file))))
    found = [part for parts in expand(words, variables) for part in parts]
    if not found or found[0].rpartition("/")[2] not in DAEMONS or any(_has_specifier(word) for word in found):
        return None
    found = [found[0].lstrip("@-:+!|"), *(word for word in found[1:] if not re.fullmatch(VARIABLE, word))]
    return [re.sub(VARIABLE, "", word).replace("$$", "$").replace("%%", "%") for word in found]


def _joined(text: str) -> list[str]:
    """Lines without comments; a backslash joins two."""
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and line[0] not in "#;")
    return kept.replace("\\\n", " ").split("\n")


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in _joined(text):
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _variables(assignments: list[str]) -> Iterator[tuple[str, list[str]]]:
    for item in assignments:
        name, equals, value = item.partition("=")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        if equals:
            yield name.strip(), shlex.split(value[1:-1] if quoted else value)


def _has_specifier(word: str) -> bool:
    return re.search(r"(?<!%)(?:%%)*%[A-Za-z]", word) is not None
