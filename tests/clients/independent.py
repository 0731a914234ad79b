"""Talks to Nimbus with Apache Thrift's Python library and types made from our IDL.

usage: independent.py GENERATED PORT submit NAME   submits a shell topology, and others that are refused
       independent.py GENERATED PORT check NAME    lists it, reads its pages, and opens 10,000 connections
       independent.py GENERATED PORT gone NAME     waits until it is removed

Ends with 0 if everything is as expected.
"""

import json
import resource
import socket
import sys
import time

from storm_client import connect
from storm.ttypes import (
    AlreadyAliveException,
    Bolt,
    ComponentCommon,
    ComponentObject,
    GlobalStreamId,
    Grouping,
    InvalidTopologyException,
    NotAliveException,
    NullStruct,
    ShellComponent,
    SpoutSpec,
    StormTopology,
    StreamInfo,
)

CONNECTIONS = 10_000


def refused(exception, part, call):
    """The call must throw this exception with a sentence that has this part."""
    try:
        call()
    except exception as thrown:
        assert part in thrown.msg, thrown.msg
    else:
        raise AssertionError(f"{exception.__name__} was expected")


def topology(source="words"):
    def common(inputs):
        streams = {"default": StreamInfo(["word"], False)}
        return ComponentCommon(inputs, streams, 1, None)

    def shell():
        return ComponentObject(shell=ShellComponent("python3", "words.py"))

    inputs = {GlobalStreamId(source, "default"): Grouping(shuffle=NullStruct())}
    return StormTopology(
        spouts={"words": SpoutSpec(shell(), common({}))},
        bolts={"count": Bolt(shell(), common(inputs))},
        state_spouts={},
    )


def submit(client, name):
    conf = json.dumps({"topology.workers": 1, "topology.message.timeout.secs": 1})
    client.submitTopology(name, "", conf, topology())
    refused(
        AlreadyAliveException,
        f"{name} is already alive",
        lambda: client.submitTopology(name, "", conf, topology()),
    )
    refused(
        InvalidTopologyException,
        "non-existent component [nobody]",
        lambda: client.submitTopology("bad", "", conf, topology("nobody")),
    )
    refused(
        InvalidTopologyException,
        "topology.workers",
        lambda: client.submitTopology("bad", "", '{"topology.workers": -1}', topology()),
    )
    refused(NotAliveException, "bad is not alive", lambda: client.killTopology("bad"))


def check(client, name, port):
    names = [summary.name for summary in client.getTopologySummaries()]
    assert names == [name], names
    summary = client.getTopologySummaryByName(name)
    assert summary.status == "ACTIVE", summary
    page = client.getTopologyPageInfo(summary.id, ":all-time", True)
    assert sorted(page.id_to_bolt_agg_stats) == ["__acker", "count"], page
    assert json.loads(client.getTopologyConf(summary.id))["topology.name"] == name
    assert client.getLeader().isLeader
    open_connections(port)


def open_connections(port):
    """As many silent connections as this process may open leave Nimbus serving."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(CONNECTIONS, hard - 100)
    if count < CONNECTIONS:
        print(f"skipped: {CONNECTIONS} connections: this process may open only {count}")
    held = [socket.create_connection(("127.0.0.1", port), 30) for _ in range(count)]
    assert connect(port).getLeader().isLeader
    for connection in held:
        connection.close()


def gone(client, name):
    deadline = time.monotonic() + 60
    while any(summary.name == name for summary in client.getTopologySummaries()):
        assert time.monotonic() < deadline, f"{name} is still there"
        time.sleep(0.1)


def main():
    port, what, name = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    client = connect(port)
    if what == "submit":
        submit(client, name)
    elif what == "check":
        check(client, name, port)
    else:
        gone(client, name)


main()
