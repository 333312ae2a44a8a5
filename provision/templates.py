"""Text made from templates/*.j2: drop-ins and other files that are not JSON.

The law: an undefined variable is an error, never an empty word in a host's configuration. A site's own folder wins
over ours, template by template.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision import shipped
from provision.errors import InputError, Problem

if TYPE_CHECKING:
    import jinja2

OURS = shipped.TEMPLATES


class Templates:
    """The templates of a run, looked up in a site's own folders first."""

    def __init__(self, site: Sequence[Path] = ()) -> None:
        self._folders = [str(folder) for folder in (*site, OURS)]
        self._environment: jinja2.Environment | None = None

    def render(self, name: str, **values: Any) -> str:
        """The text of templates/`name` with these values; InputError where the template is missing or wrong."""
        import jinja2  # noqa: PLC0415 - 60 ms that `--help` and most hosts do without

        try:
            return self._loaded().get_template(name).render(**values)
        except jinja2.TemplateNotFound as error:
            problem = Problem(f"there is no template {error.name}", hint=f"looked in {', '.join(self._folders)}")
            raise InputError([problem]) from error
        except jinja2.TemplateSyntaxError as error:
            raise InputError([Problem(str(error.message), where=f"{error.filename}:{error.lineno}")]) from error
        except jinja2.UndefinedError as error:
            raise InputError([Problem(f"template {name}: {error.message}")]) from error

    def _loaded(self) -> "jinja2.Environment":
        import jinja2  # noqa: PLC0415

        if self._environment is None:
            self._environment = jinja2.Environment(  # noqa: S701 - plain text, no HTML
                loader=jinja2.FileSystemLoader(self._folders),
                undefined=jinja2.StrictUndefined,
                keep_trailing_newline=True,
                trim_blocks=True,
                lstrip_blocks=True,
            )
        return self._environment
