"""Some keys of a JSON file that others write to as well: daemon.json.

The law: only keys that a role asks for are touched; foreign keys and the order of all keys stay. What a role of this
run asked for last time, and asks for no more, goes. What we wrote is remembered as salted digests, so that a key which
somebody else changed is reported before it is changed back.
"""

import json

from ..engine.resource import Resource
from ..files import file, json_object
from ..host.errors import Failed
from ..host.results import MISSING
from . import default_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from ..host.system import System
    from ..types import Diff, State, Undo

SECTION = "json_keys"
DEFAULT_FILE = "/etc/default/docker"
NOT_ROOT = "needs to be started with root"
RUNTIMES = "/usr/bin/"
"""Where a runtime without a path is found: nvidia-ctk writes the one form, older packages the other."""
ALWAYS_SECRET = ("proxies",)
"""Keys whose old value may hold a password, whatever we ask for."""


class JsonKeys(Resource):
    path: str
    keys: "list[dict[str, Any]]"
    absent: "list[list[str]]"
    roles: "list[str]"
    mode: str
    owner: str
    group: str
    sensitive: bool
    validate_with: "list[str] | None"

    def __init__(self, **values: "Any") -> None:
        Resource.__init__(self, **values)
        self._foreign: "list[str] | None" = None
        self._made = False  # there was no file before us

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        """Each key by its dotted path: its value in one spelling; unwanted: [dotted paths]; mode, owner, group."""
        state: "State" = {_dotted(key["path"]): _plain(key["path"], key["value"]) for key in self.keys}
        state.update({"unwanted": [], "mode": self.mode, "owner": self.owner, "group": self.group})
        return state

    def actual(self, system: "System") -> "State | None":
        """As `desired`: unwanted are the keys that stand there and have to go; rights that are ours to say only."""
        document = _document(system, self.path)
        if self._foreign is None:  # as found, not as we left it
            self._foreign = self._changed_by_others(system, document)
        state: "State" = file.described(system, self.path) or self._as_asked()
        if not self.keys and self.path not in system.state_file.section(SECTION):
            state.update(self._as_asked())  # nothing of ours is in it: its mode is not our business
        elif self._is_stricter(system):
            state.update(self._as_asked())
        elif self._holds_a_foreign_password(document):
            state["mode"] = self.mode
        for key in self.keys:
            state[_dotted(key["path"])] = _found(key, document)
        state["unwanted"] = sorted(_dotted(path) for path in self._unwanted(system, document))
        return state

    def apply(self, system: "System", diff: "Diff") -> None:
        """Write the object with our keys in it and the unwanted ones out; other keys stay."""
        uid, gid = file.owner_ids(system, self)
        if not set(diff) - {"mode", "owner", "group"}:
            if "owner" in diff or "group" in diff:
                system.set_owner(self.path, uid, gid)
            system.set_mode(self.path, int(self.mode, 8))
            return
        document = self.planned(system)
        # Ours before it is written: if we die in between, the next run knows what to take back.
        self._remember(system)
        _make_directory(system, self.path)
        found = file.described(system, self.path)
        self._made = found is None
        mode = found["mode"] if found and self._holds_a_foreign_password(document) else self.mode
        mode, uid, gid = file.rights(system, self.path, int(mode, 8), uid, gid)
        system.write(self.path, _text(document), mode, uid, gid, lambda staged: self._validate(system, staged))

    def prove(self, system: "System") -> None:
        """The planned file, taken by dockerd with the DOCKER_OPTS that are planned beside it."""
        if self.validate_with is not None and system.stat(self.path.rpartition("/")[0]) is not None:
            system.try_out(
                self.path,
                _text(self.planned(system)),
                int(self.mode, 8),
                lambda staged: self._validate(system, staged),
            )

    def rehearse(self, system: "System") -> None:
        """`prove` where nothing may be written: raise Failed where dockerd does not take the planned file."""
        text = _text(self.planned(system))
        with system.scratch(lambda folder: {"daemon.json": text}, {}, int(self.mode, 8)) as folder:
            self._validate(system, folder + "/daemon.json")

    def _validate(self, system: "System", staged: str) -> None:
        """By dockerd itself; before 23 without `--validate`: it reads its options, then finds that it is not root."""
        if self.validate_with is None:
            return
        argv = [word.replace("{}", staged) for word in self.validate_with if word != "$DOCKER_OPTS"]
        if "$DOCKER_OPTS" in self.validate_with:
            planned = system.foreseen.get(DEFAULT_FILE)
            text = planned.decode("utf-8", "surrogateescape") if planned is not None else system.text(DEFAULT_FILE)
            argv[-1:-1] = default_file.words(text or "", DEFAULT_FILE)
        result = system.query(argv, timeout=20)
        if result.ok or result.status == MISSING or NOT_ROOT in result.out + result.err:
            return
        from . import known_errors

        words = result.tail().replace(staged, self.path)
        known = known_errors.explain(words)
        cause = "dockerd does not take it: {}".format(words.splitlines()[-1] if words else "no output")
        cause, fix = known or (cause, "correct the setting")
        raise Failed("{} was left as it is: {}".format(self.path, cause), fix, words)

    def foresee(self, system: "System") -> None:
        system.foreseen[self.path] = _text(self.planned(system))

    def planned(self, system: "System") -> "dict[str, Any]":
        """The whole object as it will be."""
        document = _document(system, self.path)
        for path in self._unwanted(system, document):
            _remove(document, path)
        for key in self.keys:
            if _found(key, document) != _plain(key["path"], key["value"]):
                _set(document, key["path"], key["value"], self.path)
        return document

    def note(self, diff: "Diff") -> str:
        gone = set(diff.get("unwanted", ([],))[0] or ())
        changed = sorted(set(self._foreign or ()) & (set(diff) | gone))
        notes = ["changed by somebody else since our last run: {}".format(", ".join(changed))] if changed else []
        if "bip" in gone:
            notes.append("docker0 keeps the address that it has, which Docker remembers; to change it, ask for another")
        return "; ".join(notes)

    def settled(self, system: "System") -> None:
        self._remember(system)

    def when_removed(self, role: str) -> "Undo | None":
        return ("empty_object", {"path": self.path}) if self._made else None

    def taints(self, key: str) -> bool:
        if key in ("mode", "owner", "group", "unwanted"):
            return False
        secret = [_dotted(item["path"]) for item in self.keys if item["secret"]]
        return key in secret or key.partition(".")[0] in ALWAYS_SECRET or bool(self.sensitive and not secret)

    def _as_asked(self) -> "State":
        return {"mode": self.mode, "owner": self.owner, "group": self.group}

    def _is_stricter(self, system: "System") -> bool:
        status, uid, gid = system.stat(system.place(self.path)), system.uid(self.owner), system.gid(self.group)
        return status is not None and file.lets_fewer_in(status, int(self.mode, 8), uid, gid)

    def _holds_a_foreign_password(self, document: "dict[str, Any]") -> bool:
        """Somebody else's proxies with a login: then who may read the file is theirs to say."""
        ours = any(key["path"][0] in ALWAYS_SECRET for key in self.keys)
        return not ours and any("@" in json.dumps(document.get(name)) for name in ALWAYS_SECRET)

    def _unwanted(self, system: "System", document: "dict[str, Any]") -> "list[tuple[str, ...]]":
        """Paths that stand in the file and have to go."""
        asked = [tuple(key["path"]) for key in self.keys]
        records = system.state_file.get(SECTION, self.path) or {}
        dropped = [json.loads(name) for name, record in records.items() if record["role"] in self.roles]
        paths = {tuple(path) for path in list(self.absent) + dropped} - set(asked)
        return sorted(path for path in paths if _get(document, path) is not None)

    def _changed_by_others(self, system: "System", document: "dict[str, Any]") -> "list[str]":
        records = system.state_file.get(SECTION, self.path) or {}
        changed: "list[str]" = []
        for name, record in records.items():
            path = json.loads(name)
            if _digest(system, path, _get(document, path)) != record["digest"]:
                changed.append(_dotted(path))
        return changed

    def _remember(self, system: "System") -> None:
        """Who asks for which key, and a digest of the value: roles that are not in this run keep what they had."""
        before = system.state_file.get(SECTION, self.path) or {}
        records = {name: record for name, record in before.items() if record["role"] not in self.roles}
        for key in self.keys:
            if key["role"]:
                name = json.dumps(list(key["path"]))
                records[name] = {"role": key["role"], "digest": _digest(system, key["path"], key["value"])}
        system.state_file.put(SECTION, self.path, records or None)


class EmptyObject(Resource):
    """A JSON file that we made, and in which nothing is left once the role is gone: it goes, with its directory."""

    path: str

    def identity(self) -> str:
        return self.path

    def touches(self) -> "tuple[str, ...]":
        return (self.path,)

    def desired(self) -> "State":
        return {"empty": False}

    def actual(self, system: "System") -> "State":
        return {"empty": system.stat(self.path) is not None and not _document(system, self.path)}

    def apply(self, system: "System", diff: "Diff") -> None:
        system.remove(self.path)
        folder = self.path.rpartition("/")[0]
        if not system.names(folder):
            system.remove(folder)


def as_written(system: "System", path: "Sequence[str]", document: "dict[str, Any]", record: "dict[str, str]") -> bool:
    """Does a key stand in `document` as the run that made `record` wrote it?"""
    return _digest(system, path, _get(document, path)) == record["digest"]


def _text(document: "dict[str, Any]") -> bytes:
    return (json.dumps(document, indent=4, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def _dotted(path: "Sequence[str]") -> str:
    return ".".join(path)


def _digest(system: "System", path: "Sequence[str]", value: "Any") -> str:
    return system.state_file.digest(json.dumps(_plain(path, value), sort_keys=True).encode("ascii"))


def _plain(path: "Sequence[str]", value: "Any") -> "Any":
    """A value in the one spelling in which two of them are compared."""
    if len(path) == 2 and path[0] == "runtimes" and isinstance(value, dict):
        value = {
            name: item for name, item in value.items() if not (name in ("args", "runtimeArgs") and item in ([], None))
        }
        program = value.get("path")
        if isinstance(program, str) and program.startswith(RUNTIMES):
            value["path"] = program[len(RUNTIMES) :]
    if len(path) == 2 and path[0] == "default-ulimits" and isinstance(value, dict):
        value = {name.capitalize(): item for name, item in value.items()}  # Docker reads these three in any case
    return value


def _found(key: "dict[str, Any]", document: "dict[str, Any]") -> "Any":
    """What stands there for a key, to compare. Python calls 1 equal to true, which dockerd does not: then as text."""
    found, asked = _plain(key["path"], _get(document, key["path"])), _plain(key["path"], key["value"])
    text = json.dumps(found, sort_keys=True)
    return text if found == asked and text != json.dumps(asked, sort_keys=True) else found


def _get(document: "dict[str, Any]", path: "Sequence[str]") -> "Any":
    for part in path:
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


def _set(document: "dict[str, Any]", path: "Sequence[str]", value: "Any", name: str) -> None:
    for part in path[:-1]:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            cause = "{}: {} is not an object, so {} cannot be set in it".format(name, part, _dotted(path))
            raise Failed(cause, "correct it by hand")
    document[path[-1]] = value


def _remove(document: "dict[str, Any]", path: "Sequence[str]") -> None:
    """Remove a key, and the object around it where that is empty then."""
    inner = _get(document, path[:-1])
    if isinstance(inner, dict):
        inner.pop(path[-1], None)
        if not inner and len(path) > 1:
            _remove(document, path[:-1])


def _document(system: "System", path: str) -> "dict[str, Any]":
    """The file as a dict, its order kept; {} when there is none, or nothing in it. Failed says what is wrong where."""
    data = system.read(path)
    return {} if data is None else json_object.parse(data, path)


def _make_directory(system: "System", path: str) -> None:
    directory = path.rpartition("/")[0]
    if system.stat(directory) is None:
        system.make_directory(directory, 0o755)
