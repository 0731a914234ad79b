"""Components that the tests run with topologies/multilang/python/storm.py. components.js has the same."""

import os
import subprocess
import sys
import threading
import time

import storm

print("printed before run")


class Echo(storm.BasicBolt):
    def process(self, tup):
        storm.emit(tup.values)


class Raises(Echo):
    def process(self, tup):
        if tup.values[0] == "raise":
            raise Refusal("on purpose")
        super().process(tup)


class Split(storm.Bolt):
    """The bolt of the recorded conversation `split`."""

    def initialize(self, conf, context):
        storm.log("split ready")
        storm.logDebug("debug line")
        storm.logWarn("warn line")
        storm.logError("error line")
        storm.logTrace("trace line")

    def process(self, tup):
        line = tup.values[0]
        if tup.is_tick_tuple():
            storm.log("tick %s" % tup.values)
            line = ""
        if line.startswith("refuse"):
            storm.reportError("refusing")
            storm.fail(tup)
            return
        for n, word in enumerate(line.split()):
            storm.emit([word, n], anchors=[tup])
        storm.ack(tup)


class Refusal(Exception):
    pass


class Lines(storm.Spout):
    """The spout of the recorded conversation `lines`."""

    LINES = [
        "the cow jumped over the moon",
        "an apple a day keeps the doctor away",
        "refuse this one please",
        'café naïve 日本 😀 "quoted" back\\slash',
        "",
        "tab\there",
    ]

    def initialize(self, conf, context):
        self.count = 0
        self.most = conf.get("lines", 20)

    def nextTuple(self):
        if self.count < self.most:
            storm.emit([self.LINES[self.count % 6]], id="m%d" % self.count)
            self.count += 1

    def ack(self, id):
        storm.log("acked %s" % id)

    def fail(self, id):
        storm.log("failed %s" % id)


class Says(storm.Bolt):
    """Does what its tuples say: the first value is what, the others how."""

    held = []

    def process(self, tup):
        getattr(self, tup.values[0])(tup, *tup.values[1:])

    def emit(self, tup, *values):
        storm.emit(list(values), anchors=[tup])
        storm.ack(tup)

    def side(self, tup, value):
        storm.emit([value], stream="odd", anchors=[tup])
        storm.ack(tup)

    def direct(self, tup, task, value):
        storm.emitDirect(task, [value], stream="odd", anchors=[tup])
        storm.ack(tup)

    def ask(self, tup, value):
        ids = storm.emit([value], anchors=[tup], need_task_ids=True)
        storm.emit(ids)
        storm.ack(tup)

    def never_ask(self, tup, value):
        assert storm.emit([value], need_task_ids=False) is None
        storm.ack(tup)

    def look(self, tup, value):
        ids = storm.emit([value], anchors=[tup])
        storm.emit(["got", *ids])
        storm.ack(tup)

    def fail(self, tup):
        storm.fail(tup)

    def hold(self, tup):
        self.held.append(tup)

    def release(self, tup):
        storm.emit([len(self.held)], anchors=self.held + [tup])
        for one in self.held:
            storm.ack(one)
        self.held.clear()
        storm.ack(tup)

    def metrics(self, tup, name, params):
        storm.rpcMetrics(name, params)
        storm.ack(tup)

    def log(self, tup, text, level):
        storm.log(text, level)
        storm.ack(tup)

    def error(self, tup, text):
        storm.reportError(text)
        storm.ack(tup)

    def noise(self, tup):
        print("printed by the component")
        os.write(1, b"written to descriptor 1\n")
        subprocess.run(["echo", "said by a child"], check=True)
        assert sys.stdin.read() == ""
        storm.ack(tup)

    def mutable(self, tup):
        values = [1, {"a": []}]
        storm.emit(values)
        values[0] = 2
        values[1]["a"].append(3)
        storm.emit(values)
        storm.ack(tup)

    def raises(self, tup):
        raise Refusal("on purpose")

    def later(self, tup):
        """Acked by another thread, when the bolt waits for input."""
        threading.Timer(0.05, storm.ack, [tup]).start()


class Basic(Echo):
    """A basic bolt that does more than to emit once."""

    def process(self, tup):
        what, *values = tup.values
        if what == "several":
            for value in values:
                storm.emit([value])
        elif what == "raise":
            storm.emit(["before"])
            raise Refusal("on purpose")
        elif what == "look":
            ids = storm.emit(values)
            storm.emit([list(ids), len(ids), ids[0]])
        elif what == "keep":
            self.kept = storm.emit(values)
            storm.emit(["after"])
        elif what == "kept":
            storm.emit(list(self.kept))
        elif what == "side":
            storm.emit(values, stream="odd")
        elif what == "log":
            storm.emit(["before"])
            storm.log("between")
            storm.emit(["after"])
        elif what == "block":
            storm.emit(["before"])
            # Until the test removes the file, which it does when it has read the emission.
            while os.path.exists(values[0]):
                time.sleep(0.001)
            storm.emit(["after"])
        elif what == "many":
            for value in range(values[0]):
                storm.emit([value])
        elif what == "set":
            storm.emit([{1, 2}])
        elif what == "big":
            storm.emit(["x" * values[0]])
        elif what == "exit":
            sys.exit(3)


class Life(Lines):
    def activate(self):
        storm.log("activated")

    def deactivate(self):
        storm.log("deactivated")


class AsksSpout(Lines):
    """Looks at the task ids of what it emits."""

    def nextTuple(self):
        ids = storm.emit(["one"], id=1)
        storm.emit(["two", *ids], id=[2, "list"], stream="odd")


class Own(storm.Bolt):
    """Has a loop of its own."""

    def run(self):
        conf, context = storm.initComponent()
        storm.log("task %d" % context["taskid"])
        while True:
            tup = storm.readTuple()
            if tup.is_heartbeat_tuple():
                storm.sync()
                continue
            message = {"command": "emit", "tuple": tup.values, "anchors": [tup.id]}
            storm.sendMsgToParent(message)
            storm.log("ids %s" % storm.readTaskIds())
            storm.ack(tup)


class Refuses(Echo):
    def initialize(self, conf, context):
        raise Refusal("to begin")


if __name__ == "__main__":
    globals()[sys.argv[1]]().run()
