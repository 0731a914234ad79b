'use strict';

// The codecs of topologies/multilang/javascript/storm.js, without a host: `node --test`.

const assert = require('node:assert');
const path = require('node:path');
const {test} = require('node:test');

const storm = require(path.join(__dirname, '../../topologies/multilang/javascript/storm.js'));
const {JsonFraming, MessagePackFraming, BinaryFraming} = storm.framings;

const VALUES = [
    null, true, false, 0, 1, -1, 127, 128, -32, -33, 255, 65536, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1,
    2 ** 53 - 1, 1 - 2 ** 53, 2n ** 63n - 1n, -(2n ** 63n), 0.5, -1e300, '', 'x', 'é'.repeat(31), '😀',
    'x'.repeat(255), 'x'.repeat(65536), [], [[], [1]], {}, {a: {b: [null]}}, Buffer.from([0, 255]),
    Buffer.alloc(300), Array(70000).fill(7), {['__proto__']: 1},
];

test('values come back from the binary framing as they were, in pieces of any size', () => {
    const out = new BinaryFraming();
    for (const value of VALUES) out.item(5, value);
    const frame = out.take();
    for (const size of [1000, 4096, frame.length]) {
        const reader = new BinaryFraming();
        const items = [];
        for (let at = 0; at < frame.length; at += size) {
            items.push(...reader.push(frame.subarray(at, at + size)));
        }
        assert.deepStrictEqual(items.map(([, value]) => value), VALUES);
    }
});

test('values come back from MessagePack as they were, in pieces of any size', () => {
    const out = new MessagePackFraming();
    for (const value of VALUES) out.document({value});
    const data = out.take();
    for (const size of [5000, data.length]) {
        const reader = new MessagePackFraming();
        const values = [];
        for (let at = 0; at < data.length; at += size) {
            values.push(...reader.documents(data.subarray(at, at + size)).map(({value}) => value));
        }
        assert.deepStrictEqual(values, VALUES);
    }
});

test('JSON has base64 for bytes, and one value after another for documents in pieces', () => {
    const out = new JsonFraming();
    out.emit({tuple: [Buffer.from('hi'), new Map([['a', 1]]), 5n, [Buffer.from('!')]], anchors: ['1']}, false);
    out.emit({tuple: ['end\nend\n', 1.5]}, true);
    const data = out.take();
    for (const size of [1, 2, 7, data.length]) {
        const reader = new JsonFraming();
        const messages = [];
        for (let at = 0; at < data.length; at += size) {
            messages.push(...reader.documents(data.subarray(at, at + size)));
        }
        assert.deepStrictEqual(messages, [
            {command: 'emit', tuple: ['aGk=', {a: 1}, 5, ['IQ==']], anchors: ['1'], need_task_ids: false},
            {command: 'emit', tuple: ['end\nend\n', 1.5]},
        ]);
    }
});

test('answers to tuples whose ids count up become one item', () => {
    const framing = new BinaryFraming();
    const items = () => new BinaryFraming().push(framing.take());
    const answer = (id, ...rows) => {
        for (const row of rows) framing.emit({tuple: row, anchors: [id]}, false);
        framing.ack(id);
    };
    for (const id of [7, 8, 9]) answer(id, [id]);
    assert.deepStrictEqual(items(), [[9, 7, [[7], [8], [9]]]]);

    answer(1, ['a']);
    answer(3, ['b']);
    answer(4, ['c'], ['d']);
    answer(5);
    framing.emit({tuple: ['e'], anchors: [6]}, false);
    framing.fail(6);
    assert.deepStrictEqual(items(), [
        [9, 1, [['a']]], [9, 3, [['b']]], [0, 4, ['c']], [0, 4, ['d']], [2, 4], [2, 5], [0, 6, ['e']], [3, 6],
    ]);
});

test('what cannot be emitted leaves nothing behind', () => {
    for (const framing of [new JsonFraming(), new MessagePackFraming(), new BinaryFraming()]) {
        framing.log('before', 2);
        const before = framing.size;
        const endless = [];
        endless.push(endless);
        for (const value of [endless, Symbol('x'), 2n ** 64n]) {
            assert.throws(() => framing.emit({tuple: [{value}], anchors: [1]}, false));
            if (typeof value !== 'symbol') assert.strictEqual(framing.size, before);
            if (framing instanceof JsonFraming) break;
        }
        assert.strictEqual(framing.count, 1);
    }
});

test('a bolt that inherits as in Storm has all methods', () => {
    function Bolt() {
        storm.BasicBolt.call(this);
    }
    Bolt.prototype = Object.create(storm.BasicBolt.prototype);
    for (const name of ['emit', 'emitDirect', 'ack', 'fail', 'log', 'logError', 'sync', 'initialize', 'run']) {
        assert.strictEqual(typeof new Bolt()[name], 'function', name);
    }
    assert.throws(() => new Bolt().emit({tuple: [], task: 3}), /emitDirect/);
    assert.throws(() => new Bolt().emitDirect({tuple: []}), /task/);
    assert.throws(() => new Bolt().emit({tuple: 'text'}), /values/);
    assert.ok(new storm.Tuple('1', '__system', '__tick', -1, [2]).isTickTuple());
});
