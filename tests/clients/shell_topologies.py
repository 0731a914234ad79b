"""Watches topologies of shell components, through Nimbus and by their processes.

usage: shell_topologies.py GENERATED PORT submit NAME JAR SCRIPT...
           submits the scripts words.* as spouts, and all others as bolts that take from all of them
       shell_topologies.py GENERATED PORT counts NAME COMPONENT...
           waits until the counts of each component have grown twice
       shell_topologies.py GENERATED PORT acked NAME SPOUT...
           waits until messages of each spout have been acked
       shell_topologies.py GENERATED PORT kill-worker NAME STATE
           kills its worker with signal 9, and waits until its children have ended
       shell_topologies.py GENERATED PORT kill NAME
           kills it without a wait
       shell_topologies.py GENERATED PORT gone NAME STATE
           waits until it is removed, and no process of it is left
       shell_topologies.py GENERATED PORT end STATE
           kills every process of a cluster that is left

STATE is the folder of a local cluster. Ends with 0 if everything is as expected.
"""

import json
import os
import signal
import sys
import time

from storm_client import connect
from storm.ttypes import (
    Bolt,
    ComponentCommon,
    ComponentObject,
    GlobalStreamId,
    Grouping,
    KillOptions,
    NullStruct,
    ShellComponent,
    SpoutSpec,
    StormTopology,
    StreamInfo,
)

PATIENCE = 60
ALL_TIME = ":all-time"
KILLED = "was ended by signal 9"
CHUNK_BYTES = 300_000
INTERPRETERS = {"py": "python3", "js": "node", "rb": "ruby"}


def until(what, condition):
    """Polls a condition, since other processes decide when it comes true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() >= deadline:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(0.1)
    return value


def submit(client, name, jar, scripts):
    location = client.beginFileUpload()
    with open(jar, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            client.uploadChunk(location, chunk)
    client.finishFileUpload(location)

    def shell(script):
        interpreter = INTERPRETERS[script.rsplit(".", 1)[1]]
        return ComponentObject(shell=ShellComponent(interpreter, script))

    def common(inputs):
        return ComponentCommon(inputs, {"default": StreamInfo(["word"], False)}, 1, None)

    words = [script for script in scripts if script.startswith("words.")]
    inputs = {GlobalStreamId(id, "default"): Grouping(shuffle=NullStruct()) for id in words}
    topology = StormTopology(
        spouts={id: SpoutSpec(shell(id), common({})) for id in words},
        bolts={id: Bolt(shell(id), common(inputs)) for id in scripts if id not in words},
        state_spouts={},
    )
    conf = {"topology.message.timeout.secs": 5, "topology.max.spout.pending": 50}
    client.submitTopology(name, location, json.dumps(conf), topology)


def acked(client, name, spouts):
    topology = client.getTopologySummaryByName(name).id
    for spout in spouts:
        stats = lambda: client.getTopologyPageInfo(topology, ALL_TIME, True).id_to_spout_agg_stats
        until(f"messages of {spout} are acked", lambda: stats()[spout].common_stats.acked)


def count(client, topology, component):
    """What a spout has emitted, or a bolt executed."""
    page = client.getTopologyPageInfo(topology, ALL_TIME, True)
    if component in page.id_to_spout_agg_stats:
        return page.id_to_spout_agg_stats[component].common_stats.emitted
    return page.id_to_bolt_agg_stats[component].specific_stats.bolt.executed


def counts(client, name, components):
    topology = client.getTopologySummaryByName(name).id
    for component in components:
        seen = 0
        for _ in range(2):
            grown = lambda: count(client, topology, component) > seen
            until(f"{component} of {name} counts beyond {seen}", grown)
            seen = count(client, topology, component)
    errors = client.getTopologyInfo(topology).errors.values()
    errors = [error.error for all in errors for error in all if KILLED not in error.error]
    assert not errors, errors


def processes(state, topology=""):
    """Processes of workers and of their children: they run in a worker's folder or in a topology's
    resources."""
    state = os.path.realpath(state)
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            folder = os.readlink(f"/proc/{pid}/cwd")
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if folder.startswith(state + "/") and (topology in folder or topology in words):
            found.add((int(pid), "worker" in words))
    return found


def kill_worker(client, name, state):
    topology = client.getTopologySummaryByName(name).id
    found = processes(state, topology)
    workers = [pid for pid, is_worker in found if is_worker]
    children = {pid for pid, is_worker in found if not is_worker}
    assert len(workers) == 1 and len(children) >= 2, found
    os.kill(workers[0], signal.SIGKILL)
    left = lambda: children & {pid for pid, _ in processes(state, topology)}
    until(f"the children of {name} end with their worker", lambda: not left())


def gone(client, name, state):
    is_listed = lambda: any(one.name == name for one in client.getTopologySummaries())
    until(f"{name} is removed", lambda: not is_listed())
    until(f"no process of {name} is left", lambda: not processes(state))


def end(state):
    for pid, _ in processes(state):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    port, what, *rest = int(sys.argv[2]), *sys.argv[3:]
    if what == "end":
        end(*rest)
    elif what == "submit":
        submit(connect(port), rest[0], rest[1], rest[2:])
    elif what == "counts":
        counts(connect(port), rest[0], rest[1:])
    elif what == "acked":
        acked(connect(port), rest[0], rest[1:])
    elif what == "kill":
        connect(port).killTopologyWithOpts(rest[0], KillOptions(wait_secs=0))
    elif what == "kill-worker":
        kill_worker(connect(port), *rest)
    else:
        gone(connect(port), *rest)


main()
