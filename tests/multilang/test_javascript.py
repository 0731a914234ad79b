"""What only the adapter for JavaScript has. What can be tested without a host is in storm.test.js."""

from __future__ import annotations

import pytest

from conftest import Start
from host import DEADLINE_S, Gone
from test_adapters import emitted, tup


def test_an_async_process_acks_when_it_ends_and_fails_when_it_throws(javascript: Start) -> None:
    host = javascript("Async")
    fine, bad = tup(host, 1, "x"), tup(host, 2, "raise")
    answers = host.answer(fine, bad)
    assert emitted(answers, fine["id"]) == [["x"]]
    ends = {one["id"]: one["command"] for one in answers if "id" in one}
    assert ends == {fine["id"]: "ack", bad["id"]: "fail"}
    assert any(one["command"] == "error" and "on purpose" in one["msg"] for one in answers)


def test_a_second_done_does_nothing(javascript: Start) -> None:
    host = javascript("Says")
    one, two = tup(host, 1, "twice"), tup(host, 2, "emit", "x")
    acks = [said["id"] for said in host.answer(one, two) if said["command"] == "ack"]
    assert acks == [one["id"], two["id"]]


def test_what_cannot_be_emitted_fails_the_tuple_alone(javascript: Start) -> None:
    host = javascript("Says", conf={"topology.multilang.message.max.bytes": 300_000})
    big, fine = tup(host, 2, "big", 400_000), tup(host, 3, "emit", 1)
    answers = host.answer(big, fine)
    errors = [one["msg"] for one in answers if one["command"] == "error"]
    assert "longer than topology.multilang.message.max.bytes" in errors[0]
    assert [one["id"] for one in answers if one["command"] == "ack"] == [fine["id"]]
    assert emitted(answers) == [[1]]


def test_an_exception_that_nobody_catches_is_reported_and_ends_the_child(javascript: Start) -> None:
    host = javascript("Says")
    host.send(tup(host, 1, "uncaught"))
    error = host.read()
    assert error["command"] == "error" and "on purpose" in error["msg"]
    with pytest.raises(Gone):
        host.read()
    assert host.child.wait(DEADLINE_S) == 1


def test_emissions_do_not_wait_for_all_tuples_of_a_batch(javascript: Start) -> None:
    host = javascript("Blocks")
    host.answer(*(tup(host, n, "slow") for n in range(20)))
    # Twenty tuples of 5 ms each, which came in one batch.
    assert host.reads >= 5


def test_integers_beyond_2_to_the_53_are_exact_but_in_json(javascript: Start) -> None:
    host = javascript("Echo")
    values = [2**53 + 1, -(2**63), 2**63 - 1]
    [heard] = emitted(host.answer(tup(host, 1, *values)))
    if host.framing == "json":
        heard, values = [float(one) for one in heard], [float(one) for one in values]
    assert heard == values
    host = javascript("Says")
    answers = host.answer(tup(host, 1, "bigint", str(2**60)))
    if host.framing == "json":
        assert "2^53" in answers[0]["msg"]
    else:
        assert emitted(answers) == [[2**60]]
