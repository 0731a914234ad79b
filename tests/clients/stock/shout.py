"""A bolt on Storm's own adapter: each word in capitals."""

import storm


class Shout(storm.BasicBolt):
    def process(self, tup):
        storm.emit([tup.values[0].upper()])


Shout().run()
