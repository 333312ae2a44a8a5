"""Debian packages for tests: fetch them from the hosts' own archive, and repack them under another name.

Law: a repacked package is a stand-in and says so in its description; nothing binary is ever committed.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import engine, image
from tests.lab.image import HostSpec
from tests.lab.machine import program
from tests.lab.processes import LabError, call

Text = bytes | str | None
NOT_OURS = ("Source", "Homepage", "Built-Using", "Static-Built-Using", "X-Cargo-Built-Using")


def fetch(release: str, packages: Sequence[str], into: Path) -> dict[str, Path]:
    """Download `packages` of `release` into a folder; returns package name -> file."""
    base = image.ensure(HostSpec("fetch", release).kind, lambda _line: None)
    script = (
        "set -e; mkdir /debs; cd /debs; apt-get update -q; apt-get download -q -o APT::Sandbox::User=root "
        + " ".join(packages)
    )
    into.mkdir(parents=True, exist_ok=True)
    with image.worked_on(base, script) as container:
        engine.docker("cp", f"{container}:/debs/.", str(into))
    found = {name: sorted(into.glob(f"{name}_*.deb")) for name in packages}
    missing = [name for name, files in found.items() if not files]
    if missing:
        raise LabError(f"{release} has no package {' '.join(missing)}")
    return {name: files[-1] for name, files in found.items()}


def repack(
    debs: Path | Sequence[Path],
    into: Path,
    *,
    package: str,
    version: str,
    description: str,
    replace: Mapping[str, Text] | None = None,
    move: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
    fields: Mapping[str, str | None] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """Build `package` at `version` out of one package or several; returns the new file.

    `only` keeps just these paths, then `move` renames (old -> new), then `replace` writes contents (None
    removes; a new file is 0755 when it starts with `#!`). `fields` sets control fields, None removes one.
    `scripts` replaces all maintainer scripts; by default those of the first package stay.
    """
    if "stand-in" not in description:
        raise LabError(f"the description of {package} must say that it is a stand-in")
    parts = [debs] if isinstance(debs, Path) else list(debs)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="provision-lab-") as folder:
        root = Path(folder) / "root"
        call([program("dpkg-deb"), "--raw-extract", str(parts[0]), str(root)], timeout=120)
        for part in parts[1:]:
            call([program("dpkg-deb"), "--extract", str(part), str(root)], timeout=120)
        if only is not None:
            _keep_only(root, only)
        for old, new in (move or {}).items():
            _at(root, new).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(_at(root, old), _at(root, new))
        for path, content in (replace or {}).items():
            _replace(_at(root, path), content)
        control: dict[str, str | None] = {**dict.fromkeys(NOT_OURS), **(fields or {})}
        control |= {"Package": package, "Version": version, "Description": description}
        _write_control(root, control, scripts)
        name = f"{package}_{version.partition(':')[2] or version}_{_field(root, 'Architecture')}.deb"
        build = ["--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(into / name)]
        call([program("dpkg-deb"), *build], timeout=300)
    return into / name


def unit_scripts(units: Sequence[str], group: str | None = None) -> dict[str, str]:
    """Maintainer scripts as debhelper writes them: enable and start at install, stop at removal."""
    names = " ".join(units)
    make_group = f"getent group {group} >/dev/null || groupadd --system {group}" if group else ":"
    enable = "\n".join(f"  deb-systemd-helper enable '{unit}' >/dev/null || true" for unit in units)
    running = "[ -d /run/systemd/system ]"
    return {
        "postinst": f'#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n  {make_group}\n{enable}\n'
        f"  if {running}; then\n    systemctl --system daemon-reload >/dev/null || true\n"
        f'    action=start; [ -z "$2" ] || action=restart\n'
        f"    deb-systemd-invoke $action {names} >/dev/null || true\n  fi\nfi\n",
        "prerm": f'#!/bin/sh\nset -e\nif [ "$1" = remove ] && {running}; then\n'
        f"  deb-systemd-invoke stop {names} >/dev/null || true\nfi\n",
        "postrm": f"#!/bin/sh\nset -e\nif {running}; then systemctl --system daemon-reload || true; fi\n"
        f'if [ "$1" = purge ]; then deb-systemd-helper purge {names} >/dev/null || true; fi\n',
    }


def _at(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _keep_only(root: Path, only: Sequence[str]) -> None:
    kept = {_at(root, path) for path in only}
    for path in sorted(root.rglob("*"), reverse=True):
        if path.relative_to(root).parts[0] == "DEBIAN" or path in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()


def _replace(path: Path, content: Text) -> None:
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o755 if data.startswith(b"#!") else 0o644
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def _write_control(root: Path, fields: Mapping[str, str | None], scripts: Mapping[str, str] | None) -> None:
    """Set the control fields, the maintainer scripts and the list of configuration files."""
    folder = root / "DEBIAN"
    stanza = _stanza(root)
    for key, value in fields.items():
        if value is None:
            stanza.pop(key, None)
        else:
            stanza[key] = value
    (folder / "control").write_text("".join(f"{key}: {value}\n" for key, value in stanza.items()))
    (folder / "md5sums").unlink(missing_ok=True)
    if scripts is not None:
        for name in ("preinst", "postinst", "prerm", "postrm", "triggers", "templates", "config"):
            (folder / name).unlink(missing_ok=True)
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
    files = [path for path in sorted((root / "etc").rglob("*")) if path.is_file()]
    (folder / "conffiles").write_text("".join(f"/{path.relative_to(root)}\n" for path in files))


def _stanza(root: Path) -> dict[str, str]:
    """The control file's fields; continuation lines stay in their field's value."""
    fields: dict[str, str] = {}
    key = ""
    for line in (root / "DEBIAN/control").read_text().splitlines():
        if line.startswith((" ", "\t")):
            fields[key] += f"\n{line}"
        elif line:
            key, _, value = line.partition(":")
            fields[key] = value.strip()
    return fields


def _field(root: Path, key: str) -> str:
    return _stanza(root)[key]
