"""A spout on Storm's own adapter: words, each again until it is acked."""

import itertools
import time

import storm

WORDS = ["the", "cow", "jumped", "over", "the", "moon"]


class Words(storm.Spout):
    def initialize(self, conf, context):
        self.words = itertools.cycle(WORDS)
        self.pending = {}
        self.ids = itertools.count(1)

    def nextTuple(self):
        time.sleep(0.01)
        self.send(next(self.words))

    def send(self, word):
        id = str(next(self.ids))
        self.pending[id] = word
        storm.emit([word], id=id)

    def ack(self, id):
        del self.pending[id]

    def fail(self, id):
        self.send(self.pending.pop(id))


Words().run()
