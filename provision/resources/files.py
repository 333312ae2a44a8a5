"""Files, directories, values of shared TOML files, programs, and guarded commands."""

import re
from typing import Annotated

from pydantic import Field, JsonValue

from provision.resources.resource import AbsolutePath, Mode, Resource
from provision.secrets import Secret
from provision.sentences import Spelled


class File(Resource):
    """A regular file with exactly this content; `content=None` means that there must be none."""

    kind = "file"
    path: AbsolutePath
    content: str | Secret | None
    mode: Mode = "0644"
    owner: str = "root"
    group: str = "root"
    sensitive: bool = False
    validate_with: tuple[str, ...] | None = None
    """A command that must succeed before the file is put in place; `{}` stands for the staged file."""


class Directory(Resource):
    """A directory with this owner and mode; what is in it is not its business."""

    kind = "directory"
    path: AbsolutePath
    mode: Mode = "0755"
    owner: str = "root"
    group: str = "root"


class Symlink(Resource):
    """A symbolic link to this target; a file or directory in its place is a failure, and never replaced."""

    kind = "symlink"
    path: AbsolutePath
    target: Annotated[str, Field(min_length=1)]
    """What the link says, as it stands: a relative target counts from the link's directory. It need not exist."""
    absent: bool = False
    """There must be no link to this target; a link to another one is somebody else's, and stays."""


class LineInFile(Resource):
    """One line of a file that others write to as well; all other lines, its mode and its owner stay."""

    kind = "line_in_file"
    path: AbsolutePath
    """It must exist, and be no link."""
    line: Annotated[str, Spelled(r"^[^\r\n]+$", "should be one line, not empty, without its end")]
    match: str | None = None
    """A regular expression (Python's) for lines that this one replaces: the first gives its place, the others go."""
    absent: bool = False
    """Neither the line nor one that matches may be there."""

    def model_post_init(self, context: object) -> None:
        try:
            re.compile(self.match or "")
        except re.error as error:
            raise ValueError(f"match is no regular expression: {error}") from None


class Download(Resource):
    """A file from a URL, put in place once its sha256 is the asked one; a file that has it is not fetched again."""

    kind = "download"
    path: AbsolutePath
    url: Annotated[str, Spelled(r"^https?://", "should be an http or https URL")]
    """It is shown in messages: one that carries a login is not for this."""
    sha256: Annotated[str, Spelled(r"^[0-9a-f]{64}$", "should be 64 hexadecimal digits in lower case")]
    mode: Mode = "0644"
    owner: str = "root"
    group: str = "root"
    timeout: Annotated[int, Field(gt=0)] = 300
    """Seconds, for the whole download."""
    absent: bool = False
    """There must be no file with this content; another one stays."""


class TomlValues(Resource):
    """Some values of a TOML file that others write to as well, by dotted key; all else stays."""

    kind = "toml_values"
    path: AbsolutePath
    values: dict[str, JsonValue]


class Command(Resource):
    """A command with a guard: it runs when its guard says that it is needed, and the guard must hold afterwards."""

    kind = "command"
    name: str
    argv: Annotated[tuple[str, ...], Field(min_length=1)]
    creates: AbsolutePath | None = None
    unless: tuple[str, ...] | None = None
    """A command that only reads, and succeeds when there is nothing to do."""
    timeout: int = 300

    def model_post_init(self, context: object) -> None:
        if (self.creates is None) == (self.unless is None):
            raise ValueError("a command needs exactly one guard: creates or unless")


class Programs(Resource):
    """A probe: these programs are on the host's PATH, or at these full paths."""

    kind = "programs"
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    fix: str
