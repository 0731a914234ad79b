"""Children of each adapter in each framing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from host import ADAPTERS, HERE, Host

NODE = os.environ.get("NODE", "node")

# Language, framing, and whether Python's own MessagePack is used or the package's.
CHILDREN = [
    "python-json",
    "python-msgpack",
    "python-msgpack-package",
    "python-binary",
    "javascript-json",
    "javascript-msgpack",
    "javascript-binary",
]

Start = Callable[..., Host]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Starts children that end with the test."""
    hosts: List[Host] = []

    def start(kind: str, component: str, **options: Any) -> Host:
        language, framing, *package = kind.split("-", 2)
        folder = tmp_path / str(len(hosts))
        folder.mkdir()
        env = {"STORM_JS": str(ADAPTERS / "javascript" / "storm.js")}
        path = [str(ADAPTERS / "python")]
        if not package:
            # A package of that name that cannot be imported.
            (folder / "msgpack.py").write_text("raise ImportError('not here')\n")
            path.append(str(folder))
        env["PYTHONPATH"] = os.pathsep.join(path)
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        # What is printed before run() waits in a buffer, unless this is set.
        env["PYTHONUNBUFFERED"] = ""
        python = [os.environ.get("STORM_PYTHON", sys.executable), str(HERE / "components.py")]
        command = python if language == "python" else [NODE, str(HERE / "components.js")]
        options.setdefault("framing", framing)
        host = Host([*command, component], folder, env=env, **options)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.end()


@pytest.fixture(params=CHILDREN)
def child(request: pytest.FixtureRequest, launch: Start) -> Start:
    """Starts a component of either language in one framing."""
    return lambda component, **options: launch(request.param, component, **options)


@pytest.fixture(params=[kind for kind in CHILDREN if kind.startswith("python")])
def python(request: pytest.FixtureRequest, launch: Start) -> Start:
    """Starts a Python component in one framing."""
    return lambda component, **options: launch(request.param, component, **options)


@pytest.fixture(params=[kind for kind in CHILDREN if kind.startswith("javascript")])
def javascript(request: pytest.FixtureRequest, launch: Start) -> Start:
    """Starts a JavaScript component in one framing."""
    return lambda component, **options: launch(request.param, component, **options)
