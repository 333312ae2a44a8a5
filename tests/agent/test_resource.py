"""The engine of change, with a resource that lives in a dict."""

import errno

import pytest

from provision.agent.engine.resource import Resource, compare, converge
from provision.agent.host.errors import Failed, Unknown


class Thing(Resource):
    """State in a dict; `stubborn` ignores every change."""

    fields = ("want", "world", "stubborn", "sensitive")
    secret_keys = ("password",)

    def __init__(self, want, world, stubborn=False, sensitive=False):
        Resource.__init__(self, want=want, world=world, stubborn=stubborn, sensitive=sensitive)
        self.applied = []

    def identity(self):
        return "thing"

    def desired(self):
        return self.want

    def actual(self, system):
        if isinstance(self.world, Exception):
            raise self.world
        return dict(self.world) if self.world is not None else None

    def apply(self, system, diff):
        self.applied.append(diff)
        if not self.stubborn:
            if self.world is None:
                self.world = {}
            for key, (_, value) in diff.items():
                self.world[key] = value


def outcome(resource, check=False):
    return converge(resource, None, check)["outcome"]


def test_the_four_runs_of_every_resource():
    thing = Thing({"a": 1}, {"a": 0, "b": 2})
    assert outcome(thing, check=True) == "would-change"
    assert thing.applied == []
    assert outcome(thing) == "changed"
    assert thing.applied == [{"a": (0, 1)}]
    assert outcome(thing) == "ok"
    assert thing.world == {"a": 1, "b": 2}


def test_absent_is_none():
    assert compare(None, {"a": 1}) == {"a": (None, 1)}
    assert compare(None, {"a": None}) == {}
    assert outcome(Thing({"a": 1}, None)) == "changed"


def test_only_asked_keys_count():
    assert compare({"a": 1, "other": 2}, {"a": 1}) == {}


def test_what_still_differs_after_the_change_is_a_failure():
    result = converge(Thing({"a": 1}, {"a": 0}, stubborn=True), None, False)
    assert result["outcome"] == "failed"
    assert result["error"]["cause"] == "written, but not so when read back: a"
    assert "found 0, asked 1" in result["error"]["output"]


def test_unknown_is_not_ok():
    result = converge(Thing({"a": 1}, Unknown("the disk does not answer")), None, False)
    assert result["outcome"] == "unknown"
    assert result["error"]["cause"] == "the disk does not answer"


def test_a_failure_carries_cause_fix_and_output():
    result = converge(Thing({"a": 1}, Failed("no", "do this", "last words")), None, False)
    assert (result["outcome"], result["error"]["fix"], result["error"]["output"]) == ("failed", "do this", "last words")


@pytest.mark.parametrize("number, words", [(errno.ENOSPC, "free space"), (errno.EROFS, "read-only")])
def test_a_full_or_read_only_disk_says_what_to_do(number, words):
    result = converge(Thing({"a": 1}, OSError(number, "text", "/etc/x")), None, False)
    assert result["outcome"] == "failed"
    assert "/etc/x" in result["error"]["cause"]
    assert words in result["error"]["fix"]


def test_a_bug_is_a_failure_with_a_trace():
    result = converge(Thing({"a": 1}, KeyError("x")), None, False)
    assert result["outcome"] == "failed"
    assert "Traceback" in result["error"]["trace"]


def test_multi_line_text_shows_as_a_unified_diff():
    result = converge(Thing({"content": "a\nb\n"}, {"content": "a\nc"}), None, True)
    text = result["diff"][0]["text"]
    assert "-c\n\\ No newline at end of file\n+b\n" in text


@pytest.mark.parametrize("sensitive, key", [(False, "password"), (True, "content")])
def test_a_secret_shows_on_neither_side(sensitive, key):
    result = converge(Thing({key: "new\nsecret"}, {key: "old\nsecret"}, sensitive=sensitive), None, True)
    assert result["diff"] == [{"key": key, "before": "differs (secret)", "after": "differs (secret)"}]


def test_a_secret_that_cannot_be_made_so_does_not_show_either():
    thing = Thing({"password": "hunter2"}, {"password": "hunter1"}, stubborn=True)
    assert "hunter" not in str(converge(thing, None, False))


def test_unknown_fields_are_a_bug_that_is_named():
    with pytest.raises(TypeError):
        Resource(nope=1)
