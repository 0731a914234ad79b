'use strict';

// Splits lines, with our adapter or Storm's, which wants a callback for each emission.

const {BasicBolt} = require('./storm');

function SplitBolt() {
    BasicBolt.call(this);
}

SplitBolt.prototype = Object.create(BasicBolt.prototype);
SplitBolt.prototype.constructor = SplitBolt;

SplitBolt.prototype.process = function (tup, done) {
    const words = tup.values[0].split(/\s+/).filter((word) => word !== '');
    let left = words.length;
    if (left === 0) done();
    for (const word of words) {
        this.emit({tuple: [word], anchorTupleId: tup.id}, (taskIds) => {
            if (taskIds.length !== 1) throw new Error(`one task, not ${taskIds}`);
            left -= 1;
            if (left === 0) done();
        });
    }
};

new SplitBolt().run();
