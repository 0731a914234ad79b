"""Measures what a tuple costs a child that echoes it, in each framing, beside a plain pipe loop.

usage: cost.py [--tuples N] [--batches 1,16,128] [--stock DIR] [--runs N]

The host is scripted: it sends batches that were made before, and has at most four on their way (one if
batches are of one tuple). A line gives medians over the runs: tuples per second, and the processor time
of the child for a tuple, which other work on the machine changes less. `plain` reads and writes frames
of marshal with the same values and does nothing else. DIR has Storm's own adapters, as
scripts/stock-multilang puts them.
"""

from __future__ import annotations

import argparse
import json
import marshal
import os
import platform
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Tuple

import msgpack

ADAPTERS = Path(__file__).resolve().parent.parent.parent / "topologies" / "multilang"

PYTHON = """
import sys
sys.path.insert(0, {folder!r})
{before}
import storm
class Echo(storm.BasicBolt):
    def process(self, tup):
        storm.emit(tup.values)
Echo().run()
"""

JAVASCRIPT = """
const storm = require({folder!r} + '/storm.js');
class Echo extends storm.BasicBolt {{
    process(tup, done) {{
        this.emit({{tuple: tup.values, anchorTupleId: tup.id}});
        done();
    }}
}}
new Echo().run();
"""

PLAIN = """
import marshal, os, struct
rest = b""
while True:
    read = os.read(0, 1 << 18)
    if not read:
        break
    rest += read
    out = []
    at = 0
    while len(rest) - at >= 4:
        end = at + 4 + struct.unpack_from(">I", rest, at)[0]
        if end > len(rest):
            break
        rows = [row for row in marshal.loads(rest[at + 4:end])]
        data = marshal.dumps(rows, 2)
        out.append(struct.pack(">I", len(data)) + data)
        at = end
    rest = rest[at:]
    if out:
        os.write(1, b"".join(out))
"""

# What each answer has once, and nothing else.
BEATS = {"json": b'"ack"', "msgpack": b"\xa3ack"}


def values(n: int) -> list:
    return ["the quick brown fox", n % 1000]


def made(framing: str, first: int, count: int) -> bytes:
    """A batch of tuples."""
    rows = [values(first + n) for n in range(count)]
    if framing in ("plain", "binary"):
        item = rows if framing == "plain" else [(0, "words", "default", 3, first, rows)]
        data = marshal.dumps(item, 2)
        return struct.pack(">I", len(data)) + data
    messages = [
        {"id": str(2**62 + first + n), "comp": "words", "stream": "default", "task": 3, "tuple": row}
        for n, row in enumerate(rows)
    ]
    if framing == "msgpack":
        return b"".join(msgpack.packb(one) for one in messages)
    texts = (json.dumps(one, separators=(",", ":")) for one in messages)
    return b"".join(text.encode() + b"\nend\n" for text in texts)


class Answers:
    """Counts answers as they come."""

    def __init__(self, framing: str) -> None:
        self.framing = framing
        self.rest = b""

    def count(self, data: bytes) -> int:
        data = self.rest + data
        if self.framing in BEATS:
            keep = len(BEATS[self.framing]) - 1
            self.rest = data[-keep:]
            # What was kept has been seen, and is too short to count.
            return data.count(BEATS[self.framing])
        seen = at = 0
        while len(data) - at >= 4:
            end = at + 4 + struct.unpack_from(">I", data, at)[0]
            if end > len(data):
                break
            items = marshal.loads(data[at + 4 : end])
            seen += len(items) if self.framing == "plain" else sum(map(self.of_item, items))
            at = end
        self.rest = data[at:]
        return seen

    @staticmethod
    def of_item(item: tuple) -> int:
        if item[0] == 9:
            return len(item[2])
        return item[2] if item[0] == 4 else int(item[0] == 2)


def run(command: List[str], framing: str, batch: int, tuples: int, needs_ids: bool) -> Tuple[float, float]:
    """Seconds, and processor seconds of the child."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert child.stdin and child.stdout
    into, out = child.stdin.fileno(), child.stdout.fileno()
    with tempfile.TemporaryDirectory() as folder:
        if framing != "plain":
            setup = {"conf": {}, "context": {}, "pidDir": folder, "framings": [framing]}
            os.write(into, json.dumps(setup).encode() + b"\nend\n")
            said = b""
            while not said.endswith(b"\nend\n"):
                said += os.read(out, 65536)
            assert needs_ids or json.loads(said[:-5]).get("framing", "json") == framing
        batches = [made(framing, n, batch) for n in range(0, tuples, batch)]
        tuples = len(batches) * batch
        os.set_blocking(into, False)
        answers = Answers(framing)
        window = batch * (4 if batch > 1 else 1)
        sent = done = 0
        unsent = memoryview(b"")
        begin = time.perf_counter()
        while done < tuples:
            if not unsent and sent < tuples and sent - done < window:
                unsent = memoryview(batches[sent // batch])
                sent += batch
            wanted = [into] if unsent else []
            readable, writable, _ = select.select([out], wanted, [], 60)
            if writable:
                unsent = unsent[os.write(into, unsent) :]
            if readable:
                data = os.read(out, 1 << 18)
                if not data:
                    raise SystemExit("the child ended")
                done += answers.count(data)
                if needs_ids:
                    os.set_blocking(into, True)
                    os.write(into, b"[7]\nend\n" * data.count(b'"emit"'))
                    os.set_blocking(into, False)
        seconds = time.perf_counter() - begin
    child.stdin.close()
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    child.stdout.close()
    return seconds / tuples, (usage.ru_utime + usage.ru_stime) / tuples


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--tuples", type=int, default=200_000)
    arguments.add_argument("--batches", default="1,16,128")
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--stock")
    asked = arguments.parse_args()

    def python(folder: object, before: str = "") -> List[str]:
        return [sys.executable, "-c", PYTHON.format(folder=str(folder), before=before)]

    ours, script = python(ADAPTERS / "python"), JAVASCRIPT.format(folder=str(ADAPTERS / "javascript"))
    pure = python(ADAPTERS / "python", "sys.modules['msgpack'] = None")
    node = ["node", "-e", script]
    children: Dict[str, Tuple[List[str], str]] = {"plain": ([sys.executable, "-c", PLAIN], "plain")}
    if asked.stock:
        children["python json, Storm's adapter"] = (python(Path(asked.stock).resolve()), "json")
    children["python json"] = (ours, "json")
    children["python msgpack"] = (pure, "msgpack")
    children["python msgpack, with the package"] = (ours, "msgpack")
    children["python binary"] = (ours, "binary")
    for framing in ("json", "msgpack", "binary"):
        children["javascript " + framing] = (node, framing)

    print("Python %s, %s, %d cores" % (platform.python_version(), platform.machine(), os.cpu_count() or 0))
    for batch in map(int, asked.batches.split(",")):
        print("\nbatches of %d %27s %16s" % (batch, "tuples/s", "ns of the child"))
        for name, (command, framing) in children.items():
            tuples = asked.tuples if batch > 1 else max(1, asked.tuples // 10)
            stock = "Storm" in name
            # What the child costs before it gets a tuple.
            _, start = run(command, framing, batch, batch, stock)
            runs = [run(command, framing, batch, tuples, stock) for _ in range(asked.runs)]
            rate = 1 / statistics.median(seconds for seconds, _ in runs)
            cpu = statistics.median(cpu for _, cpu in runs) - start * batch / tuples
            print("%-34s %12s %16s" % (name, format(round(rate), ","), format(round(cpu * 1e9), ",")))


if __name__ == "__main__":
    main()
