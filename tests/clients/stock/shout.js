// A bolt on Storm's own adapter: each word in capitals.

const storm = require('./storm');

class Shout extends storm.BasicBolt {
  process(tup, done) {
    this.emit({ tuple: [tup.values[0].toUpperCase()], anchorTupleId: tup.id }, () => {});
    done();
  }
}

new Shout().run();
