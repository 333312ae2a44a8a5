"""Templates: a site's own first; what is missing is an error and never an empty word."""

from pathlib import Path

import pytest

from provision.errors import InputError
from provision.templates import Templates


def test_a_sites_own_template_wins_and_ours_are_found_without_it(tmp_path: Path) -> None:
    (tmp_path / "docker-http-proxy.conf.j2").write_text("site {{ x }}\n")
    site = Templates([tmp_path])
    assert site.render("docker-http-proxy.conf.j2", x=1) == "site 1\n"
    values = {"reason": "test", "environment_file": None, "exec_start": "dockerd"}
    assert "ExecStart=dockerd\n" in site.render("docker-exec-start.conf.j2", **values)


def test_what_is_missing_or_wrong_is_an_input_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("one\n{{ nobody }}\n")
    (tmp_path / "b.j2").write_text("one\n{% if %}\n")
    templates = Templates([tmp_path])
    with pytest.raises(InputError, match="nobody"):
        templates.render("a.j2")
    with pytest.raises(InputError, match=r"b\.j2:2"):
        templates.render("b.j2")
    with pytest.raises(InputError, match=r"no template c\.j2"):
        templates.render("c.j2")
