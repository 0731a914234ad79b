"""Emits each word of a line in lower case: the splitter of the topology word-count-python."""

import re

import storm

PARTS = re.compile(r"[^\W\d_']+(?:'+[^\W\d_']+)*")


class SplitBolt(storm.BasicBolt):
    def process(self, tup):
        # What is emitted is anchored to the line, which is acked when this returns.
        for part in tup.values[0].split():
            # The number of a verse is no word.
            if not any(digit in part for digit in "0123456789"):
                for word in PARTS.findall(part):
                    storm.emit([word.lower()])


if __name__ == "__main__":
    SplitBolt().run()
