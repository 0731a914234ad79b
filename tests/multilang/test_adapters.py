"""What the adapters for Python and JavaScript have in common: they say the same to the same host."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import Any, Dict, List

import pytest

from conftest import Start
from host import DEADLINE_S, HERE, Gone, Host, Message

FIXTURES = HERE.parent / "fixtures" / "storm"


def tup(host: Host, id: int, *values: Any, **fields: Any) -> Message:
    """A tuple for the child; ids are integers in the binary framing and text elsewhere."""
    of = {"comp": "lines", "stream": "default", "task": 3, **fields}
    return {"id": id if host.framing == "binary" else str(id), "tuple": list(values), **of}


def emitted(messages: List[Message], id: Any = None) -> List[List[Any]]:
    """The values of emissions, of those anchored to one tuple if an id is given."""
    return [
        message["tuple"]
        for message in messages
        if message["command"] == "emit" and (id is None or id in message["anchors"])
    ]


def test_a_basic_bolt_anchors_its_emission_and_acks(child: Start) -> None:
    host = child("Echo")
    one = tup(host, 1, "the cow", 7)
    assert host.answer(one) == [
        {"command": "emit", "tuple": ["the cow", 7], "anchors": [one["id"]]},
        {"command": "ack", "id": one["id"]},
    ]


def test_thousands_of_tuples_are_each_answered_once_in_order(child: Start) -> None:
    host = child("Echo")
    host.task_ids = None
    tuples = [tup(host, 5_000_000_000 + n, "word %d" % n, n) for n in range(3000)]
    answers = host.answer(*tuples)
    expected: List[Message] = []
    for one in tuples:
        expected.append({"command": "emit", "tuple": one["tuple"], "anchors": [one["id"]]})
        expected.append({"command": "ack", "id": one["id"]})
    assert answers == expected
    assert host.reads < 1000, "answers come in batches"


def values_of(draw: random.Random, framing: str, depth: int = 0) -> Any:
    """Any value that the framing carries without loss, to JavaScript and back too."""
    kinds = ["null", "bool", "small", "large", "float", "text", "long"]
    kinds += [] if framing == "json" else ["bytes"]
    kinds += ["list", "map"] if depth < 3 else []
    kind = draw.choice(kinds)
    if kind == "null":
        return None
    if kind == "bool":
        return draw.random() < 0.5
    if kind == "small":
        return draw.choice([0, 1, -1, 31, -32, -33, 127, 128, 255, 256, 65535, 65536, -129])
    if kind == "large":
        edges = [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**45, -(2**45), 2**53 - 1, 1 - 2**53]
        return draw.choice([draw.randint(1 - 2**53, 2**53 - 1), *edges])
    if kind == "float":
        return draw.choice([0.5, -1.25e-300, 1e300, draw.uniform(-1e6, 1e6)])
    if kind == "text":
        alphabet = 'aé日😀"\\\n\t\x00 \u2028end'
        return "".join(draw.choice(alphabet) for _ in range(draw.randint(0, 40)))
    if kind == "long":
        return draw.choice(["x", "日"]) * draw.choice([31, 32, 255, 256, 70000])
    if kind == "bytes":
        return bytes(draw.randrange(256) for _ in range(draw.choice([0, 1, 255, 300])))
    size = draw.choice([0, 1, 2, 15, 16, 17])
    if kind == "list":
        return [values_of(draw, framing, depth + 1) for _ in range(size // (depth + 1))]
    pairs = range(size // (depth + 1))
    return {"key %d" % n: values_of(draw, framing, depth + 1) for n in pairs}


@pytest.mark.parametrize("seed", range(3))
def test_values_of_every_kind_come_back_as_they_were(child: Start, seed: int) -> None:
    host = child("Echo")
    draw = random.Random(seed)
    rows = [[values_of(draw, host.framing) for _ in range(draw.randint(0, 4))] for _ in range(60)]
    tuples = [tup(host, n, *row) for n, row in enumerate(rows)]
    for begin in range(0, len(tuples), 7):
        answers = host.answer(*tuples[begin : begin + 7])
        assert emitted(answers) == rows[begin : begin + 7]


def test_input_may_come_in_pieces_of_any_size(child: Start) -> None:
    host = child("Echo")
    draw = random.Random(5)
    tuples = [tup(host, n, "né %d" % n, "x" * draw.choice([1, 100, 3000])) for n in range(40)]
    data = b"".join(host.encode([one]) for one in tuples)
    answers: List[Message] = []
    while data:
        size = draw.choice([1, 2, 3, 4, 5, 7, 100, 5000])
        host.write(data[:size])
        data = data[size:]
    while len(answers) < 2 * len(tuples):
        answers.append(host.read())
    assert emitted(answers) == [one["tuple"] for one in tuples]


def test_many_messages_of_one_item_are_taken_in_turn(child: Start) -> None:
    host = child("Echo")
    if host.framing != "binary":
        pytest.skip("only the binary framing has runs")
    rows = [["word", n] for n in range(300)]
    host.send((0, "lines", "default", 3, 2**40, rows), (0, "lines", "default", 3, 7, rows[:2]))
    answers = [host.read() for _ in range(604)]
    ids = [one["id"] for one in answers if one["command"] == "ack"]
    assert ids == [*range(2**40, 2**40 + 300), 7, 8]
    assert emitted(answers) == rows + rows[:2]


def test_a_heartbeat_is_answered_by_sync(child: Start) -> None:
    host = child("Echo")
    host.send(tup(host, 9, comp=None, stream="__heartbeat", task=-1))
    assert host.read() == {"command": "sync"}


def test_streams_direct_emissions_and_failures_are_said(child: Start) -> None:
    host = child("Says")
    side, direct, fail = tup(host, 1, "side", "a"), tup(host, 2, "direct", 7, "b"), tup(host, 3, "fail")
    assert host.answer(side, direct, fail) == [
        {"command": "emit", "tuple": ["a"], "anchors": [side["id"]], "stream": "odd"},
        {"command": "ack", "id": side["id"]},
        {"command": "emit", "tuple": ["b"], "anchors": [direct["id"]], "stream": "odd", "task": 7},
        {"command": "ack", "id": direct["id"]},
        {"command": "fail", "id": fail["id"]},
    ]


def test_a_bolt_may_hold_tuples_and_anchor_to_several(child: Start) -> None:
    host = child("Says")
    tuples = [tup(host, 1, "hold"), tup(host, 5, "hold"), tup(host, 3, "release")]
    ids = [one["id"] for one in tuples]
    assert host.answer(*tuples) == [
        {"command": "emit", "tuple": [2], "anchors": ids},
        *({"command": "ack", "id": id} for id in ids),
    ]


def test_task_ids_are_asked_for_when_they_are_used(child: Start) -> None:
    host = child("Says")
    asked: List[Message] = []

    def ids(message: Message) -> List[int]:
        asked.append(message["tuple"])
        return [7, len(asked)]

    host.task_ids = ids
    answers = host.answer(tup(host, 1, "emit", "x"), tup(host, 2, "ask", "y"), tup(host, 3, "emit", "z"))
    assert [7, 1] in emitted(answers)
    assert asked == [["y"]]


def test_errors_logs_and_metrics_are_said(child: Start) -> None:
    host = child("Says")
    tuples = [tup(host, 1, "error", "bad"), tup(host, 2, "log", "né", 3)]
    tuples.append(tup(host, 3, "metrics", "count", [1, {"a": 2}]))
    said = [one for one in host.answer(*tuples) if one["command"] != "ack"]
    assert said == [
        {"command": "error", "msg": "bad"},
        {"command": "log", "msg": "né", "level": 3},
        {"command": "metrics", "name": "count", "params": [1, {"a": 2}]},
    ]


def test_what_is_printed_goes_to_standard_error(child: Start) -> None:
    host = child("Says")
    one = tup(host, 1, "noise")
    assert host.answer(one) == [{"command": "ack", "id": one["id"]}]
    assert host.end() == 0
    for text in ("printed by the component", "written to descriptor 1", "said by a child"):
        assert text in (host.folder / "stderr").read_text()


def test_what_is_emitted_is_what_it_was_at_that_moment(child: Start) -> None:
    host = child("Says")
    answers = host.answer(tup(host, 1, "mutable"))
    assert emitted(answers) == [[1, {"a": []}], [2, {"a": [3]}]]


def test_an_exception_fails_the_tuple_and_is_reported(child: Start) -> None:
    host = child("Raises")
    refused, one = tup(host, 1, "raise"), tup(host, 2, "the cow")
    error, fail, cow, ack = host.answer(refused, one)
    assert error["command"] == "error" and "on purpose" in error["msg"]
    assert fail == {"command": "fail", "id": refused["id"]}
    assert cow["tuple"] == ["the cow"] and ack == {"command": "ack", "id": one["id"]}


def test_an_answer_may_come_later_than_the_call(child: Start) -> None:
    host = child("Says")
    one, two = tup(host, 1, "later"), tup(host, 2, "emit", "x")
    host.send(one, two)
    acks = [host.read_until("ack")[-1]["id"] for _ in range(2)]
    assert sorted(acks) == sorted([one["id"], two["id"]])


def test_a_message_that_is_longer_than_the_limit_is_not_sent(child: Start) -> None:
    host = child("Says", conf={"topology.multilang.message.max.bytes": 1_000_000})
    host.task_ids = None
    assert len(host.answer(tup(host, 1, "emit", "x" * 900_000))) == 2
    several = [tup(host, n, "emit", "y" * 300_000) for n in range(2, 12)]
    assert len(host.answer(*several)) == 20
    assert host.longest <= 1_000_000 or host.framing != "binary"
    host.send(tup(host, 1, "emit", "x" * 1_000_000))
    error = host.read_until("error")[-1]["msg"]
    assert "longer than topology.multilang.message.max.bytes, 1000000" in error


def test_a_spout_answers_each_command_by_one_sync(child: Start) -> None:
    host = child("Life", conf={"lines": 2})
    for command, said in (("activate", "activated"), ("deactivate", "deactivated")):
        host.send({"command": command, "id": ""})
        assert host.read_until("sync") == [
            {"command": "log", "msg": said, "level": 2},
            {"command": "sync"},
        ]
    for count in range(4):
        host.send({"command": "next", "id": ""})
        *emits, _ = host.read_until("sync")
        assert [emit["id"] for emit in emits] == (["m%d" % count] if count < 2 else [])
    for command in ("ack", "fail"):
        host.send({"command": command, "id": "m1"})
        log = {"command": "log", "msg": "%sed m1" % command, "level": 2}
        assert host.read() == log
        if host.framing != "binary":
            assert host.read() == {"command": "sync"}


def test_a_spout_emits_several_times_for_one_sync_if_the_host_says_so(child: Start) -> None:
    host = child("Life", conf={"lines": 5})
    if host.framing != "binary":
        pytest.skip("only the binary framing has a count")
    seen = 0
    syncs = 0
    while seen < 5:
        host.send((3, 100))
        seen += len(host.read_until("sync")) - 1
        syncs += 1
    assert syncs < 5 and seen == 5
    host.send((4, ["m%d" % n for n in range(5)] * 1000), (5, []), (6,))
    messages = host.read_until("sync")
    assert [one["msg"] for one in messages[:-1]] == ["acked m%d" % n for n in range(5)] * 1000 + ["activated"]


def test_a_spout_uses_task_ids_and_ids_of_any_kind(child: Start) -> None:
    host = child("AsksSpout")
    host.task_ids = lambda emit: [7, 8]
    host.send({"command": "next", "id": ""})
    assert host.read_until("sync") == [
        {"command": "emit", "tuple": ["one"], "id": 1, "asks": True},
        {"command": "emit", "tuple": ["two", 7, 8], "id": [2, "list"], "stream": "odd"},
        {"command": "sync"},
    ]


def recorded(name: str) -> List[Dict[str, Any]]:
    with open(FIXTURES / name, encoding="utf-8") as lines:
        said = [json.loads(line) for line in lines]
    return [{"from": one["from"], "message": json.loads(one["message"])} for one in said]


def converse(host: Host, said: List[Dict[str, Any]]) -> None:
    """Plays the host's part of a conversation, and holds the child to its own.

    Task ids are neither sent nor expected, as the child does not ask for them; in the binary framing
    ids are integers, and a spout does not answer acks and fails.
    """
    ids: Dict[str, Any] = {}

    def id_of(text: str) -> Any:
        if not text.lstrip("-").isdecimal():
            return text
        return ids.setdefault(text, len(ids)) if host.framing == "binary" else text

    settling = False
    for one in said:
        message = one["message"]
        if isinstance(message, list):
            continue
        if "id" in message:
            message["id"] = id_of(message["id"])
        if "anchors" in message:
            message["anchors"] = [id_of(anchor) for anchor in message["anchors"]]
        if one["from"] == "host":
            settling = message.get("command") in ("ack", "fail")
            host.send(message)
        elif not (settling and message["command"] == "sync" and host.framing == "binary"):
            assert host.read() == message


@pytest.mark.parametrize("name", ["split", "lines"])
def test_a_conversation_recorded_with_storm_is_repeated(child: Start, name: str) -> None:
    setup, pid, *said = recorded("multilang-%s.jsonl" % name)
    assert pid["message"]["pid"]
    most = sum(1 for one in said if isinstance(one["message"], dict) and one["message"].get("command") == "emit")
    host = child("Split" if name == "split" else "Lines", conf={**setup["message"]["conf"], "lines": most})
    converse(host, said)


def test_a_host_that_offers_nothing_hears_json(child: Start) -> None:
    host = child("Echo", framing="json", offered=[])
    assert len(host.answer(tup(host, 1, "x"))) == 2
    host = child("Echo", framing="json", offered=["carrier-pigeon"])
    assert len(host.answer(tup(host, 1, "x"))) == 2


def test_the_first_framing_that_is_known_is_taken(child: Start) -> None:
    host = child("Echo", framing="msgpack", offered=["carrier-pigeon", "msgpack", "binary"])
    assert len(host.answer(tup(host, 1, "x"))) == 2


def test_a_host_that_begins_with_messagepack_is_answered_in_it(child: Start) -> None:
    host = child("Echo", framing="msgpack-from-the-start")
    assert len(host.answer(tup(host, 1, "x"))) == 2


def test_the_end_of_input_ends_the_child(child: Start) -> None:
    for component in ("Echo", "Lines"):
        assert child(component).end() == 0


def test_sigint_is_ignored_and_sigterm_ends_the_child(child: Start) -> None:
    host = child("Echo")
    assert len(host.answer(tup(host, 1, "x"))) == 2
    host.child.send_signal(signal.SIGINT)
    assert len(host.answer(tup(host, 2, "x"))) == 2
    host.child.send_signal(signal.SIGTERM)
    assert host.child.wait(DEADLINE_S) == -signal.SIGTERM


def test_an_exception_in_initialize_is_reported_and_ends_the_child(child: Start) -> None:
    host = child("Refuses")
    error = host.read()
    assert error["command"] == "error" and "to begin" in error["msg"]
    with pytest.raises(Gone):
        host.read()
    assert host.child.wait(DEADLINE_S) == 1
    assert "to begin" in host.said()


def test_a_host_that_reads_late_holds_the_child_up(child: Start) -> None:
    host = child("Echo")
    host.task_ids = None
    data = b"".join(host.encode([tup(host, n, "x" * 1000)]) for n in range(3000))
    # More than the pipes hold, and nothing is read for now.
    sent = 0
    end = time.monotonic() + DEADLINE_S
    idle = 0
    while idle < 100 and sent < len(data) and time.monotonic() < end:
        try:
            sent += os.write(host.input, data[sent : sent + 65536])
            idle = 0
        except BlockingIOError:
            idle += 1
            time.sleep(0.002)
    assert sent < len(data), "the child takes no more than it can answer"
    host.write(data[sent:])
    answers = [host.read() for _ in range(6000)]
    assert len(emitted(answers)) == 3000
