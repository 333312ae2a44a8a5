"""The one build step that pyproject.toml cannot name: a wheel gets roles/, templates/, inventories/ and tests/verify/.

They stay at the top of the repository, where people look for them; in the wheel they are provision/data/.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("roles", "templates", "inventories", "tests/verify")


class WithData(build_py):
    """Copies the shipped data into the built package; an editable install finds it in the clone."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "provision", "data")
        shutil.rmtree(target, ignore_errors=True)  # build/ may be of an earlier state
        for folder in SHIPPED:
            shutil.copytree(folder, target / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))


setup(cmdclass={"build_py": WithData})
