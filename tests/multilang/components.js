'use strict';

// Components that the tests run with topologies/multilang/javascript/storm.js. components.py has the same.

const {execFileSync} = require('child_process');
const storm = require(process.env.STORM_JS);

class Echo extends storm.BasicBolt {
    process(tup, done) {
        this.emit({tuple: tup.values, anchorTupleId: tup.id});
        done();
    }
}

class Raises extends Echo {
    process(tup, done) {
        if (tup.values[0] === 'raise') throw new Error('on purpose');
        super.process(tup, done);
    }
}

// As components for Storm's storm.js are written: no classes.
function Split() {
    storm.BasicBolt.call(this);
}

Split.prototype = Object.create(storm.BasicBolt.prototype);
Split.prototype.constructor = Split;

Split.prototype.initialize = function (conf, context, done) {
    this.log('split ready');
    this.logDebug('debug line');
    this.logWarn('warn line');
    this.logError('error line');
    this.logTrace('trace line');
    done();
};

Split.prototype.process = function (tup, done) {
    if (tup.isTickTuple()) {
        this.log('tick', tup.values);
        done();
        return;
    }
    const line = tup.values[0];
    if (line.startsWith('refuse')) {
        done('refusing');
        return;
    }
    line.split(/\s+/)
        .filter((word) => word !== '')
        .forEach((word, n) => this.emit({tuple: [word, n], anchorTupleId: tup.id}));
    done();
};

class Lines extends storm.Spout {
    initialize(conf, context, done) {
        this.count = 0;
        this.most = conf.lines ?? 20;
        done();
    }

    nextTuple(done) {
        if (this.count < this.most) {
            const line = LINES[this.count % 6];
            this.emit({tuple: [line], id: `m${this.count}`});
            this.count += 1;
        }
        done();
    }

    ack(id, done) {
        this.log(`acked ${id}`);
        done();
    }

    async fail(id) {
        this.log(`failed ${id}`);
    }
}

class Life extends Lines {
    activate(done) {
        this.log('activated');
        setTimeout(done, 1);
    }

    deactivate() {
        this.log('deactivated');
    }
}

const LINES = [
    'the cow jumped over the moon',
    'an apple a day keeps the doctor away',
    'refuse this one please',
    'café naïve 日本 😀 "quoted" back\\slash',
    '',
    'tab\there',
];

const held = [];

class Says extends storm.BasicBolt {
    process(tup, done) {
        const [what, ...rest] = tup.values;
        const anchored = (tuple, more) => this.emit({tuple, anchorTupleId: tup.id, ...more});
        switch (what) {
            case 'emit': anchored(rest); break;
            case 'side': anchored(rest, {stream: 'odd'}); break;
            case 'direct':
                this.emitDirect({tuple: rest.slice(1), anchorTupleId: tup.id, stream: 'odd', task: rest[0]});
                break;
            case 'ask':
                this.emit({tuple: rest, anchorTupleId: tup.id}, (ids) => {
                    this.emit({tuple: ids});
                    done();
                });
                return;
            case 'fail': this.fail(tup); return;
            case 'hold': held.push(tup); return;
            case 'release':
                this.emit({tuple: [held.length], anchorTupleId: [...held, tup].map(({id}) => id)});
                held.splice(0).forEach((one) => this.ack(one));
                break;
            case 'metrics': this.rpcMetrics(...rest); break;
            case 'log': this.sendToLogging([rest[0]], rest[1]); break;
            case 'error': this.reportError(rest[0]); break;
            case 'noise':
                console.log('printed by the component');
                process.stdout.write('written to descriptor 1\n');
                execFileSync('echo', ['said by a child'], {stdio: ['ignore', 2, 2]});
                break;
            case 'mutable': {
                const values = [1, {a: []}];
                this.emit({tuple: values});
                values[0] = 2;
                values[1].a.push(3);
                this.emit({tuple: values});
                break;
            }
            case 'later': setTimeout(done, 50); return;
            case 'raises': throw new Error('on purpose');
            case 'twice': done(); break;
            case 'set': anchored([() => {}]); break;
            case 'big': anchored(['x'.repeat(rest[0])]); break;
            case 'uncaught': setTimeout(() => { throw new Error('on purpose'); }, 1); return;
            case 'bigint': anchored([BigInt(rest[0])]); break;
            default: throw new Error(what);
        }
        done();
    }
}

class Async extends storm.BasicBolt {
    async process(tup) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (tup.values[0] === 'raise') throw new Error('on purpose');
        this.emit({tuple: tup.values, anchorTupleId: tup.id});
    }
}

class Blocks extends storm.BasicBolt {
    process(tup, done) {
        this.emit({tuple: ['before'], anchorTupleId: tup.id});
        done();
        const [file] = tup.values;
        // Slow tuples, of which none may hold up what the ones before have emitted for long.
        const end = performance.now() + 5;
        while (file && performance.now() < end);
    }
}

class AsksSpout extends Lines {
    nextTuple(done) {
        this.emit({tuple: ['one'], id: 1}, (ids) => {
            this.emit({tuple: ['two', ...ids], id: [2, 'list'], stream: 'odd'});
            done();
        });
    }
}

class Refuses extends Echo {
    initialize() {
        throw new Error('to begin');
    }
}

const components = {Echo, Raises, Split, Lines, Life, Says, Async, Blocks, AsksSpout, Refuses};
const component = new components[process.argv[2]]();
component.run();
