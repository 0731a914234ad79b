"""What only the adapter for Python has."""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from typing import Any

import msgpack
import pytest

from conftest import Start
from host import ADAPTERS, DEADLINE_S, Gone
from test_adapters import emitted, tup, values_of

sys.path.insert(0, str(ADAPTERS / "python"))

import storm  # noqa: E402


def test_a_basic_bolt_may_emit_several_times_or_not_at_all(python: Start) -> None:
    host = python("Basic")
    three, none, one = tup(host, 1, "several", 1, 2, 3), tup(host, 2, "several"), tup(host, 3, "several", 4)
    answers = host.answer(three, none, one)
    assert [emitted(answers, each["id"]) for each in (three, none, one)] == [[[1], [2], [3]], [], [[4]]]


def test_what_was_emitted_before_an_exception_is_sent(python: Start) -> None:
    host = python("Basic")
    one = tup(host, 1, "raise")
    emit, error, fail = host.answer(one)
    assert emit["tuple"] == ["before"]
    assert "on purpose" in error["msg"] and "Traceback" in error["msg"]
    assert fail == {"command": "fail", "id": one["id"]}


def test_task_ids_that_are_looked_at_are_waited_for(python: Start) -> None:
    for component in ("Basic", "Says"):
        host = python(component)
        host.task_ids = lambda emit: [7, 9]
        answers = host.answer(tup(host, 1, "look", "x"))
        assert emitted(answers)[-1] == ([[7, 9], 2, 7] if component == "Basic" else ["got", 7, 9])
        assert [one.get("asks") for one in answers] == [True, None, None]


def test_task_ids_that_are_kept_are_there_later(python: Start) -> None:
    host = python("Basic")
    host.task_ids = lambda emit: [11]
    first = host.answer(tup(host, 1, "keep", "x"))
    assert [one.get("asks") for one in first] == [True, None, None]
    assert emitted(host.answer(tup(host, 2, "kept"))) == [[11]]


def test_none_are_asked_for_if_the_component_says_so(python: Start) -> None:
    host = python("Says")
    assert all("asks" not in one for one in host.answer(tup(host, 1, "never_ask", "x")))


def test_other_messages_keep_their_place_between_emissions(python: Start) -> None:
    host = python("Basic")
    side, log = tup(host, 1, "side", "x"), tup(host, 2, "log")
    said = host.answer(side, log)
    assert said[0] == {"command": "emit", "tuple": ["x"], "anchors": [side["id"]], "stream": "odd"}
    assert [one.get("msg") or one.get("tuple") for one in said[2:5]] == [["before"], "between", ["after"]]


def test_an_emission_does_not_wait_for_a_call_that_blocks(python: Start, tmp_path: Path) -> None:
    file = tmp_path / "held"
    file.touch()
    host = python("Basic")
    host.send(tup(host, 1, "several", "x"), tup(host, 2, "block", str(file)))
    assert host.read()["tuple"] == ["x"]
    assert host.read()["command"] == "ack"
    assert host.read()["tuple"] == ["before"]
    file.unlink()
    assert host.read()["tuple"] == ["after"]


def test_a_call_may_emit_more_than_fits_into_a_batch(python: Start) -> None:
    host = python("Basic")
    answers = host.answer(tup(host, 1, "many", 20_000))
    assert emitted(answers) == [[n] for n in range(20_000)]


def test_what_cannot_be_emitted_fails_the_tuple_alone(python: Start) -> None:
    host = python("Basic", conf={"topology.multilang.message.max.bytes": 10_000})
    a_set, big, fine = tup(host, 1, "set"), tup(host, 2, "big", 20_000), tup(host, 3, "several", 1)
    answers = host.answer(a_set, big, fine)
    errors = [one["msg"] for one in answers if one["command"] == "error"]
    assert "a set cannot be emitted" in errors[0]
    assert "longer than topology.multilang.message.max.bytes" in errors[1]
    assert [one["id"] for one in answers if one["command"] == "ack"] == [fine["id"]]


def test_an_exception_of_a_bolt_is_reported_and_ends_it(python: Start) -> None:
    host = python("Says")
    host.send(tup(host, 1, "emit", "x"), tup(host, 2, "raises"))
    assert host.read()["tuple"] == ["x"]
    assert "on purpose" in host.read_until("error")[-1]["msg"]
    with pytest.raises(Gone):
        host.read()
    assert host.child.wait(DEADLINE_S) == 1


def test_sys_exit_sends_what_waits(python: Start) -> None:
    host = python("Basic")
    host.send(tup(host, 1, "several", "x"), tup(host, 2, "exit"))
    assert host.read()["tuple"] == ["x"]
    assert host.child.wait(DEADLINE_S) == 3


def test_a_component_may_have_a_loop_of_its_own(python: Start) -> None:
    host = python("Own")
    host.task_ids = lambda emit: [5]
    assert host.read()["msg"] == "task 4"
    host.send(tup(host, 9, comp=None, stream="__heartbeat", task=-1))
    assert host.read() == {"command": "sync"}
    one = tup(host, 1, "x")
    assert host.answer(one) == [
        {"command": "emit", "tuple": ["x"], "anchors": [one["id"]], "asks": True},
        {"command": "log", "msg": "ids [5]", "level": 2},
        {"command": "ack", "id": one["id"]},
    ]


@pytest.mark.parametrize("seed", range(200))
def test_messagepack_is_that_of_the_package(seed: int) -> None:
    draw = random.Random(seed)
    value = [values_of(draw, "msgpack") for _ in range(4)]
    assert msgpack.unpackb(storm._msgpack_encode(value), strict_map_key=False) == value
    packed = msgpack.packb(value)
    assert storm._msgpack_decode(packed, 0) == (value, len(packed))
    for cut in {draw.randrange(len(packed)) for _ in range(10)}:
        with pytest.raises((IndexError, storm.struct.error)):
            storm._msgpack_decode(packed[:cut], 0)


class Number(int):
    pass


class Scalar:
    """As numpy's are."""

    def item(self) -> float:
        return 1.5


@pytest.mark.parametrize("value, as_json, as_binary", [
    ((1, (2,)), [1, [2]], [1, [2]]),
    (b"\x00\xff", "AP8=", b"\x00\xff"),
    (bytearray(b"a"), "YQ==", b"a"),
    (Number(3), 3, 3),
    ({1: True, None: b""}, {"1": True, "null": ""}, {1: True, None: b""}),
    (math.inf, None, math.inf),
    (Scalar(), 1.5, 1.5),
])
def test_other_kinds_become_plain_ones(value: Any, as_json: Any, as_binary: Any) -> None:
    assert storm.json.loads(storm._Json().row([value])) == [as_json]
    assert storm.marshal.loads(storm._Binary(1000).row([value])) == [as_binary]
    assert msgpack.unpackb(storm._msgpack_encode([storm._plain(value, False)]), strict_map_key=False) == [as_binary]


@pytest.mark.parametrize("values", ["text", {"a": 1}, 5, None])
def test_emit_takes_lists_only(values: Any) -> None:
    for framing in (storm._Json(), storm._Binary(1000), storm._MessagePack(1000)):
        with pytest.raises(TypeError, match="a list of values"):
            framing.row(values)


def test_values_nested_without_end_are_refused() -> None:
    value: Any = []
    value.append(value)
    for framing in (storm._Json(), storm._Binary(1000), storm._MessagePack(1000)):
        with pytest.raises(ValueError, match="100 levels"):
            framing.row(value)


def test_functions_of_a_component_that_does_not_run_say_so() -> None:
    with pytest.raises(RuntimeError, match="run"):
        storm.emit(["x"])


def test_the_names_are_those_of_storm() -> None:
    names = """Tuple Bolt BasicBolt Spout ack emit emitBolt emitDirect emitSpout fail initComponent log
        logDebug logError logInfo logTrace logWarn readCommand readMsg readTaskIds readTuple reportError
        rpcMetrics sendMsgToParent sync"""
    for name in names.split():
        assert hasattr(storm, name), name
    one = storm.Tuple("1", "__system", "__tick", -1, [2])
    assert one.is_tick_tuple() and one.is_tick() and not one.is_heartbeat_tuple()
    assert "values=[2]" in repr(one)
