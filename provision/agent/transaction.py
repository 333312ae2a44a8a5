"""Changes that stand or fall together: a daemon's files, and the service that must come up with them.

The law: what each file was is read before it is changed; when a later member of the group fails, every file goes back
to that, and a service that ran before runs again with it. What the host remembers of us goes back as well, or the next
run would take the old values for somebody else's. Undoing twice is harmless. (The states before are held in memory:
a host that loses its power in between is brought on by the next run, not back.)
"""

import os

from .resource import Failed


class Transaction:
    """One group. `before` is called with each resource that is about to change; then `undo`, or nothing."""

    def __init__(self, system, service):
        self._system = system
        self._service = service
        self._files = []  # (path, bytes or None, os.stat_result or None), in the order of change
        self._memory = None
        self._ran = False
        self._service_touched = False

    def before(self, resource):
        """Read what `resource` is about to change."""
        if self._memory is None:
            self._memory = self._system.memory.snapshot()
            self._ran = self._service is not None and _runs(self._service, self._system)
        for path in resource.touches():
            self._files.append((path, self._system.read(path), self._system.stat(path)))
        self._service_touched = self._service_touched or resource is self._service

    @property
    def begun(self):
        """Has anything been changed?"""
        return self._memory is not None

    def undo(self):
        """Put everything back; return what was done, as a clause. Raises Failed where the way back fails."""
        for path, data, status in reversed(self._files):
            self._restore(path, data, status)
        self._system.memory.restore(self._memory)
        if not self._service_touched:
            return "the files are as they were"
        self._service.go_back(self._system, self._ran)
        if self._ran:
            return "the files are as they were, and {} runs with them again".format(self._service.identity())
        return "the files are as they were, and {} is stopped, as it was".format(self._service.identity())

    def _restore(self, path, data, status):
        try:
            if data is None:
                self._system.remove(path)
            else:
                self._system.write(path, data, status.st_mode & 0o7777, status.st_uid, status.st_gid)
        except OSError as error:
            raise Failed("{} could not be put back: {}".format(path, os.strerror(error.errno or 0)), "do it by hand")


def _runs(service, system):
    state = service.actual(system)
    return state is not None and state["running"]
