"""Jars from Maven, kept between runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mnaas</groupId><artifactId>servers</artifactId><version>1</version>
  <dependencies>{}</dependencies>
</project>
"""
_DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
      <exclusions>{}</exclusions>
    </dependency>"""
_EXCLUSION = "<exclusion><groupId>{}</groupId><artifactId>{}</artifactId></exclusion>"


def jars(artefacts: Sequence[str], excluded: Sequence[str] = ()) -> Path:
    """A folder with these (`group:name:version`), all that they need, and nothing excluded."""
    wanted = "\n".join([*artefacts, "without", *excluded])
    name = f"jars-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    folder = cache() / name
    if not folder.is_dir():
        part = cache() / f".{name}.{os.getpid()}"
        part.mkdir(parents=True)
        exclusions = "".join(_EXCLUSION.format(*entry.split(":")) for entry in excluded)
        dependencies = (_DEPENDENCY.format(*entry.split(":"), exclusions) for entry in artefacts)
        (part / "pom.xml").write_text(_POM.format("".join(dependencies)))
        command = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies"]
        subprocess.run(
            [*command, f"-DoutputDirectory={part / 'jars'}"], cwd=part, check=True, timeout=900
        )
        try:
            part.rename(folder)
        except OSError:  # another run was quicker
            shutil.rmtree(part)
    return folder / "jars"


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mnaas-cluster"
