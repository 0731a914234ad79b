"""Spouts and bolts in Python: the names of Apache Storm's storm.py, and three framings.

Put this file beside a component, or on PYTHONPATH, and write:

    import storm

    class SplitBolt(storm.BasicBolt):
        def process(self, tup):
            for word in tup.values[0].split():
                storm.emit([word])

    SplitBolt().run()

It needs Python 3.9 and nothing else. With any host of Storm's protocol it speaks JSON; if the host
offers a faster framing it takes it (the package msgpack is used when it is installed). docs/multilang.md
of storm-runtime says what goes over the pipes. What differs from Storm's storm.py:

- What is emitted is serialized at once and sent in batches: when no input is left, after 128 messages,
  and at the latest some milliseconds later, whatever process() does meanwhile.
- emit() does not wait. It gives the task ids as a sequence that asks the host for them when they are
  looked at, or when it is kept beyond the call of process() or nextTuple(). need_task_ids=True waits
  and gives a list; need_task_ids=False never asks and gives none.
- print() and everything else on standard output goes to standard error, and standard input is empty,
  because both pipes belong to the protocol.
- An exception in BasicBolt.process() reports the error with its traceback, fails the tuple and goes
  on. One in Bolt.process(), in a method of a spout or in initialize() reports it and ends the process
  with status 1; the host starts another one, and the tuples of this one fail.
- When the host closes standard input the process ends at once, after handlers of atexit. SIGINT is
  ignored, since a terminal sends it to host and children alike and the host decides.
"""

from __future__ import annotations

import atexit
import base64
import importlib
import json
import marshal
import os
import signal
import struct
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, NoReturn, Optional, Sequence
from typing import Tuple as Pair
from typing import Union, overload

__all__ = [
    "BasicBolt", "Bolt", "Spout", "TaskIds", "Tuple", "ack", "emit", "emitBolt", "emitDirect",
    "emitSpout", "fail", "initComponent", "log", "logDebug", "logError", "logInfo", "logTrace",
    "logWarn", "readCommand", "readMsg", "readTaskIds", "readTuple", "reportError", "rpcMetrics",
    "sendMsgToParent", "sync",
]  # fmt: skip

# Messages after which a batch is sent although input is left.
_BATCH = 128
# Bytes after which a batch is sent although input is left.
_BATCH_BYTES = 256 * 1024
# How often a second thread looks for messages that wait behind a long call, in seconds. A message
# waits for up to twice this time.
_LOOK_S = 0.003
# How often it looks in vain before it sleeps until there is work again.
_LOOKS = 20
# What one read takes at most.
_READ_BYTES = 1 << 18
# How long one `next` of the host goes on calling nextTuple(), in seconds.
_NEXT_S = 0.005
# What one message may have if the configuration does not say it.
_MESSAGE_BYTES = 16 * 1024 * 1024

_SCALARS = frozenset((str, int, float, bytes, bool, type(None)))


class Tuple:
    """What a bolt gets: `values` from task `task` of `component` on `stream`; `id` is the host's."""

    __slots__ = ("id", "component", "stream", "task", "values", "__dict__", "__weakref__")

    def __init__(
        self, id: Any, component: Optional[str], stream: str, task: int, values: List[Any]
    ) -> None:
        self.id = id
        self.component = component
        self.stream = stream
        self.task = task
        self.values = values

    def __repr__(self) -> str:
        names = ("component", "id", "stream", "task", "values")
        return "<Tuple%s>" % "".join(" %s=%r" % (name, getattr(self, name)) for name in names)

    def is_heartbeat_tuple(self) -> bool:
        """Whether the host asks for a sign of life. run() answers it; process() never sees it."""
        return self.task == -1 and self.stream == "__heartbeat"

    def is_tick_tuple(self) -> bool:
        """Whether this comes from topology.tick.tuple.freq.secs and not from a component."""
        return self.component == "__system" and self.stream == "__tick"

    isHeartbeatTuple = is_heartbeat_tuple
    isTickTuple = is_tick_tuple
    is_heartbeat = is_heartbeat_tuple
    is_tick = is_tick_tuple


class TaskIds(Sequence[int]):
    """The tasks that got an emission, in the place of a list: waits for them when it is looked at."""

    __slots__ = ("_ids", "_asked", "__weakref__")

    def __init__(self) -> None:
        self._ids: Optional[List[int]] = None
        self._asked = False

    def get(self) -> List[int]:
        """The ids, waited for if they are not there yet."""
        if self._ids is None:
            return _ready().wait_for(self)
        return self._ids

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> List[int]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[int, List[int]]:
        return self.get()[index]

    def __len__(self) -> int:
        return len(self.get())

    def __iter__(self) -> Iterator[int]:
        return iter(self.get())

    def __contains__(self, value: object) -> bool:
        return value in self.get()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TaskIds):
            return self.get() == other.get()
        return self.get() == other

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Iterable[int]) -> List[int]:
        return self.get() + list(other)

    def __radd__(self, other: Iterable[int]) -> List[int]:
        return list(other) + self.get()

    def __repr__(self) -> str:
        return repr(self.get())


# Values of any kind: what the encoders do not know is made one that they know.


def _plain(value: Any, text_bytes: bool, depth: int = 0) -> Any:
    """The value made of str, int, float, bool, None, list and dict, and bytes where they may be."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        # JSON has no such numbers; json-simple, which Storm uses, writes null.
        return None if text_bytes and not -1.8e308 < value < 1.8e308 else value
    if depth > 100:
        raise ValueError("a value has lists or maps in more than 100 levels: it cannot be emitted")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii") if text_bytes else bytes(value)
    if isinstance(value, TaskIds):
        return value.get()
    if isinstance(value, dict):
        pairs = value.items()
        return {
            (_key(k) if text_bytes else _plain(k, False, depth + 1)): _plain(v, text_bytes, depth + 1)
            for k, v in pairs
        }
    if isinstance(value, (list, tuple)):
        return [_plain(one, text_bytes, depth + 1) for one in value]
    # Kinds that are derived from these: enumerations and the like.
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return _plain(base(value), text_bytes, depth)
    # Scalars of numpy, without knowing numpy.
    item = getattr(value, "item", None)
    if callable(item) and not hasattr(value, "__len__"):
        return _plain(item(), text_bytes, depth + 1)
    raise TypeError(
        "a %s cannot be emitted: make it text, a number, bytes, a list or a dict" % kind.__name__
    )


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, (bool, int, float)):
        return json.dumps(key)
    raise TypeError("a %s cannot be a key of a map in JSON: make it text" % type(key).__name__)


def _values(tup: Any) -> List[Any]:
    """What is to be emitted, as a list."""
    if isinstance(tup, (str, bytes, dict)) or not hasattr(tup, "__iter__"):
        raise TypeError("emit takes a list of values, not a %s" % type(tup).__name__)
    return list(tup)


# Framings. Each makes bytes of messages, and items of bytes. An item is a tuple that begins with its
# kind, as docs/multilang.md has them for the binary framing, but for
#   (0, component, stream, task, ids, [values, ...]), where ids are those of the tuples.

_TUPLES, _TASK_IDS, _HEARTBEAT, _NEXT, _ACKED, _FAILED, _ACTIVATE, _DEACTIVATE = range(8)
_Item = Pair[Any, ...]
# Bytes, or text in JSON.
_Part = Any


class _Framing:
    """How messages look on the pipes."""

    name = ""
    # Whether the host answers acks and fails of a spout's messages, and so must the spout.
    syncs_acks = True

    def push(self, data: bytes) -> List[_Item]:
        """Takes what was read; gives the items that are complete."""
        raise NotImplementedError

    def row(self, tup: Any) -> _Part:
        """The values of one emission."""
        raise NotImplementedError

    def anchor(self, id: Any) -> _Part:
        """The id of a tuple."""
        raise NotImplementedError

    def emit(
        self, row: _Part, anchors: Any, stream: Any, task: Any, need: bool, id: Any
    ) -> _Part:
        """An emission; `anchors` are ids or None."""
        raise NotImplementedError

    def anchored(self, anchor: _Part, row: _Part) -> _Part:
        """An emission to the default stream, anchored to one tuple, that needs no task ids."""
        raise NotImplementedError

    def ack(self, anchor: _Part) -> _Part:
        """The ack of a tuple."""
        raise NotImplementedError

    def answer(self, id: Any, row: Optional[_Part]) -> _Part:
        """What answers() takes: one emission to the default stream, or none, and the ack."""
        raise NotImplementedError

    def answers(self, first: Any, answers: List[_Part]) -> List[_Part]:
        """Messages of the answers to tuples whose ids count up from `first`."""
        return answers

    def message(self, command: str, **fields: Any) -> _Part:
        """Any other message."""
        raise NotImplementedError

    def frame(self, parts: List[_Part]) -> bytes:
        """What is written for these messages."""
        return b"".join(parts)


class _Documents(_Framing):
    """What JSON and MessagePack have in common: messages are objects with the same keys."""

    def items(self, messages: Iterable[Any]) -> List[_Item]:
        """Tuples of one source that follow one another become one item."""
        items: List[_Item] = []
        source: Any = None
        ids: List[Any] = []
        rows: List[Any] = []
        for message in messages:
            if type(message) is list:
                items.append((_TASK_IDS, message))
                source = None
            elif "command" in message:
                items.append(self._command(message))
            else:
                of = message["comp"], message["stream"], message["task"]
                if of == source:
                    ids.append(message["id"])
                    rows.append(message["tuple"])
                elif of[2] == -1 and of[1] == "__heartbeat":
                    items.append((_HEARTBEAT, message["id"]))
                    source = None
                else:
                    source, ids, rows = of, [message["id"]], [message["tuple"]]
                    items.append((_TUPLES, *of, ids, rows))
        return items

    @staticmethod
    def _command(message: Dict[str, Any]) -> _Item:
        command = message["command"]
        if command == "next":
            return (_NEXT, 1)
        if command == "ack":
            return (_ACKED, (message["id"],))
        if command == "fail":
            return (_FAILED, (message["id"],))
        if command == "activate":
            return (_ACTIVATE,)
        if command == "deactivate":
            return (_DEACTIVATE,)
        raise ValueError("the host sent the command %r, which is not one of a spout" % (command,))


_escape = json.encoder.encode_basestring_ascii


def _json_encoder() -> Callable[[Any], str]:
    encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
    # encode() makes one of these for each call, which takes longer than the rest.
    make = getattr(json.encoder, "c_make_encoder", None)
    try:
        encode = make(None, encoder.default, _escape, None, ":", ",", False, False, False)  # type: ignore[misc]
        if "".join(encode(["\u00e9", 1.5, None, True, {"a": []}], 0)) == '["\\u00e9",1.5,null,true,{"a":[]}]':
            join = "".join
            return lambda value: join(encode(value, 0))
    except TypeError:
        pass
    return encoder.encode


class _Json(_Documents):
    name = "json"
    _END = b"\nend\n"

    def __init__(self) -> None:
        self._rest = bytearray()
        self._encode = _json_encoder()

    def push(self, data: bytes) -> List[_Item]:
        return self.items(self.documents(data))

    def documents(self, data: bytes) -> List[Any]:
        """What ends in this input, not yet made items."""
        end = self._END
        rest = self._rest
        if rest:
            before = len(rest)
            rest += data
            stop = rest.rfind(end, max(0, before - 4))
            if stop < 0:
                return []
            text = rest[:stop].decode("utf-8", "surrogatepass")
            del rest[: stop + 5]
        else:
            stop = data.rfind(end)
            if stop < 0:
                rest += data
                return []
            text = data[:stop].decode("utf-8", "surrogatepass")
            if stop + 5 < len(data):
                rest += data[stop + 5 :]
        # All messages in one call: a raw newline cannot stand within a text of JSON.
        try:
            messages: List[Any] = json.loads("[%s]" % text.replace("\nend\n", ","))
            return messages
        except ValueError:
            return [self._document(one) for one in text.split("\nend\n")]

    @staticmethod
    def _document(text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise ValueError("the host sent no JSON: %s: %.200r" % (error, text)) from None

    def row(self, tup: Any) -> str:
        values = tup if type(tup) is list else _values(tup)
        try:
            return self._encode(values)
        except (TypeError, ValueError, RecursionError):
            pass
        return self._encode(_plain(values, True))

    def anchor(self, id: Any) -> str:
        return _escape(id) if type(id) is str else self._any(id)

    def _any(self, value: Any) -> str:
        return self._encode(_plain(value, True))

    def emit(
        self, row: _Part, anchors: Any, stream: Any, task: Any, need: bool, id: Any
    ) -> str:
        parts = ['{"command":"emit","tuple":', row]
        if anchors is not None:
            parts += [',"anchors":', self._any(list(anchors))]
        if stream is not None:
            parts += [',"stream":', self._any(stream)]
        if task is not None:
            parts += [',"task":', self._any(task)]
        if id is not None:
            parts += [',"id":', self._any(id)]
        parts.append("}\nend\n" if need else ',"need_task_ids":false}\nend\n')
        return "".join(parts)

    def anchored(self, anchor: _Part, row: _Part) -> str:
        return (
            f'{{"command":"emit","anchors":[{anchor}],"need_task_ids":false,"tuple":{row}}}\nend\n'
        )

    def ack(self, anchor: _Part) -> str:
        return f'{{"command":"ack","id":{anchor}}}\nend\n'

    def answer(self, id: Any, row: Optional[_Part]) -> str:
        anchor = _escape(id) if type(id) is str else self._any(id)
        if row is None:
            return f'{{"command":"ack","id":{anchor}}}\nend\n'
        return (
            f'{{"command":"emit","anchors":[{anchor}],"need_task_ids":false,"tuple":{row}}}\nend\n'
            f'{{"command":"ack","id":{anchor}}}\nend\n'
        )

    def message(self, command: str, **fields: Any) -> str:
        return self.document({"command": command, **fields})

    def document(self, message: Any) -> str:
        """Any object."""
        return self._any(message) + "\nend\n"

    def frame(self, parts: List[_Part]) -> bytes:
        return "".join(parts).encode("ascii")


class _MessagePack(_Documents):
    name = "msgpack"
    # How a tuple begins whose first key is its id.
    _HEAD = b"\x85\xa2id"
    _ANCHORED = b"\x84\xa7command\xa4emit\xa7anchors\x91%b\xadneed_task_ids\xc2\xa5tuple%b"

    def __init__(self, limit: int) -> None:
        try:
            library: Any = importlib.import_module("msgpack")
        except ImportError:
            self._rest = b""
            # What stands between id and values in tuples of the source that was seen last.
            self._middle = b""
            self._of: Pair[Any, Any, Any] = (None, None, None)
            self._pack: Callable[[Any], bytes] = _msgpack_encode
            self._unpacker: Any = None
        else:
            options = {"raw": False, "unicode_errors": "surrogatepass"}
            self._unpacker = library.Unpacker(
                strict_map_key=False, max_buffer_size=max(limit, _READ_BYTES) * 2, **options
            )
            # Without surrogatepass here: what is no UTF-8 is no text for the host.
            self._pack = library.Packer(autoreset=True).pack

    def push(self, data: bytes) -> List[_Item]:
        if self._unpacker is not None:
            return self.items(self.documents(data))
        data = self._rest + data if self._rest else data
        items: List[_Item] = []
        at, size = 0, len(data)
        try:
            while at < size:
                if self._is_tuple(data, at):
                    ids: List[Any] = []
                    rows: List[Any] = []
                    items.append((_TUPLES, *self._of, ids, rows))
                    at = self._run(data, at, ids, rows)
                else:
                    message, at = _msgpack_decode(data, at)
                    items += self.items((message,))
        except (IndexError, struct.error):
            # The rest has not come yet.
            pass
        self._rest = data[at:]
        return items

    def _run(self, data: bytes, at: int, ids: List[Any], rows: List[Any]) -> int:
        """Tuples of the source that was seen last, up to what is none or is not all there."""
        middle, head = self._middle, self._HEAD
        while data.startswith(head, at):
            try:
                end = at + data[at + 4] - 0x9B
                if at + 4 < end <= at + 36:
                    # A short text, as ids are.
                    id: Any = data[at + 5 : end].decode()
                else:
                    id, end = _msgpack_decode(data, at + 4)
                if not data.startswith(middle, end):
                    break
                row, end = _msgpack_values(data, end + len(middle))
            except (IndexError, struct.error):
                break
            ids.append(id)
            rows.append(row)
            at = end
        return at

    def _is_tuple(self, data: bytes, at: int) -> bool:
        """Whether a tuple begins here whose id stands first and whose values stand last.

        An IndexError says that it is not all there.
        """
        if not data.startswith(self._HEAD, at):
            return False
        _, begin = _msgpack_decode(data, at + 4)
        if not (self._middle and data.startswith(self._middle, begin)):
            fields: Dict[Any, Any] = {}
            end = begin
            for _ in range(3):
                key, end = _msgpack_decode(data, end)
                fields[key], end = _msgpack_decode(data, end)
            if fields.keys() != {"comp", "stream", "task"} or fields["stream"] == "__heartbeat":
                return False
            key, values = _msgpack_decode(data, end)
            if key != "tuple":
                return False
            self._middle = data[begin:values]
            self._of = fields["comp"], fields["stream"], fields["task"]
        # Also that it is all there, so that a run has at least one.
        _msgpack_values(data, begin + len(self._middle))
        return True

    def documents(self, data: bytes) -> List[Any]:
        """What ends in this input, not yet made items."""
        if self._unpacker is not None:
            self._unpacker.feed(data)
            return list(self._unpacker)
        data = self._rest + data if self._rest else data
        messages = []
        at, size = 0, len(data)
        while at < size:
            try:
                message, at = _msgpack_decode(data, at)
            except (IndexError, struct.error):
                break
            messages.append(message)
        self._rest = data[at:]
        return messages

    def row(self, tup: Any) -> bytes:
        values = tup if type(tup) is list else _values(tup)
        try:
            return self._pack(values)
        except (TypeError, ValueError, OverflowError, RecursionError):
            pass
        return self._pack(_plain(values, False))

    def anchor(self, id: Any) -> bytes:
        return self._pack(id)

    def emit(
        self, row: bytes, anchors: Any, stream: Any, task: Any, need: bool, id: Any
    ) -> bytes:
        parts = [b"", b"\xa7command\xa4emit\xa5tuple", row]
        fields = {"stream": stream, "task": task, "id": id}
        if anchors is not None:
            fields["anchors"] = list(anchors)
        if not need:
            fields["need_task_ids"] = False
        for name, value in fields.items():
            if value is not None:
                parts += [self._pack(name), self._pack(_plain(value, False))]
        parts[0] = bytes((0x80 + len(parts) // 2 + 1,))
        return b"".join(parts)

    def anchored(self, anchor: bytes, row: bytes) -> bytes:
        return self._ANCHORED % (anchor, row)

    def ack(self, anchor: bytes) -> bytes:
        return b"\x82\xa7command\xa3ack\xa2id" + anchor

    def answer(self, id: Any, row: Optional[_Part]) -> bytes:
        data = id.encode() if type(id) is str else b""
        anchor = _MSGPACK_TEXT[len(data)] + data if 0 < len(data) < 32 else self._pack(id)
        ack = b"\x82\xa7command\xa3ack\xa2id" + anchor
        if row is None:
            return ack
        begin = b"\x84\xa7command\xa4emit\xa7anchors\x91" + anchor
        said: bytes = begin + b"\xadneed_task_ids\xc2\xa5tuple" + row + ack
        return said

    def message(self, command: str, **fields: Any) -> bytes:
        return self.document({"command": command, **fields})

    def document(self, message: Any) -> bytes:
        """Any object."""
        return self._pack(_plain(message, False))


_U32 = struct.Struct("<I")
_U32_BIG = struct.Struct(">I")


def _msgpack_encode(value: Any) -> bytes:
    out: List[bytes] = []
    if type(value) is not list or len(value) > 15:
        _msgpack_append(out.append, value)
        return b"".join(out)
    # A row, as a rule of short texts and small integers.
    out.append(_MSGPACK_ROW[len(value)])
    for one in value:
        if type(one) is str:
            data = one.encode("utf-8")
            if len(data) < 32:
                out.append(_MSGPACK_TEXT[len(data)] + data)
                continue
        elif type(one) is int and -0x8000_0000 <= one < 0x8000_0000:
            out.append(_MSGPACK_SMALL[one] if -32 <= one < 128 else _MSGPACK_I32(0xD2, one))
            continue
        _msgpack_append(out.append, one)
    return b"".join(out)


def _msgpack_append(put: Callable[[bytes], None], value: Any) -> None:
    kind = type(value)
    if kind is str:
        data = value.encode("utf-8")
        size = len(data)
        if size < 32:
            put(_MSGPACK_TEXT[size] + data)
        elif size < 256:
            put(b"\xd9%c%b" % (size, data))
        elif size < 65536:
            put(b"\xda" + struct.pack(">H", size) + data)
        else:
            put(b"\xdb" + struct.pack(">I", size) + data)
    elif kind is int:
        if -32 <= value < 128:
            put(_MSGPACK_SMALL[value])
        elif -0x8000_0000 <= value < 0x8000_0000:
            put(_MSGPACK_I32(0xD2, value))
        elif -(1 << 63) <= value < 1 << 63:
            put(b"\xd3" + value.to_bytes(8, "big", signed=True))
        elif 0 <= value < 1 << 64:
            put(b"\xcf" + value.to_bytes(8, "big"))
        else:
            raise OverflowError("%d is no integer of 64 bits: make it a float or text" % value)
    elif kind is list:
        size = len(value)
        put(b"%c" % (0x90 + size) if size < 16 else b"\xdd" + struct.pack(">I", size))
        for one in value:
            _msgpack_append(put, one)
    elif value is None:
        put(b"\xc0")
    elif kind is bool:
        put(b"\xc3" if value else b"\xc2")
    elif kind is float:
        put(b"\xcb" + struct.pack(">d", value))
    elif kind is dict:
        size = len(value)
        put(b"%c" % (0x80 + size) if size < 16 else b"\xdf" + struct.pack(">I", size))
        for key, one in value.items():
            _msgpack_append(put, key)
            _msgpack_append(put, one)
    elif kind is bytes:
        put(b"\xc6" + struct.pack(">I", len(value)) + value)
    else:
        raise TypeError("MessagePack has no %s" % kind.__name__)


_MSGPACK_I32: Callable[[int, int], bytes] = struct.Struct(">Bi").pack
_MSGPACK_ROW = [bytes((0x90 + size,)) for size in range(16)]
_MSGPACK_TEXT = [bytes((0xA0 + size,)) for size in range(32)]
# Also by negative index: the last 32 are those of -32 to -1.
_MSGPACK_SMALL = [bytes((byte,)) for byte in [*range(128), *range(0xE0, 0x100)]]
# By first byte: how the number after it is read, and its size.
_MSGPACK_NUMBERS = {
    byte: (struct.Struct(form).unpack_from, struct.calcsize(form))
    for byte, form in zip(
        range(0xCA, 0xD4), (">f", ">d", ">B", ">H", ">I", ">Q", ">b", ">h", ">i", ">q")
    )
}
# By first byte: the size of the length after it.
_MSGPACK_LENGTHS = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip
_MSGPACK_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def _msgpack_decode(data: bytes, at: int) -> Pair[Any, int]:
    """One value and where it ends. An IndexError or struct.error says that it is not all there."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    if byte >= 0xE0:
        return byte - 0x100, at
    if 0xA0 <= byte < 0xC0:
        return _msgpack_text(data, at, byte & 0x1F)
    if byte < 0x90:
        return _msgpack_map(data, at, byte & 0x0F)
    if byte < 0xA0:
        return _msgpack_list(data, at, byte & 0x0F)
    if byte in _MSGPACK_NUMBERS:
        return _msgpack_number(data, at, byte)
    if byte in _MSGPACK_CONSTANTS:
        return _MSGPACK_CONSTANTS[byte], at
    if byte not in _MSGPACK_LENGTHS:
        raise ValueError("the host sent MessagePack's byte 0x%02x, which has no meaning here" % byte)
    width = _MSGPACK_LENGTHS[byte]
    if at + width > len(data):
        raise IndexError
    size = int.from_bytes(data[at : at + width], "big")
    at += width
    if byte <= 0xC6:
        if at + size > len(data):
            raise IndexError
        return data[at : at + size], at + size
    if byte <= 0xDB:
        return _msgpack_text(data, at, size)
    return _msgpack_list(data, at, size) if byte <= 0xDD else _msgpack_map(data, at, size)


def _msgpack_number(data: bytes, at: int, byte: int) -> Pair[Any, int]:
    unpack, size = _MSGPACK_NUMBERS[byte]
    return unpack(data, at)[0], at + size


def _msgpack_text(data: bytes, at: int, size: int) -> Pair[str, int]:
    end = at + size
    if end > len(data):
        raise IndexError
    return data[at:end].decode("utf-8", "surrogatepass"), end


def _msgpack_values(data: bytes, at: int) -> Pair[Any, int]:
    """What _msgpack_decode() gives, faster for a short list of short texts and small integers."""
    size = data[at] - 0x90
    if not 0 <= size < 16:
        return _msgpack_decode(data, at)
    at += 1
    values: List[Any] = []
    for _ in range(size):
        byte = data[at]
        if 0xA0 <= byte < 0xC0:
            end = at + byte - 0x9F
            values.append(data[at + 1 : end].decode("utf-8", "surrogatepass"))
            at = end
        elif byte < 0x80:
            values.append(byte)
            at += 1
        elif 0xCC <= byte < 0xD4:
            value, at = _msgpack_number(data, at + 1, byte)
            values.append(value)
        else:
            value, at = _msgpack_decode(data, at)
            values.append(value)
    if at > len(data):
        raise IndexError
    return values, at


def _msgpack_list(data: bytes, at: int, size: int) -> Pair[List[Any], int]:
    values = []
    for _ in range(size):
        value, at = _msgpack_decode(data, at)
        values.append(value)
    return values, at


def _msgpack_map(data: bytes, at: int, size: int) -> Pair[Dict[Any, Any], int]:
    pairs = {}
    for _ in range(size):
        key, at = _msgpack_decode(data, at)
        pairs[key], at = _msgpack_decode(data, at)
    return pairs, at


def _marshal_tuple(*fields: bytes) -> bytes:
    return b"(" + _U32.pack(len(fields)) + b"".join(fields)


class _Binary(_Framing):
    name = "binary"
    syncs_acks = False
    # How the items begin that are made again and again.
    _EMIT = b"(\x03\0\0\0i\0\0\0\0"
    _ACKS = b"(\x03\0\0\0i\x09\0\0\0"
    _SYNC = b"(\x01\0\0\0i\x08\0\0\0"
    _KINDS = {"ack": 2, "fail": 3, "log": 5, "error": 6, "metrics": 7, "sync": 8}

    def __init__(self, limit: int) -> None:
        self._rest = bytearray()
        self._limit = limit

    def push(self, data: bytes) -> List[_Item]:
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < 4 or len(rest) - 4 < _U32_BIG.unpack_from(rest)[0]:
                return []
            data = bytes(rest)
            rest.clear()
        at, size = 0, len(data)
        items: List[_Item] = []
        while size - at >= 4:
            end = at + 4 + _U32_BIG.unpack_from(data, at)[0]
            if end > size:
                break
            frame = marshal.loads(data[at + 4 : end])
            items = items + frame if items else frame
            at = end
        if at < size:
            rest += data[at:]
        return items

    def row(self, tup: Any) -> bytes:
        if type(tup) is list and _SCALARS.issuperset(map(type, tup)):
            return marshal.dumps(tup, 2)
        return marshal.dumps(_plain(_values(tup), False), 2)

    def anchor(self, id: Any) -> bytes:
        return marshal.dumps(id, 2)

    def emit(
        self, row: bytes, anchors: Any, stream: Any, task: Any, need: bool, id: Any
    ) -> bytes:
        if not anchors:
            anchored = b"N"
        else:
            anchored = marshal.dumps(anchors[0] if len(anchors) == 1 else tuple(anchors), 2)
        if stream is None and task is None and not need and id is None:
            return self._EMIT + anchored + row
        rest = [marshal.dumps(one, 2) for one in (stream, task, need, _plain(id, False))]
        return _marshal_tuple(b"i\x01\0\0\0", anchored, row, *rest)

    def anchored(self, anchor: bytes, row: bytes) -> bytes:
        return self._EMIT + anchor + row

    def ack(self, anchor: bytes) -> bytes:
        return b"(\x02\0\0\0i\x02\0\0\0" + anchor

    def answer(self, id: Any, row: Optional[_Part]) -> bytes:
        return b"N" if row is None else row

    def answers(self, first: Any, answers: List[_Part]) -> List[_Part]:
        count = len(answers)
        if answers.count(b"N") == count:
            return [marshal.dumps((4, first, count), 2)]
        if count > 1 and sum(map(len, answers)) > _BATCH_BYTES:
            # A frame has a limit, and rows are as long as they are.
            half = count // 2
            return self.answers(first, answers[:half]) + self.answers(first + half, answers[half:])
        begin = self._ACKS + marshal.dumps(first, 2) + b"[" + _U32.pack(count)
        return [begin + b"".join(answers)]

    def message(self, command: str, **fields: Any) -> bytes:
        if command == "sync":
            return self._SYNC
        if command not in self._KINDS:
            raise ValueError("there is no command %r in the binary framing" % command)
        values = (self._KINDS[command], *(_plain(one, False) for one in fields.values()))
        return marshal.dumps(values, 2)

    def frame(self, parts: List[bytes]) -> bytes:
        size = 5 + sum(map(len, parts))
        return b"".join([_U32_BIG.pack(size), b"[", _U32.pack(len(parts)), *parts])


# The process and its host.


def _no_count(_value: object) -> int:
    """Where references are not counted, everything may be held."""
    return -1


_references: Callable[[object], int] = getattr(sys, "getrefcount", _no_count)


class _Holder:
    """What is held by one attribute only, to learn how that is counted."""

    def __init__(self) -> None:
        self.ids = TaskIds()

    def count(self) -> int:
        return _references(self.ids)


_UNHELD = max(0, _Holder().count())


class _Emission:
    """One that waits to be sent; only then is it clear whether anybody may look at its task ids."""

    __slots__ = ("row", "anchors", "stream", "task", "id", "ids")

    def __init__(
        self, row: _Part, anchors: Any, stream: Any, task: Any, id: Any, ids: Optional[TaskIds]
    ) -> None:
        self.row = row
        self.anchors = anchors
        self.stream = stream
        self.task = task
        self.id = id
        self.ids = ids


class _Host:
    """The two pipes, what waits to be sent, and what was read and not handled yet.

    Messages wait in `parts`. Behind them the answers of a basic bolt wait in `rows`; in the binary
    framing the ids of their tuples count up from `first`, and the next one is that of the tuple in work.
    What a basic bolt emits while it processes a tuple waits in `call` until the call is over.

    The main thread alone appends to `rows` and `call`, without the lock. Everything else is done under
    the lock, by whichever thread: the main one, one that looks after messages which wait behind a long
    call, and threads of the author's.
    """

    def __init__(self, mode: str, read_fd: int, write_fd: int) -> None:
        self.mode = mode
        self.framing: _Framing = _Json()
        self.limit = _MESSAGE_BYTES
        # What an emission may have, so that the message fits.
        self.most = self.limit - 64
        self.lock = threading.RLock()
        self.parts: List[_Part] = []
        self.rows: List[_Part] = []
        self.first = 0
        self.call: List[_Part] = []
        # The task ids of the last emission of `call`, and those of earlier ones that are held, by place.
        self.spare = TaskIds()
        self.kept: Dict[int, TaskIds] = {}
        # The tuple that a basic bolt processes.
        self.tuple: Optional[Tuple] = None
        self.items: Deque[_Item] = deque()
        # Emissions that asked for their task ids, and ids that nobody asked for by emit().
        self.asked: Deque[TaskIds] = deque()
        self.answers: Deque[List[int]] = deque(maxlen=1024)
        # Counts emissions of a spout.
        self.emitted = 0
        # Batches begun; whether one is in work; set while the second thread is awake.
        self.cycle = 0
        self.busy = False
        self.awake = threading.Event()
        self.reader = threading.get_ident()
        self.read_fd = read_fd
        self.write_fd = write_fd

    # Beginning.

    def connect(self) -> Dict[str, Any]:
        """The handshake; gives what the host said first."""
        data = os.read(self.read_fd, _READ_BYTES)
        if data[:1] > b"\x7f":
            self.framing = _MessagePack(self.limit)
        framing = self.framing
        assert isinstance(framing, (_Json, _MessagePack))
        documents: List[Any] = []
        while data:
            documents = framing.documents(data)
            if documents:
                break
            data = os.read(self.read_fd, _READ_BYTES)
        else:
            _end(0)
        setup: Dict[str, Any] = documents[0]
        self._sort(framing.items(documents[1:]))
        limit = (setup.get("conf") or {}).get("topology.multilang.message.max.bytes")
        self.limit = int(limit or _MESSAGE_BYTES)
        self.most = self.limit - 64
        pid = os.getpid()
        folder = setup.get("pidDir")
        if folder:
            open(os.path.join(folder, str(pid)), "w").close()
        answer: Dict[str, Any] = {"pid": pid}
        chosen: _Framing = framing
        for name in setup.get("framings") or ():
            if name == "binary":
                chosen = _Binary(self.limit)
            elif name == "msgpack":
                chosen = _MessagePack(self.limit)
            else:
                continue
            answer["framing"] = name
            break
        self._write([framing.document(answer)])
        self.framing = chosen
        threading.Thread(target=self._look_after, name="storm", daemon=True).start()
        return setup

    # Reading.

    def batch(self) -> Deque[_Item]:
        """Items in the order in which they came, at least one; waits for it. The caller takes them."""
        self.busy = False
        self.flush()
        while not self.items:
            self._receive()
        # A heartbeat takes no time and wakes nobody: idle components cost next to nothing.
        if len(self.items) > 1 or self.items[0][0] != _HEARTBEAT:
            self.cycle += 1
            self.busy = True
            if not self.awake.is_set():
                self.awake.set()
        return self.items

    def _receive(self) -> None:
        data = os.read(self.read_fd, _READ_BYTES)
        if not data:
            _end(0)
        self._sort(self.framing.push(data))

    def _sort(self, items: List[_Item]) -> None:
        for item in items:
            if item[0] != _TASK_IDS:
                self.items.append(item)
            elif self.asked:
                self.asked.popleft()._ids = item[1]
            else:
                self.answers.append(item[1])

    def wait_for(self, ids: TaskIds) -> List[int]:
        """The task ids of an emission."""
        with self.lock:
            if ids is self.spare:
                self.renew()
            self.flush()
        while ids._ids is None:
            if threading.get_ident() == self.reader:
                self._receive()
            else:
                time.sleep(_LOOK_S)
        return ids._ids

    # Writing.

    def flush(self) -> None:
        """Sends what waits."""
        with self.lock:
            if self.call:
                self._close_call()
            if self.rows:
                self._close_rows()
            if self.parts:
                parts, self.parts = self.parts, []
                self._write([self._rendered(one) for one in parts])

    def _rendered(self, part: _Part) -> _Part:
        if not isinstance(part, _Emission):
            return part
        need = part.ids is not None and (part.ids._asked or _references(part.ids) != _UNHELD)
        if need and part.ids is not None:
            self.asked.append(part.ids)
        return self.framing.emit(part.row, part.anchors, part.stream, part.task, need, part.id)

    def _write(self, parts: List[_Part]) -> None:
        frame = self.framing.frame(parts)
        if len(frame) > self.limit and len(parts) > 1:
            half = len(parts) // 2
            self._write(parts[:half])
            self._write(parts[half:])
            return
        try:
            sent = os.write(self.write_fd, frame)
            if sent < len(frame):
                view = memoryview(frame)
                while sent < len(frame):
                    sent += os.write(self.write_fd, view[sent:])
        except OSError:
            # The host is gone.
            _end(0)

    def _close_rows(self) -> None:
        """Makes messages of `rows`."""
        count = len(self.rows)
        rows = self.rows[:count]
        del self.rows[:count]
        self.parts += self.framing.answers(self.first, rows)
        self.first += count

    def _close_call(self) -> None:
        """Makes messages of what a basic bolt has emitted so far for the tuple in work."""
        if self.rows:
            self._close_rows()
        if _references(self.spare) != _UNHELD:
            self.renew()
        count = len(self.call)
        rows = self.call[:count]
        del self.call[:count]
        framing, tup = self.framing, self.tuple
        assert tup is not None
        anchor = framing.anchor(tup.id)
        if not self.kept:
            self.parts += [framing.anchored(anchor, row) for row in rows]
            return
        kept, self.kept = self.kept, {}
        for at, row in enumerate(rows):
            ids = kept.pop(at, None)
            self.parts.append(_Emission(row, (tup.id,), None, None, None, ids))

    def renew(self) -> None:
        """Other task ids for the next emission, since somebody holds those of the last one."""
        if self.call:
            self.kept[len(self.call) - 1] = self.spare
        self.spare = TaskIds()

    def put(self, part: _Part) -> None:
        """A message, in its place behind what was said before."""
        size = len(part.row if isinstance(part, _Emission) else part)
        if size > self.most:
            raise _too_long(size, self.limit)
        with self.lock:
            if self.call:
                self._close_call()
            if self.rows:
                self._close_rows()
            if len(self.parts) >= _BATCH:
                self.flush()
            self.parts.append(part)
            # Nobody would send it later while the main thread waits for input.
            if not self.busy:
                self.flush()

    def say(self, command: str, **fields: Any) -> None:
        """A message other than an emission."""
        self.put(self.framing.message(command, **fields))

    def cut(self, text: Any) -> str:
        """Text for people, short enough for a message whatever its characters become."""
        return str(text)[-(self.limit // 8) :]

    def emit(
        self, tup: Any, anchors: Any, stream: Any, task: Any, need: Optional[bool], id: Any
    ) -> Optional[Union[TaskIds, List[int]]]:
        """An emission that says itself what it is anchored to."""
        row = self.framing.row(tup)
        self.emitted += 1
        ids = None if need is False or task is not None else TaskIds()
        if ids is not None and need:
            ids._asked = True
        self.put(_Emission(row, anchors, stream, task, id, ids))
        return self.wait_for(ids) if ids is not None and need else ids

    def _look_after(self) -> None:
        """Sends what waits behind a call that takes long."""
        seen, looks = 0, 0
        while True:
            if looks >= _LOOKS:
                self.awake.clear()
                if self.cycle == seen:
                    self.awake.wait()
                self.awake.set()
                looks = 0
            time.sleep(_LOOK_S)
            if self.cycle != seen:
                seen, looks = self.cycle, 0
            elif self.busy:
                self.flush()
                looks = 0
            else:
                looks += 1


def _too_long(size: int, limit: int) -> ValueError:
    return ValueError(
        "a message of %d bytes is longer than topology.multilang.message.max.bytes, %d: emit less at"
        " once, or set that higher" % (size, limit)
    )


def _end(status: int) -> NoReturn:
    """Ends the process, whatever its threads do."""
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


_host: Optional[_Host] = None
# The host's `call` while a basic bolt processes tuples, and how its rows are made.
_call: Optional[List[_Part]] = None
_row: Callable[[Any], _Part] = _values


def _ready() -> _Host:
    if _host is None:
        raise RuntimeError("there is no host yet: call run() of a spout or bolt first")
    return _host


def _connect(mode: str) -> Dict[str, Any]:
    """Takes the two pipes from the program, and shakes hands."""
    global _host, _row
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    host = _Host(mode, read_fd, write_fd)
    setup = host.connect()
    _row = host.framing.row
    _host = host
    return setup


# What components call. The names are those of Storm's storm.py.


def emit(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    anchors: Any = None,
    directTask: Optional[int] = None,
    *,
    id: Any = None,
    need_task_ids: Optional[bool] = None,
) -> Any:
    """Emits values, from a spout with the message id `id`, from a bolt anchored to `anchors`.

    A BasicBolt anchors to the tuple that it processes, whatever `anchors` says. Gives the task ids:
    see the head of this file for when the host is asked for them.
    """
    host = _host
    if host is None:
        raise RuntimeError("there is no host yet: call run() of a spout or bolt first")
    if _call is not None and stream is None and directTask is None and need_task_ids is None:
        row = _row(tup)
        if len(row) > host.most:
            raise _too_long(len(row), host.limit)
        if not _call:
            # Nobody touches an empty call, and these ids are held before the row is there.
            ids = host.spare
            _call.append(row)
            return ids
        with host.lock:
            if len(_call) >= _BATCH:
                host.flush()
            if _references(host.spare) != _UNHELD:
                host.renew()
            ids = host.spare
            _call.append(row)
            return ids
    if host.mode == "spout":
        return emitSpout(tup, stream, anchors if id is None else id, directTask, need_task_ids)
    return emitBolt(tup, stream, anchors, directTask, need_task_ids)


def emitDirect(
    task: int,
    tup: Sequence[Any],
    stream: Optional[str] = None,
    anchors: Any = None,
    *,
    id: Any = None,
) -> None:
    """Emits to one task, on a stream that is declared as direct."""
    emit(tup, stream, anchors, task, id=id)


def emitBolt(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    anchors: Any = None,
    directTask: Optional[int] = None,
    need_task_ids: Optional[bool] = None,
) -> Any:
    """emit() of a bolt."""
    host = _ready()
    if host.tuple is not None:
        ids: Any = (host.tuple.id,)
    elif isinstance(anchors, Tuple):
        ids = (anchors.id,)
    else:
        ids = [one.id for one in anchors or ()]
    return host.emit(tup, ids, stream, directTask, need_task_ids, None)


def emitSpout(
    tup: Sequence[Any],
    stream: Optional[str] = None,
    id: Any = None,
    directTask: Optional[int] = None,
    need_task_ids: Optional[bool] = None,
) -> Any:
    """emit() of a spout."""
    return _ready().emit(tup, None, stream, directTask, need_task_ids, id)


def ack(tup: Tuple) -> None:
    """Says that a bolt is done with a tuple. A BasicBolt does it by itself."""
    host = _ready()
    host.put(host.framing.ack(host.framing.anchor(tup.id)))


def fail(tup: Tuple) -> None:
    """Says that a tuple could not be processed: the spout hears of it at once."""
    _ready().say("fail", id=tup.id)


def reportError(msg: str) -> None:
    """Shows an error where the topology's errors are shown; the component goes on."""
    host = _ready()
    host.say("error", msg=host.cut(msg))


def log(msg: str, level: int = 2) -> None:
    """Writes to the worker's log: level 0 trace, 1 debug, 2 info, 3 warn, 4 error."""
    host = _ready()
    host.say("log", msg=host.cut(msg), level=level)


def logTrace(msg: str) -> None:
    """log() at level trace."""
    log(msg, 0)


def logDebug(msg: str) -> None:
    """log() at level debug."""
    log(msg, 1)


def logInfo(msg: str) -> None:
    """log() at level info."""
    log(msg, 2)


def logWarn(msg: str) -> None:
    """log() at level warn."""
    log(msg, 3)


def logError(msg: str) -> None:
    """log() at level error."""
    log(msg, 4)


def rpcMetrics(name: str, params: Any) -> None:
    """Updates a metric of the component."""
    _ready().say("metrics", name=name, params=params)


# For components with a loop of their own.


def sync() -> None:
    """Answers a heartbeat, or a command to a spout."""
    _ready().say("sync")


def initComponent() -> List[Any]:
    """Shakes hands; gives configuration and context."""
    setup = _connect("bolt")
    return [setup.get("conf"), setup.get("context")]


def sendMsgToParent(msg: Dict[str, Any]) -> None:
    """Sends any message, as its JSON object. What it emits asks for task ids unless it says no."""
    host = _ready()
    if isinstance(host.framing, (_Json, _MessagePack)):
        host.put(host.framing.document(msg))
        return
    fields = dict(msg)
    command = fields.pop("command")
    if command == "emit":
        anchors = fields.get("anchors")
        need = fields.get("need_task_ids", True) and not fields.get("task")
        host.put(
            host.framing.emit(
                host.framing.row(fields["tuple"]),
                [anchors] if isinstance(anchors, (str, int)) else anchors,
                fields.get("stream"),
                fields.get("task"),
                bool(need),
                fields.get("id"),
            )
        )
    else:
        host.say(command, **fields)


def _read(task_ids: bool, commands: bool) -> Any:
    host = _ready()
    host.flush()
    while True:
        if task_ids and host.answers:
            return host.answers.popleft()
        if commands and host.items:
            return _as_message(host.items)
        host._receive()


def _as_message(items: Deque[_Item]) -> Dict[str, Any]:
    """Takes one message off the items."""
    kind, *fields = items.popleft()
    if kind == _TUPLES:
        component, stream, task, ids, rows = fields
        ids = _ids(ids, rows)
        if len(rows) > 1:
            items.appendleft((kind, component, stream, task, ids[1:], rows[1:]))
        names = ("id", "comp", "stream", "task", "tuple")
        return dict(zip(names, (ids[0], component, stream, task, rows[0])))
    if kind == _HEARTBEAT:
        beat = {"id": fields[0], "comp": None, "stream": "__heartbeat", "task": -1, "tuple": []}
        return beat
    if kind == _NEXT:
        return {"command": "next", "id": ""}
    if kind in (_ACKED, _FAILED):
        if len(fields[0]) > 1:
            items.appendleft((kind, fields[0][1:]))
        return {"command": "ack" if kind == _ACKED else "fail", "id": fields[0][0]}
    return {"command": "activate" if kind == _ACTIVATE else "deactivate", "id": ""}


def readMsg() -> Any:
    """The next message as its JSON value: task ids (a list) or an object."""
    return _read(task_ids=True, commands=True)


def readCommand() -> Any:
    """The next message that is not task ids."""
    return _read(task_ids=False, commands=True)


def readTaskIds() -> List[int]:
    """The task ids of what sendMsgToParent() has emitted."""
    ids: List[int] = _read(task_ids=True, commands=False)
    return ids


def readTuple() -> Tuple:
    """The next tuple of a bolt, heartbeats too, which have to be answered by sync()."""
    message = readCommand()
    return Tuple(*(message[name] for name in ("id", "comp", "stream", "task", "tuple")))


def _ids(ids: Any, rows: Sequence[Any]) -> Sequence[Any]:
    return range(ids, ids + len(rows)) if type(ids) is int else ids


# Components.


class _Component:
    _mode = "bolt"

    def initialize(self, stormconf: Dict[str, Any], context: Dict[str, Any]) -> None:
        """Called once, before everything else, with the topology's configuration and the task's place."""

    def run(self) -> None:
        """Speaks with the host on standard input and output, until the host closes them."""
        setup = _connect(self._mode)
        host = _ready()
        try:
            self.initialize(setup.get("conf") or {}, setup.get("context") or {})
            self._serve(host)
        except Exception:
            said = traceback.format_exc()
            print(said, file=sys.stderr)
            reportError(said)
            host.flush()
            _end(1)
        finally:
            # sys.exit() of the author's.
            host.flush()

    def _serve(self, host: _Host) -> None:
        raise NotImplementedError


class Bolt(_Component):
    """A bolt that anchors, acks and fails by itself, at any time and from any thread."""

    def process(self, tuple: Tuple) -> None:
        """Called for each tuple. It must be acked or failed, here or later."""

    def _serve(self, host: _Host) -> None:
        while True:
            items = host.batch()
            while items:
                item = items.popleft()
                if item[0] == _TUPLES:
                    _, component, stream, task, ids, rows = item
                    for id, values in zip(_ids(ids, rows), rows):
                        self.process(Tuple(id, component, stream, task, values))
                elif item[0] == _HEARTBEAT:
                    host.say("sync")


class BasicBolt(_Component):
    """A bolt whose emissions are anchored to the tuple that it processes, which is acked after that."""

    def process(self, tuple: Tuple) -> None:
        """Called for each tuple. An exception fails the tuple."""

    def _serve(self, host: _Host) -> None:
        global _call
        _call = host.call
        while True:
            items = host.batch()
            while items:
                item = items.popleft()
                if item[0] == _TUPLES:
                    self._answer(host, item)
                elif item[0] == _HEARTBEAT:
                    host.say("sync")

    def _answer(self, host: _Host, item: _Item) -> None:
        """Tuples of one source."""
        _, component, stream, task, first, rows = item
        process, call, answers, unheld = self.process, host.call, host.rows, _UNHELD
        binary = isinstance(host.framing, _Binary)
        ids, answer = _ids(first, rows), host.framing.answer
        if binary and host.first + len(answers) != first:
            with host.lock:
                if answers:
                    host._close_rows()
                host.first = first
        for id, values in zip(ids, rows):
            host.tuple = tup = Tuple(id, component, stream, task, values)
            try:
                process(tup)
            except Exception:
                self._failed(host, tup)
                host.first += 1
                continue
            if len(call) == 1 and not host.kept and _references(host.spare) == unheld:
                try:
                    # Without the lock: appending is one step, and whoever takes rows takes all.
                    answers.append(call.pop() if binary else answer(id, call.pop()))
                    continue
                except IndexError:
                    # The other thread has sent it in this moment.
                    pass
            with host.lock:
                if call:
                    host._close_call()
                answers.append(answer(id, None))
                if len(answers) >= _BATCH or len(host.parts) >= _BATCH:
                    host.flush()
        if len(answers) >= _BATCH:
            host.flush()

    @staticmethod
    def _failed(host: _Host, tup: Tuple) -> None:
        reportError(traceback.format_exc())
        host.say("fail", id=tup.id)


class Spout(_Component):
    """A source of tuples."""

    _mode = "spout"

    def activate(self) -> None:
        """Called when the topology is activated."""

    def deactivate(self) -> None:
        """Called when the topology is deactivated."""

    def nextTuple(self) -> None:
        """Emits something, or returns if there is nothing."""

    def ack(self, id: Any) -> None:
        """The tuple emitted with this message id, and all that came of it, are done."""

    def fail(self, id: Any) -> None:
        """The tuple emitted with this message id failed, or took too long."""

    def _serve(self, host: _Host) -> None:
        while True:
            items = host.batch()
            while items:
                item = items.popleft()
                self._do(host, item[0], item)

    def _do(self, host: _Host, kind: int, item: _Item) -> None:
        if kind == _NEXT:
            self._next(host, item[1])
        elif kind == _ACKED:
            for id in item[1]:
                self.ack(id)
        elif kind == _FAILED:
            for id in item[1]:
                self.fail(id)
        elif kind == _ACTIVATE:
            self.activate()
        elif kind == _DEACTIVATE:
            self.deactivate()
        if host.framing.syncs_acks or kind not in (_ACKED, _FAILED):
            host.say("sync")

    def _next(self, host: _Host, count: int) -> None:
        """Goes on while there is something to emit, up to the host's count, and not for long."""
        if count == 1:
            self.nextTuple()
            return
        end = time.monotonic() + _NEXT_S
        for _ in range(count):
            before = host.emitted
            self.nextTuple()
            if host.emitted == before or time.monotonic() > end:
                break
