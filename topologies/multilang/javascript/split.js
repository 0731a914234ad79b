'use strict';

// Emits each word of a line in lower case: the splitter of the topology word-count-javascript.

const storm = require('./storm');

class SplitBolt extends storm.BasicBolt {
    process(tup, done) {
        for (const part of tup.values[0].split(/\s+/)) {
            // The number of a verse is no word.
            if (/[0-9]/.test(part)) continue;
            for (const [word] of part.matchAll(/\p{Alphabetic}+(?:'+\p{Alphabetic}+)*/gu)) {
                this.emit({tuple: [word.toLowerCase()], anchorTupleId: tup.id});
            }
        }
        // The line is acked.
        done();
    }
}

new SplitBolt().run();
