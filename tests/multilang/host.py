"""A host of children that speak the multilang protocol, for tests: scripted, with codecs that are not
the adapters' own (json, msgpack of the registry, marshal of CPython).

Messages are JSON's objects in every framing; see docs/multilang.md.
"""

from __future__ import annotations

import json
import marshal
import os
import select
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import msgpack

HERE = Path(__file__).resolve().parent
ADAPTERS = HERE.parent.parent / "topologies" / "multilang"

# How long anything may take, in seconds.
DEADLINE_S = 30

Message = Any


class Gone(Exception):
    """The child closed its output."""


class Host:
    """One child."""

    def __init__(
        self,
        command: List[str],
        folder: Path,
        framing: str = "json",
        conf: Optional[Dict[str, Any]] = None,
        env: Optional[Dict[str, str]] = None,
        offered: Optional[List[str]] = None,
    ) -> None:
        self.framing = framing
        self.folder = folder
        self.stderr = open(folder / "stderr", "wb")
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            bufsize=0,
            env={**os.environ, **(env or {})},
        )
        assert self.child.stdin and self.child.stdout
        self.input, self.output = self.child.stdin.fileno(), self.child.stdout.fileno()
        os.set_blocking(self.input, False)
        self.unread = b""
        self.read_messages: List[Message] = []
        # Answers to emissions that ask for task ids, as a host gives them; None: gives none.
        self.task_ids: Optional[Callable[[Message], List[int]]] = lambda emit: [7]
        # Reads of the pipe, to see what comes in one batch.
        self.reads = 0
        # The longest frame of the binary framing.
        self.longest = 0
        self.handshake(conf or {}, offered)

    def handshake(self, conf: Dict[str, Any], offered: Optional[List[str]]) -> None:
        setup: Dict[str, Any] = {"conf": conf, "pidDir": str(self.folder), "context": CONTEXT}
        chosen = self.framing
        if chosen == "msgpack-from-the-start":
            chosen = self.framing = "msgpack"
            answer = self._shake(msgpack.packb(setup))
        else:
            if offered is not None or chosen != "json":
                setup["framings"] = [chosen] if offered is None else offered
            self.framing = "json"
            answer = self._shake(to_json(setup))
            assert answer.pop("framing", "json") == chosen, answer
            self.framing = chosen
            # What followed in the same read.
            messages, self.unread = self.decode(self.unread)
            self.read_messages += messages
        self.pid = answer.pop("pid")
        assert not answer
        assert (self.folder / str(self.pid)).exists(), "the child makes its pid file"

    def _shake(self, setup: bytes) -> Dict[str, Any]:
        self.write(setup)
        answer: Dict[str, Any] = self.read()
        return answer

    # Speaking.

    def send(self, *messages: Message) -> None:
        """Sends messages, in one write."""
        self.write(self.encode(list(messages)))

    def encode(self, messages: List[Message]) -> bytes:
        if self.framing == "json":
            return b"".join(to_json(one) for one in messages)
        if self.framing == "msgpack":
            return b"".join(msgpack.packb(one) for one in messages)
        return frame([to_item(one) for one in messages])

    def write(self, data: bytes) -> None:
        """Writes, reading meanwhile, as the child may have to be read before it reads."""
        end = time.monotonic() + DEADLINE_S
        while data:
            readable, writable, _ = select.select([self.output], [self.input], [], DEADLINE_S)
            assert time.monotonic() < end, "the child does not read"
            if readable:
                self._fill()
            if writable:
                data = data[os.write(self.input, data[:65536]) :]

    # Hearing.

    def _fill(self) -> None:
        data = os.read(self.output, 1 << 16)
        if not data:
            raise Gone
        self.reads += 1
        self.unread += data
        messages, self.unread = self.decode(self.unread)
        self.read_messages += messages

    def decode(self, data: bytes) -> Any:
        if self.framing == "json":
            *texts, rest = data.split(b"\nend\n")
            return [json.loads(text) for text in texts], rest
        if self.framing == "msgpack":
            unpacker = msgpack.Unpacker(strict_map_key=False)
            unpacker.feed(data)
            messages, end = [], 0
            for message in unpacker:
                messages.append(message)
                end = unpacker.tell()
            return messages, data[end:]
        messages = []
        while len(data) >= 4:
            end = 4 + struct.unpack_from(">I", data)[0]
            if end > len(data):
                break
            self.longest = max(self.longest, end - 4)
            for item in marshal.loads(data[4:end]):
                messages += from_item(item)
            data = data[end:]
        return messages, data

    def read(self) -> Message:
        """The next message. Emissions that ask for task ids are answered."""
        end = time.monotonic() + DEADLINE_S
        while not self.read_messages:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.output], [], [], left)[0], self.said()
            self._fill()
        message = self.read_messages.pop(0)
        if isinstance(message, dict) and message.get("command") == "emit":
            if message.pop("need_task_ids", True) and not message.get("task"):
                message["asks"] = True
                if self.task_ids is not None:
                    self.send(self.task_ids(message))
        return message

    def read_until(self, *commands: str) -> List[Message]:
        """Messages up to the first one of these commands, with it."""
        messages = [self.read()]
        while messages[-1].get("command") not in commands:
            messages.append(self.read())
        return messages

    def answer(self, *messages: Message) -> List[Message]:
        """Sends tuples, and reads until as many are acked or failed."""
        self.send(*messages)
        answers: List[Message] = []
        left = len(messages)
        while left:
            answers.append(self.read())
            left -= answers[-1].get("command") in ("ack", "fail")
        return answers

    def said(self) -> str:
        """What the child has written to standard error."""
        self.stderr.flush()
        return (self.folder / "stderr").read_text(errors="replace")

    def end(self) -> int:
        """Closes the pipes and gives the child's exit status."""
        assert self.child.stdin and self.child.stdout
        if not self.child.stdin.closed:
            self.child.stdin.close()
        try:
            return self.child.wait(DEADLINE_S)
        finally:
            self.child.kill()
            self.child.stdout.close()
            self.stderr.close()


CONTEXT = {
    "taskid": 4,
    "componentid": "words",
    "task->component": {"3": "lines", "4": "words", "7": "end"},
    "streams": ["default", "odd"],
    "stream->outputfields": {"default": ["word"], "odd": ["word"]},
    "stream->target->grouping": {"default": {"end": {"type": "SHUFFLE"}}},
    "source->stream->grouping": {"lines": {"default": {"type": "SHUFFLE"}}},
    "source->stream->fields": {"lines": {"default": ["line"]}},
}


def to_json(message: Message) -> bytes:
    return json.dumps(message, default=_base64).encode() + b"\nend\n"


def _base64(value: Any) -> str:
    import base64

    return base64.b64encode(value).decode()


def frame(items: List[Any]) -> bytes:
    body = marshal.dumps(items, 2)
    return struct.pack(">I", len(body)) + body


def to_item(message: Message) -> Any:
    """An item of the binary framing, host to child."""
    if isinstance(message, (list, tuple)):
        return message if isinstance(message, tuple) else (1, message)
    command = message.get("command")
    if command is None:
        if message["stream"] == "__heartbeat":
            return (2, message["id"])
        parts = (message[key] for key in ("comp", "stream", "task", "id"))
        return (0, *parts, [message["tuple"]])
    if command in ("ack", "fail"):
        return (4 if command == "ack" else 5, [message["id"]])
    if command == "next":
        return (3, message.get("count", 1))
    return ({"activate": 6, "deactivate": 7}[command],)


def from_item(item: Any) -> Iterator[Message]:
    """What an item of the binary framing says, child to host."""
    kind, *rest = item
    if kind in (0, 1):
        anchors, values = rest[:2]
        message = {"command": "emit", "tuple": list(values), "need_task_ids": False}
        if anchors is not None:
            message["anchors"] = list(anchors) if isinstance(anchors, (list, tuple)) else [anchors]
        if kind == 1:
            names = ("stream", "task", "need_task_ids", "id")
            pairs = zip(names, rest[2:])
            message.update((name, value) for name, value in pairs if value is not None)
        yield message
    elif kind in (2, 3):
        yield {"command": "ack" if kind == 2 else "fail", "id": rest[0]}
    elif kind == 4:
        for id in range(rest[0], rest[0] + rest[1]):
            yield {"command": "ack", "id": id}
    elif kind == 5:
        yield {"command": "log", "msg": rest[0], "level": rest[1]}
    elif kind == 6:
        yield {"command": "error", "msg": rest[0]}
    elif kind == 7:
        yield {"command": "metrics", "name": rest[0], "params": rest[1]}
    elif kind == 8:
        yield {"command": "sync"}
    elif kind == 9:
        for id, values in enumerate(rest[1], rest[0]):
            if values is not None:
                tup = list(values)
                yield {"command": "emit", "anchors": [id], "tuple": tup, "need_task_ids": False}
            yield {"command": "ack", "id": id}
    else:
        raise ValueError("item %r" % (item,))
