"""What `make docs` adds to mkdocs: pages made from the code, the files at the top of the repository, links and checks.

The law: documents are written for a git host. What a site needs beyond that is done here, and what does not hold is an
error of the build: a list that only a git host would show as one, or a page that loads something from elsewhere.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages  # beside this file
from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "CHANGES.md": "changes.md",
}
"""Files at the top of the repository, and the pages that they are."""
TAGS = ("h1", "h2", "h3", "ul", "ol", "li", "table", "td", "pre", "code", "strong", "em")
GITHUB = MarkdownIt("commonmark").enable("table")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The roles get their place in the navigation."""
    for part in config.nav or []:
        if "Roles" in part:
            part["Roles"] += [{asked.name: pages.path_of(asked)} for asked in pages.roles()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    made = pages.every_page() | {page: (ROOT / name).read_text("utf-8") for name, page in TOP.items()}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site has them, pages by their titles; a list or table gets the blank line before it without which a
    git host does as well."""
    path = page.file.src_path
    source = next((ROOT / name for name, made in TOP.items() if made == path), DOCS / path)
    markdown = pages.with_known_errors(markdown)
    page.meta |= {"hide": ["navigation"]} if path == "index.md" else {}
    page.meta["blocks"] = _blocks(GITHUB.render(markdown))
    titles = _titles(config.nav)

    def link(found: re.Match[str]) -> str:
        place = _place(found[2], source.parent)
        text = titles.get(place, found[1]) if found[1].endswith(".md") else found[1]
        return f"[{text}]({os.path.relpath(place, Path(path).parent)}{found[3]}"

    return _with_blank_lines(re.sub(r"\[([^\]\n]*)\]\(([^)#:\s]+)([)#])", link, markdown))


def _titles(nav: Any) -> dict[str, str]:
    """{page: its title in the navigation}."""
    if isinstance(nav, list):
        return {page: title for part in nav for page, title in _titles(part).items()}
    [(title, inside)] = nav.items()
    return {inside: title} if isinstance(inside, str) else _titles(inside)


def _place(link: str, folder: Path) -> str:
    """What a link in a file of this folder leads to, as a path below the site."""
    target = Path(os.path.normpath(folder / link))
    if target.parent == ROOT and target.name in TOP:
        return TOP[target.name]
    found = str(target.relative_to(DOCS)) if target.is_relative_to(DOCS) else link
    return "index.md" if found == "README.md" else found


def _with_blank_lines(markdown: str) -> str:
    lines, fenced, before = [], False, ""
    for line in markdown.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        begins = not fenced and re.match(r"(?:[-*]|1\.) |\|", line)
        if begins and before and not re.match(r"[-*] |[|\s]|\d+\. ", before):
            lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What a git host shows as a list, table or block of code is one here, too. Names of roles, settings and kinds are
    links."""
    if (found := _blocks(html)) != (wanted := page.meta["blocks"]):
        raise PluginError(f"{page.file.src_path}: the site has {found}, and a git host shows {wanted}")
    html = html.replace("<th></th>", "<td></td>")
    return re.sub(
        r"(<h[1-6].*?</h[1-6]>|<a .*?</a>|<pre.*?</pre>)|<code>([\w.]+)</code>", _linked(page), html, flags=re.S
    )


def _blocks(html: str) -> dict[str, int]:
    return {tag: len(re.findall(f"<{tag}[ >]", html)) for tag in TAGS}


def _linked(page: Page) -> Callable[[re.Match[str]], str]:
    def link(match: re.Match[str]) -> str:
        place = None if match[1] else pages.places().get(match[2])
        if place is None or place.partition("#")[0] == page.file.dest_uri:
            return match[0]
        return f'<a href="{os.path.relpath(place, Path(page.file.dest_uri).parent)}">{match[0]}</a>'

    return link


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """A page loads nothing from anywhere else."""
    if found := re.search(r'<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)="(?:https?:)?//[^"]*"', output):
        raise PluginError(f"{page.file.src_path}: it would load {found[0]}")
    return output
