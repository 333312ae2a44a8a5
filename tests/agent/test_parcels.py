"""What a host gets of a bundle: piece by piece, kept under its digest, resumed after a cut, within limits."""

import hashlib
import os

import pytest

from provision.agent.host import parcels
from provision.agent.host.errors import Failed
from provision.agent.host.parcels import Parcels, Piece

from .rooted import Rooted


class Ended(Exception):
    """The wire's end."""


class Line:
    """The controller with these files; `cut`: pieces after which the wire ends."""

    def __init__(self, *files, **options):
        self.files = {hashlib.sha256(data).hexdigest(): data for data in files}
        self.cut = options.get("cut")
        self.asked = []
        self.answers = []

    def send(self, message):
        assert message["type"] == "fetch", message
        for digest, offset, length in message["pieces"]:
            self.asked.append((digest, offset, length))
            data = self.files.get(digest)
            if data is None:
                self.answers.append({"type": "lost", "cause": "x.deb of the bundle cannot be read"})
            else:
                self.answers.append({"type": "piece", "data": data[offset : offset + length]})

    def next(self):
        assert self.cut != -1, "the wire says once that it has ended, and then nothing"
        if self.cut == 0:
            self.cut = -1
            raise Ended()
        if self.cut is not None:
            self.cut -= 1
        return self.answers.pop(0)


@pytest.fixture
def host(tmp_path):
    host = Rooted(tmp_path)
    os.makedirs(host.root + "/var/lib/provision")
    return host


def wanted(data, name="pool/x.deb"):
    return Piece(hashlib.sha256(data).hexdigest(), len(data), name)


def cache(host):
    return sorted(os.listdir(host.root + "/var/lib/provision/cache"))


def content(host, item):
    return host.read("/var/lib/provision/cache/" + item.sha256, 1 << 30)


def test_files_of_any_size_come_and_stand_under_their_digest(host):
    files = [b"a" * (3 * parcels.PIECE + 7), b"", b"b"]
    line = Line(*files)
    bundle = Parcels(line, {"problem": None, "images": True}, Ended)
    items = [wanted(data) for data in files]
    bundle.receive(host, items + items)
    assert [content(host, item) for item in items] == files
    line.asked.clear()
    bundle.receive(host, items)
    Parcels(line, {"problem": None, "images": True}, Ended).receive(host, items)
    assert line.asked == []


def test_no_more_is_asked_for_than_waits_for_its_turn(host):
    data = os.urandom(20 * parcels.PIECE)
    line = Line(data)
    most = []
    send = line.send

    def watching(message):
        send(message)
        most.append(len(line.answers))

    line.send = watching
    Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert max(most) == parcels.AHEAD


def test_after_a_cut_only_the_rest_is_asked_for(host):
    data = os.urandom(5 * parcels.PIECE)
    with pytest.raises(Failed, match="the transfer was cut"):
        Parcels(Line(data, cut=3), {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert cache(host) == [wanted(data).sha256 + ".part"]
    line = Line(data)
    Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert [offset for _, offset, _ in line.asked] == [3 * parcels.PIECE, 4 * parcels.PIECE]
    assert content(host, wanted(data)) == data


def test_who_watches_ends_it_and_leaves_the_wire_in_step(host):
    data = os.urandom(20 * parcels.PIECE)
    line = Line(data)

    def watch():
        raise Failed("not signed")

    with pytest.raises(Failed, match="not signed"):
        Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)], watch)
    assert len(line.asked) == parcels.AHEAD
    assert line.answers == []


def test_a_changed_file_is_named_and_not_kept(host):
    data = b"a" * 100
    line = Line()
    line.files[wanted(data).sha256] = b"b" * 100
    with pytest.raises(Failed, match=r"pool/x.deb of the bundle was changed: its sha256 is"):
        Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert cache(host) == []


def test_what_was_kept_of_another_file_is_asked_for_anew(host):
    data = os.urandom(2 * parcels.PIECE)
    host.put("/var/lib/provision/cache/{}.part".format(wanted(data).sha256), "rotten")
    Parcels(Line(data), {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert content(host, wanted(data)) == data


def test_a_file_of_the_cache_that_rotted_is_asked_for_anew(host):
    data = os.urandom(100)
    host.put("/var/lib/provision/cache/" + wanted(data).sha256, "x" * 100)
    line = Line(data)
    Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert content(host, wanted(data)) == data


def test_a_file_that_the_controller_cannot_read_leaves_the_wire_in_step(host):
    good, lost = os.urandom(3 * parcels.PIECE), os.urandom(10)
    line = Line(good)
    with pytest.raises(Failed, match="pool/lost.deb cannot be had from the bundle: x.deb of the bundle cannot be read"):
        Parcels(line, {"problem": None, "images": True}, Ended).receive(
            host, [wanted(lost, "pool/lost.deb"), wanted(good)]
        )
    assert line.answers == []


def test_a_disk_without_room_is_told_before_a_byte_comes(host, monkeypatch):
    monkeypatch.setattr(Rooted, "free", lambda self, path: 100 << 20)
    data = os.urandom(100)
    line = Line(data)
    with pytest.raises(
        Failed, match="0 MB are to come from the bundle, and /var/lib/provision/cache has 100 MB free"
    ) as error:
        Parcels(line, {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert error.value.fix == "free 28 MB there, then run again"
    assert line.asked == []


def test_a_disk_that_fills_up_meanwhile_gets_its_bytes_back(host, monkeypatch):
    data = os.urandom(2 * parcels.PIECE)
    append = Rooted.append

    def full(self, path, piece):
        if self.stat(path) is not None:
            raise OSError(28, "No space left on device")
        append(self, path, piece)

    monkeypatch.setattr(Rooted, "append", full)
    with pytest.raises(OSError, match="No space left on device"):
        Parcels(Line(data), {"problem": None, "images": True}, Ended).receive(host, [wanted(data)])
    assert cache(host) == []


def test_the_cache_keeps_what_is_wanted_and_drops_what_was_used_longest_ago(host, monkeypatch):
    monkeypatch.setattr(parcels, "LIMIT", 1000)
    old, older, needed, new = (os.urandom(400) for _ in range(4))
    bundle = Parcels(Line(old, older, needed, new), {"problem": None, "images": True}, Ended)
    for age, data in ((100, old), (300, older), (500, needed)):
        bundle.receive(host, [wanted(data)])
        place = host.root + "/var/lib/provision/cache/" + wanted(data).sha256
        os.utime(place, (os.stat(place).st_mtime - age,) * 2)
    bundle = Parcels(Line(new), {"problem": None, "images": True}, Ended)
    bundle.receive(host, [wanted(needed), wanted(new)])
    assert cache(host) == sorted(wanted(data).sha256 for data in (needed, new))


def test_a_host_that_the_bundle_has_nothing_for_says_so():
    bundle = Parcels(None, {"problem": "the bundle has nothing for debian:sid/amd64", "images": True}, Ended)
    with pytest.raises(Failed, match="nothing for debian:sid/amd64"):
        bundle.listing  # noqa: B018
