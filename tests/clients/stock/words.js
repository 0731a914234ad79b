// A spout on Storm's own adapter: words, each again until it is acked.

const storm = require('./storm');

const WORDS = ['four', 'score', 'and', 'seven', 'years', 'ago'];

class Words extends storm.Spout {
  constructor() {
    super();
    this.last = 0;
    this.pending = new Map();
  }

  initialize(conf, context, done) {
    done();
  }

  // The adapter's own two answer nothing, and a host waits for an answer.
  activate(done) {
    done();
  }

  deactivate(done) {
    done();
  }

  nextTuple(done) {
    setTimeout(() => {
      this.send(WORDS[this.last % WORDS.length]);
      done();
    }, 10);
  }

  send(word) {
    this.last += 1;
    const id = String(this.last);
    this.pending.set(id, word);
    this.emit({ tuple: [word], id }, () => {});
  }

  ack(id, done) {
    this.pending.delete(id);
    done();
  }

  fail(id, done) {
    const word = this.pending.get(id);
    this.pending.delete(id);
    this.send(word);
    done();
  }
}

new Words().run();
