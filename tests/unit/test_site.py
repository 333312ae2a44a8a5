"""The site of the documents: what is made from the code is whole, and what leads nowhere ends the build."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))

import known_errors  # noqa: E402
import pages  # noqa: E402

ROWS = [(title, row) for title, rows in known_errors.TABLES for row in rows]
FILLED = ("x", "1", "1.2.3", " x", "\n")
"""What may stand where a spelling has …"""


@pytest.mark.parametrize(("title", "row"), ROWS, ids=[row.pattern[:40] for _, row in ROWS])
def test_an_error_is_spelled_as_it_is_recognised(title: str, row: known_errors.KnownError) -> None:
    assert known_errors.spellings(row.pattern)
    found = [*known_errors.texts(row.pattern)]
    texts = (text.replace(known_errors.GAP, filled) for text in found for filled in FILLED)
    assert any(re.search(row.pattern, text, re.M | re.I) for text in texts), found


@pytest.mark.parametrize("role", pages.roles(), ids=lambda role: role.name)
def test_a_role_has_a_page_with_each_of_its_settings(role: pages.role.Role) -> None:
    page = pages.role_page(role)
    for name, place in pages.places().items():
        if name.startswith(f"{role.name}."):
            assert f"{{ #{place.partition('#')[2]} }}" in page, name
    assert f"```yaml\n{role.name}:" in page
    assert len(re.findall("^- ", page.partition("## What `verify` tests")[2], re.M)) >= 1


def test_the_page_of_kinds_tells_fields_and_state() -> None:
    page = pages.kinds_page()
    part = page.partition("## `File` ")[2].partition("\n## ")[0]
    assert "- `path`: text, required" in part
    assert "Keys of its state: type (file, or None: absent), content" in part


def test_what_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        assert os.environ.get("CI") != "true", "`make docs` installs mkdocs before the unit tests"
        pytest.skip("NO MKDOCS: the site was not built; run `make docs`")
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for file in (*ROOT.glob("*.md"), ROOT / "mkdocs.yml"):
        shutil.copy(file, tmp_path)
    with (tmp_path / "docs" / "faq.md").open("a") as file:
        file.write("\n[a](nowhere.md) [b](disruption.md#nothing)\n")
    (tmp_path / "docs" / "forgotten.md").write_text("# Forgotten\n")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=tmp_path,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    for words in ("'nowhere.md', but the target is not found", "'disruption.md#nothing', but", "- forgotten.md"):
        assert words in done.stderr, done.stderr
