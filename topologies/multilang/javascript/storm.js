'use strict';

/**
 * Spouts and bolts in JavaScript: the names of Apache Storm's storm.js, and three framings.
 *
 * Put this file beside a component and write:
 *
 *     const storm = require('./storm');
 *
 *     class SplitBolt extends storm.BasicBolt {
 *         process(tup, done) {
 *             for (const word of tup.values[0].split(' ')) {
 *                 this.emit({tuple: [word], anchorTupleId: tup.id});
 *             }
 *             done();
 *         }
 *     }
 *
 *     new SplitBolt().run();
 *
 * It needs Node 18 and nothing else. With any host of Storm's protocol it speaks JSON; if the host
 * offers a faster framing it takes it. docs/multilang.md of storm-runtime says what goes over the
 * pipes. What differs from Storm's storm.js:
 *
 * - What is emitted is serialized at once and sent in batches: when the input that was read has been
 *   processed, after 128 messages, and between two tuples if 3 ms have passed. A call that blocks
 *   Node for long holds up what it has emitted itself.
 * - emit() may be called without a callback, and then the host is not asked for task ids, which costs
 *   it and this process less. With a callback it is always asked.
 * - A method that takes no `done` may return a promise instead: an async process(tup) acks its tuple
 *   when it ends and fails it when it throws. An exception of process() itself, and an error given to
 *   done(), report the error and fail the tuple. A second call of the same done() does nothing.
 * - `anchorTupleId` has to be said, as with Storm's, since several tuples may be in work.
 * - console.log() and process.stdout go to standard error: standard output belongs to the protocol.
 * - When the host closes standard input the process ends. SIGINT is ignored, since a terminal sends it
 *   to host and children alike and the host decides. While the host does not read, no input is taken.
 * - An exception that nobody catches is reported to the host and ends the process with status 1; the
 *   host starts another one, and the tuples of this one fail.
 * - Integers beyond 2^53 are BigInt in MessagePack and binary, both ways; JSON rounds them.
 *
 * @module storm
 */

const fs = require('fs');
const path = require('path');
const {Console} = require('console');

/**
 * @typedef {string | number | bigint} TupleId what the host calls a tuple; to be handed back as it is
 *
 * @typedef {object} EmitDetails
 * @property {any[]} tuple the values
 * @property {TupleId | TupleId[]} [anchorTupleId] a bolt's: the tuples that this one comes from
 * @property {any} [id] a spout's: what ack() and fail() will say of it
 * @property {string} [stream] `default` if absent
 * @property {number} [task] for emitDirect() only
 *
 * @callback OnTaskIds
 * @param {number[]} taskIds the tasks that got the tuple
 * @returns {void}
 *
 * @callback Done
 * @param {any} [error]
 * @returns {void}
 *
 * @typedef {[kind: number, ...rest: any[]]} Item
 *   what came, as docs/multilang.md has it for the binary framing
 */

/** Messages after which a batch is sent although input is left. */
const BATCH = 128;
/** Bytes after which a batch is sent although input is left. */
const BATCH_BYTES = 256 * 1024;
/** How long a message waits while further tuples are processed, in milliseconds. */
const WAIT_MS = 3;
/** How long one `next` of the host goes on calling nextTuple(), in milliseconds. */
const NEXT_MS = 5;
/** What one message may have if the configuration does not say it. */
const MESSAGE_BYTES = 16 * 1024 * 1024;
/** Lists and maps around a value. */
const DEPTH = 100;

const [TUPLES, TASK_IDS, HEARTBEAT, NEXT, ACKED, FAILED, ACTIVATE, DEACTIVATE] = [0, 1, 2, 3, 4, 5, 6, 7];
const [EMIT, EMIT_LONG, ACK, FAIL, , LOG, ERROR, METRICS, SYNC, ANSWERS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Bytes that grow at their end. */
class Bytes {
    constructor() {
        this.buffer = Buffer.allocUnsafe(64 * 1024);
        this.size = 0;
    }

    /** @param {number} more bytes that are about to be written */
    reserve(more) {
        if (this.size + more > this.buffer.length) {
            const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.size + more));
            this.buffer.copy(grown, 0, 0, this.size);
            this.buffer = grown;
        }
    }

    /** @param {number} byte */
    byte(byte) {
        this.reserve(1);
        this.buffer[this.size++] = byte;
    }

    /** @param {Uint8Array} bytes */
    bytes(bytes) {
        this.reserve(bytes.length);
        this.buffer.set(bytes, this.size);
        this.size += bytes.length;
    }

    /** @param {string} text */
    text(text) {
        this.reserve(text.length * 3);
        this.size += this.buffer.write(text, this.size, 'utf8');
    }

    /**
     * A tag and an integer of 32 bits, little-endian.
     * @param {number} tag
     * @param {number} value
     */
    tagged(tag, value) {
        this.reserve(5);
        const {buffer, size} = this;
        buffer[size] = tag;
        buffer[size + 1] = value;
        buffer[size + 2] = value >> 8;
        buffer[size + 3] = value >> 16;
        buffer[size + 4] = value >> 24;
        this.size = size + 5;
    }

    /** A copy of what was written, which is forgotten. */
    take() {
        const taken = Buffer.from(this.buffer.subarray(0, this.size));
        this.size = 0;
        if (this.buffer.length > 4 * BATCH_BYTES) {
            this.buffer = Buffer.allocUnsafe(64 * 1024);
        }
        return taken;
    }
}

/** @param {any} value */
function unknown(value) {
    const kind = typeof value === 'object' ? 'an object of no plain kind' : `a ${typeof value}`;
    return new TypeError(`${kind} cannot be emitted: make it text, a number, bytes, a list or an object`);
}

/** @param {number} depth */
function check(depth) {
    if (depth > DEPTH) {
        throw new RangeError(`a value has lists or objects in more than ${DEPTH} levels: it cannot be emitted`);
    }
}

/**
 * What is emitted for an object: what its toJSON() gives, if it has one, as in JSON.
 * @param {any} value
 */
function entries(value) {
    if (value instanceof Map) {
        return [...value.entries()];
    }
    return Object.entries(value).filter(([, one]) => one !== undefined && typeof one !== 'function');
}

const I64_MIN = -(2n ** 63n);
const I64_MAX = 2n ** 63n - 1n;

// CPython's marshal, version 2: see docs/multilang.md.

const [M_NONE, M_TRUE, M_FALSE, M_INT, M_LONG, M_FLOAT, M_TEXT, M_BYTES, M_TUPLE, M_LIST, M_DICT, M_END] =
    Buffer.from('NTFilgus([{0');

/**
 * @param {Bytes} out
 * @param {any} value
 * @param {number} [depth]
 */
function marshalWrite(out, value, depth = 0) {
    switch (typeof value) {
        case 'string':
            marshalText(out, value);
            return;
        case 'number':
            if ((value | 0) === value) {
                out.tagged(M_INT, value);
            } else if (Number.isSafeInteger(value)) {
                marshalLong(out, BigInt(value));
            } else {
                out.byte(M_FLOAT);
                out.reserve(8);
                out.size = out.buffer.writeDoubleLE(value, out.size);
            }
            return;
        case 'boolean':
            out.byte(value ? M_TRUE : M_FALSE);
            return;
        case 'bigint':
            marshalLong(out, value);
            return;
        case 'undefined':
            out.byte(M_NONE);
            return;
        case 'object':
            marshalObject(out, value, depth);
            return;
        default:
            throw unknown(value);
    }
}

/**
 * @param {Bytes} out
 * @param {string} text
 */
function marshalText(out, text) {
    const {length} = text;
    out.reserve(length * 3 + 5);
    const begin = out.size;
    let end = begin + 5;
    const {buffer} = out;
    // Short texts are ASCII as a rule, which needs no call.
    let at = 0;
    if (length < 48) {
        for (; at < length; at++) {
            const code = text.charCodeAt(at);
            if (code > 127) break;
            buffer[end++] = code;
        }
    }
    if (at < length) {
        end = begin + 5 + buffer.write(text, begin + 5, 'utf8');
    }
    out.tagged(M_TEXT, end - begin - 5);
    out.size = end;
}

/**
 * @param {Bytes} out
 * @param {bigint} value
 */
function marshalLong(out, value) {
    if (value < I64_MIN || value > I64_MAX) {
        throw new RangeError(`${value} is no integer of 64 bits: make it a number or text`);
    }
    if (value === BigInt.asIntN(32, value)) {
        out.tagged(M_INT, Number(value));
        return;
    }
    const digits = [];
    for (let rest = value < 0n ? -value : value; rest > 0n; rest >>= 15n) {
        digits.push(Number(rest & 0x7fffn));
    }
    out.tagged(M_LONG, value < 0n ? -digits.length : digits.length);
    for (const digit of digits) {
        out.byte(digit & 0xff);
        out.byte(digit >> 8);
    }
}

/**
 * @param {Bytes} out
 * @param {any} value
 * @param {number} depth
 */
function marshalObject(out, value, depth) {
    check(depth);
    if (value === null) {
        out.byte(M_NONE);
    } else if (Array.isArray(value)) {
        out.tagged(M_LIST, value.length);
        for (const one of value) {
            marshalWrite(out, one, depth + 1);
        }
    } else if (value instanceof Uint8Array) {
        out.tagged(M_BYTES, value.length);
        out.bytes(value);
    } else if (typeof value.toJSON === 'function') {
        marshalWrite(out, value.toJSON(), depth + 1);
    } else {
        out.byte(M_DICT);
        for (const [key, one] of entries(value)) {
            marshalWrite(out, key, depth + 1);
            marshalWrite(out, one, depth + 1);
        }
        out.byte(M_END);
    }
}

/** Reads marshal's values from a whole frame. */
class MarshalReader {
    /** @param {Buffer} data */
    constructor(data) {
        this.data = data;
        this.at = 0;
    }

    size() {
        const {data, at} = this;
        this.at = at + 4;
        return data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24);
    }

    /** @returns {any} */
    value() {
        const tag = this.data[this.at++];
        switch (tag) {
            case M_TEXT:
                return this.text();
            case M_INT:
                return this.size();
            case M_LIST:
            case M_TUPLE: {
                const values = [];
                for (let left = this.size(); left > 0; left--) {
                    values.push(this.value());
                }
                return values;
            }
            case M_NONE:
                return null;
            case M_TRUE:
                return true;
            case M_FALSE:
                return false;
            case M_FLOAT:
                this.at += 8;
                return this.data.readDoubleLE(this.at - 8);
            case M_LONG:
                return this.long();
            case M_BYTES: {
                const size = this.size();
                this.at += size;
                return Buffer.from(this.data.subarray(this.at - size, this.at));
            }
            case M_DICT:
                return this.dict();
            default:
                throw new Error(`the host sent a value that begins with the byte ${tag}`);
        }
    }

    text() {
        const size = this.size();
        const begin = this.at;
        this.at = begin + size;
        return textOf(this.data, begin, this.at);
    }

    long() {
        const signed = this.size();
        let value = 0n;
        for (let digit = Math.abs(signed) - 1; digit >= 0; digit--) {
            value = (value << 15n) | BigInt(this.data.readUInt16LE(this.at + digit * 2));
        }
        this.at += Math.abs(signed) * 2;
        return whole(signed < 0 ? -value : value);
    }

    dict() {
        /** @type {Record<string, any>} */
        const dict = {};
        while (this.data[this.at] !== M_END) {
            const key = this.value();
            define(dict, key, this.value());
        }
        this.at++;
        return dict;
    }
}

/**
 * @param {any} data
 * @param {number} begin
 * @param {number} end
 * @returns {string}
 */
function textOf(data, begin, end) {
    if (end - begin >= 24) return data.utf8Slice(begin, end);
    // A short text of ASCII is put together faster than it is decoded.
    let text = '';
    for (let at = begin; at < end; at++) {
        const code = data[at];
        if (code > 127) return data.utf8Slice(begin, end);
        text += String.fromCharCode(code);
    }
    return text;
}

/**
 * A number where it is exact, else a BigInt.
 * @param {bigint} value
 */
function whole(value) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
}

/**
 * @param {Record<string, any>} object
 * @param {any} key
 * @param {any} value
 */
function define(object, key, value) {
    if (key === '__proto__') {
        Object.defineProperty(object, key, {value, enumerable: true, configurable: true, writable: true});
    } else {
        object[key] = value;
    }
}

// MessagePack.

/**
 * @param {Bytes} out
 * @param {any} value
 * @param {number} [depth]
 */
function packWrite(out, value, depth = 0) {
    switch (typeof value) {
        case 'string':
            packText(out, value);
            return;
        case 'number':
            packNumber(out, value);
            return;
        case 'boolean':
            out.byte(value ? 0xc3 : 0xc2);
            return;
        case 'bigint':
            if (value < I64_MIN || value > I64_MAX) {
                throw new RangeError(`${value} is no integer of 64 bits: make it a number or text`);
            }
            out.byte(0xd3);
            out.reserve(8);
            out.size = out.buffer.writeBigInt64BE(value, out.size);
            return;
        case 'undefined':
            out.byte(0xc0);
            return;
        case 'object':
            packObject(out, value, depth);
            return;
        default:
            throw unknown(value);
    }
}

/**
 * @param {Bytes} out
 * @param {string} text
 */
function packText(out, text) {
    const {length} = text;
    if (length < 32) {
        out.reserve(length + 1);
        const {buffer} = out;
        let at = 0;
        // Short texts are ASCII as a rule, which needs no call.
        for (; at < length; at++) {
            const code = text.charCodeAt(at);
            if (code > 127) break;
            buffer[out.size + 1 + at] = code;
        }
        if (at === length) {
            buffer[out.size] = 0xa0 + length;
            out.size += length + 1;
            return;
        }
    }
    packSize(out, Buffer.byteLength(text), 32, 0xa0, [0xd9, 0xda, 0xdb]);
    out.text(text);
}

/**
 * @param {Bytes} out
 * @param {number} value
 */
function packNumber(out, value) {
    if ((value | 0) === value) {
        if (value >= -32 && value < 128) {
            out.byte(value & 0xff);
        } else {
            out.byte(0xd2);
            out.reserve(4);
            out.size = out.buffer.writeInt32BE(value, out.size);
        }
    } else if (Number.isSafeInteger(value)) {
        packWrite(out, BigInt(value));
    } else {
        out.byte(0xcb);
        out.reserve(8);
        out.size = out.buffer.writeDoubleBE(value, out.size);
    }
}

/**
 * @param {Bytes} out
 * @param {any} value
 * @param {number} depth
 */
function packObject(out, value, depth) {
    check(depth);
    if (value === null) {
        out.byte(0xc0);
    } else if (Array.isArray(value)) {
        packSize(out, value.length, 16, 0x90, [0, 0xdc, 0xdd]);
        for (const one of value) {
            packWrite(out, one, depth + 1);
        }
    } else if (value instanceof Uint8Array) {
        packSize(out, value.length, 0, 0, [0xc4, 0xc5, 0xc6]);
        out.bytes(value);
    } else if (typeof value.toJSON === 'function') {
        packWrite(out, value.toJSON(), depth + 1);
    } else {
        const pairs = entries(value);
        packSize(out, pairs.length, 16, 0x80, [0, 0xde, 0xdf]);
        for (const [key, one] of pairs) {
            packWrite(out, key, depth + 1);
            packWrite(out, one, depth + 1);
        }
    }
}

/**
 * The first byte and the length of something.
 * @param {Bytes} out
 * @param {number} size
 * @param {number} short sizes below this stand in the first byte
 * @param {number} first
 * @param {number[]} tags first bytes for lengths of 1, 2 and 4 bytes; 0 where there is none
 */
function packSize(out, size, short, first, tags) {
    out.reserve(5);
    if (size < short) {
        out.byte(first + size);
    } else if (size < 0x100 && tags[0]) {
        out.byte(tags[0]);
        out.byte(size);
    } else if (size < 0x10000) {
        out.byte(tags[1]);
        out.size = out.buffer.writeUInt16BE(size, out.size);
    } else {
        out.byte(tags[2]);
        out.size = out.buffer.writeUInt32BE(size, out.size);
    }
}

/** Thrown where a message is not all there. */
const INCOMPLETE = new Error('incomplete');

/** Reads MessagePack's values from what is there. */
class PackReader {
    /** @param {Buffer} data */
    constructor(data) {
        this.data = data;
        this.at = 0;
    }

    /** @param {number} size */
    take(size) {
        const begin = this.at;
        if (begin + size > this.data.length) throw INCOMPLETE;
        this.at = begin + size;
        return begin;
    }

    /** @returns {any} */
    value() {
        const byte = this.data[this.take(1)];
        if (byte < 0x80) return byte;
        if (byte >= 0xe0) return byte - 0x100;
        if (byte < 0x90) return this.map(byte & 0x0f);
        if (byte < 0xa0) return this.list(byte & 0x0f);
        if (byte < 0xc0) return this.text(byte & 0x1f);
        const {data} = this;
        switch (byte) {
            case 0xc0: return null;
            case 0xc2: return false;
            case 0xc3: return true;
            case 0xc4: return this.bytes(data[this.take(1)]);
            case 0xc5: return this.bytes(data.readUInt16BE(this.take(2)));
            case 0xc6: return this.bytes(data.readUInt32BE(this.take(4)));
            case 0xca: return data.readFloatBE(this.take(4));
            case 0xcb: return data.readDoubleBE(this.take(8));
            case 0xcc: return data[this.take(1)];
            case 0xcd: return data.readUInt16BE(this.take(2));
            case 0xce: return data.readUInt32BE(this.take(4));
            case 0xcf: return whole(data.readBigUInt64BE(this.take(8)));
            case 0xd0: return data.readInt8(this.take(1));
            case 0xd1: return data.readInt16BE(this.take(2));
            case 0xd2: return data.readInt32BE(this.take(4));
            case 0xd3: return whole(data.readBigInt64BE(this.take(8)));
            case 0xd9: return this.text(data[this.take(1)]);
            case 0xda: return this.text(data.readUInt16BE(this.take(2)));
            case 0xdb: return this.text(data.readUInt32BE(this.take(4)));
            case 0xdc: return this.list(data.readUInt16BE(this.take(2)));
            case 0xdd: return this.list(data.readUInt32BE(this.take(4)));
            case 0xde: return this.map(data.readUInt16BE(this.take(2)));
            case 0xdf: return this.map(data.readUInt32BE(this.take(4)));
            default: throw new Error(`the host sent MessagePack's byte ${byte}, which has no meaning here`);
        }
    }

    /** @param {number} size */
    bytes(size) {
        const begin = this.take(size);
        return Buffer.from(this.data.subarray(begin, begin + size));
    }

    /** @param {number} size */
    text(size) {
        const begin = this.take(size);
        return textOf(this.data, begin, this.at);
    }

    /** @param {number} size */
    list(size) {
        const values = [];
        for (let left = size; left > 0; left--) {
            values.push(this.value());
        }
        return values;
    }

    /** @param {number} size */
    map(size) {
        /** @type {Record<string, any>} */
        const map = {};
        for (let left = size; left > 0; left--) {
            const key = this.value();
            define(map, key, this.value());
        }
        return map;
    }
}

// Framings. Each makes bytes of messages, and items of bytes.

/**
 * @param {any} message an object of JSON or MessagePack, or a list of task ids
 * @returns {Item}
 */
function itemOf(message) {
    if (Array.isArray(message)) {
        return [TASK_IDS, message];
    }
    const {command} = message;
    if (command === undefined) {
        if (message.task === -1 && message.stream === '__heartbeat') {
            return [HEARTBEAT, message.id];
        }
        return [TUPLES, message.comp, message.stream, message.task, message.id, [message.tuple]];
    }
    switch (command) {
        case 'next': return [NEXT, 1];
        case 'ack': return [ACKED, [message.id]];
        case 'fail': return [FAILED, [message.id]];
        case 'activate': return [ACTIVATE];
        case 'deactivate': return [DEACTIVATE];
        default: throw new Error(`the host sent the command ${command}, which is not one of a spout`);
    }
}

/** What JSON and MessagePack have in common: messages are objects with the same keys. */
class DocumentFraming {
    constructor() {
        /** Whether the spout answers acks and fails of its messages. */
        this.syncsAcks = true;
        this.count = 0;
    }

    /** @param {Buffer} data @returns {Item[]} */
    push(data) {
        return this.documents(data).map(itemOf);
    }

    /** @param {Buffer} _data @returns {any[]} */
    documents(_data) {
        throw new Error('not here');
    }

    /** @param {any} _message */
    document(_message) {
        throw new Error('not here');
    }

    /** @param {{tuple: any[], anchors?: TupleId[], stream?: string, task?: number, id?: any}} details @param {boolean} need */
    emit(details, need) {
        const {tuple, anchors, stream, task, id} = details;
        /** @type {Record<string, any>} */
        const message = {command: 'emit', tuple};
        if (anchors !== undefined) message.anchors = anchors;
        if (stream !== undefined && stream !== null) message.stream = stream;
        if (task !== undefined && task !== null) message.task = task;
        if (id !== undefined && id !== null) message.id = id;
        if (!need) message.need_task_ids = false;
        this.document(message);
    }

    /** @param {TupleId} id */
    ack(id) {
        this.document({command: 'ack', id});
    }

    /** @param {TupleId} id */
    fail(id) {
        this.document({command: 'fail', id});
    }

    /** @param {string} msg @param {number} level */
    log(msg, level) {
        this.document({command: 'log', msg, level});
    }

    /** @param {string} msg */
    error(msg) {
        this.document({command: 'error', msg});
    }

    /** @param {string} name @param {any} params */
    metrics(name, params) {
        this.document({command: 'metrics', name, params});
    }

    sync() {
        this.document({command: 'sync'});
    }
}

/**
 * Values that JSON has no form for.
 * @this {any}
 * @param {string} key
 * @param {any} value
 */
function jsonReplacer(key, value) {
    const original = this[key];
    if (original instanceof Uint8Array) {
        return Buffer.from(original.buffer, original.byteOffset, original.length).toString('base64');
    }
    if (typeof original === 'bigint') {
        const number = Number(original);
        if (!Number.isSafeInteger(number)) {
            throw new RangeError(`${original} is beyond 2^53, which JSON cannot be trusted with: make it text`);
        }
        return number;
    }
    if (original instanceof Map) {
        return Object.fromEntries(original);
    }
    return value;
}

/** @param {any} value */
function isScalar(value) {
    return value === null || (typeof value !== 'object' && typeof value !== 'bigint');
}

class JsonFraming extends DocumentFraming {
    constructor() {
        super();
        this.separator = '\nend\n';
        /** @type {Buffer[]} what has come of a message that is not complete */
        this.rest = [];
        this.out = '';
    }

    /** @param {Buffer} data @returns {any[]} */
    documents(data) {
        // The end may have come in two pieces.
        if (this.rest.length > 0) {
            const last = this.rest.pop();
            data = Buffer.concat([/** @type {Buffer} */ (last), data]);
        }
        const stop = data.lastIndexOf(this.separator);
        if (stop < 0) {
            if (data.length > 8) {
                this.rest.push(data.subarray(0, -8), data.subarray(-8));
            } else {
                this.rest.push(data);
            }
            return [];
        }
        const complete = Buffer.concat([...this.rest, data.subarray(0, stop)]).toString();
        this.rest = stop + 5 < data.length ? [data.subarray(stop + 5)] : [];
        try {
            // All in one call: a raw newline cannot stand within a text of JSON.
            return JSON.parse(`[${complete.replaceAll(this.separator, ',')}]`);
        } catch {
            return complete.split(this.separator).map((text) => {
                try {
                    return JSON.parse(text);
                } catch (error) {
                    throw new Error(`the host sent no JSON: ${error}: ${text.slice(0, 200)}`);
                }
            });
        }
    }

    /** @param {any} message */
    document(message) {
        this.out += JSON.stringify(message, jsonReplacer) + this.separator;
        this.count++;
    }

    /** @param {{tuple: any[], anchors?: TupleId[], stream?: string, task?: number, id?: any}} details @param {boolean} need */
    emit(details, need) {
        const {tuple, anchors, stream, task, id} = details;
        if (need || stream || task || id !== undefined || !tuple.every(isScalar)) {
            super.emit(details, need);
            return;
        }
        const anchored = anchors === undefined ? '' : `,"anchors":${JSON.stringify(anchors)}`;
        this.out += `{"command":"emit","tuple":${JSON.stringify(tuple)}${anchored},"need_task_ids":false}\nend\n`;
        this.count++;
    }

    get size() {
        return this.out.length;
    }

    /** @param {number} size takes back the last message, before which there was as much */
    undo(size) {
        this.out = this.out.slice(0, size);
        this.count--;
    }

    take() {
        const taken = Buffer.from(this.out);
        this.out = '';
        this.count = 0;
        return taken;
    }
}

class MessagePackFraming extends DocumentFraming {
    constructor() {
        super();
        this.rest = Buffer.alloc(0);
        this.bytes = new Bytes();
    }

    /** @param {Buffer} data @returns {any[]} */
    documents(data) {
        const reader = new PackReader(this.rest.length > 0 ? Buffer.concat([this.rest, data]) : data);
        const messages = [];
        let begin = 0;
        try {
            while (begin < reader.data.length) {
                messages.push(reader.value());
                begin = reader.at;
            }
        } catch (error) {
            if (error !== INCOMPLETE) throw error;
        }
        this.rest = reader.data.subarray(begin);
        return messages;
    }

    /** @param {any} message */
    document(message) {
        const begin = this.bytes.size;
        try {
            packWrite(this.bytes, message);
        } catch (error) {
            this.bytes.size = begin;
            throw error;
        }
        this.count++;
    }

    get size() {
        return this.bytes.size;
    }

    /** @param {number} size takes back the last message, before which there was as much */
    undo(size) {
        this.bytes.size = size;
        this.count--;
    }

    take() {
        this.count = 0;
        return this.bytes.take();
    }
}

class BinaryFraming {
    constructor() {
        this.syncsAcks = false;
        this.rest = Buffer.alloc(0);
        this.bytes = new Bytes();
        this.count = 0;
        this.begin();
    }

    begin() {
        // Length and number of items, which are filled in at the end.
        this.bytes.size = 4;
        this.bytes.tagged(M_LIST, 0);
        this.count = 0;
        this.forget();
    }

    /** Nothing that was written is open to be changed. */
    forget() {
        /** Where the last emission begins and its values do, if it could become part of a run. */
        this.emission = -1;
        this.values = 0;
        /** @type {TupleId | undefined} */
        this.anchor = undefined;
        /** Where the number of answers of the run stands, if the last item is one. */
        this.run = -1;
        this.answers = 0;
        /** The id of the tuple that would go on with it. */
        this.next = 0;
    }

    /** @param {Buffer} data @returns {Item[]} */
    push(data) {
        let rest = this.rest.length > 0 ? Buffer.concat([this.rest, data]) : data;
        /** @type {Item[]} */
        let items = [];
        while (rest.length >= 4) {
            const end = 4 + rest.readUInt32BE(0);
            if (rest.length < end) break;
            const frame = new MarshalReader(rest.subarray(4, end)).value();
            items = items.length > 0 ? items.concat(frame) : frame;
            rest = rest.subarray(end);
        }
        this.rest = rest;
        return items;
    }

    /** @param {...any} fields */
    item(...fields) {
        const begin = this.bytes.size;
        this.forget();
        try {
            this.bytes.tagged(M_TUPLE, fields.length);
            for (const field of fields) {
                marshalWrite(this.bytes, field);
            }
        } catch (error) {
            this.bytes.size = begin;
            throw error;
        }
        this.count++;
    }

    /** @param {{tuple: any[], anchors?: TupleId[], stream?: string, task?: number, id?: any}} details @param {boolean} need */
    emit(details, need) {
        const {tuple, anchors, stream, task, id} = details;
        const anchored = anchors === undefined || anchors.length === 0 ? null : anchors.length === 1 ? anchors[0] : anchors;
        if (need || stream || task || (id !== undefined && id !== null)) {
            this.item(EMIT_LONG, anchored, tuple, stream ?? null, task ?? null, need, id ?? null);
            return;
        }
        const {bytes} = this;
        const begin = bytes.size;
        try {
            bytes.tagged(M_TUPLE, 3);
            bytes.tagged(M_INT, EMIT);
            marshalWrite(bytes, anchored);
            const values = bytes.size;
            marshalWrite(bytes, tuple);
            this.count++;
            // A second emission for the same tuple: neither goes into a run.
            if (this.emission >= 0 || typeof anchored !== 'number') {
                this.forget();
            } else {
                this.emission = begin;
                this.values = values;
                this.anchor = anchored;
            }
        } catch (error) {
            bytes.size = begin;
            throw error;
        }
    }

    /**
     * An ack, which makes an answer of the emission before it if that is anchored to the same tuple.
     * @param {TupleId} id
     */
    ack(id) {
        if (this.emission < 0 || this.anchor !== id || typeof id !== 'number') {
            this.item(ACK, id);
            return;
        }
        const {bytes, emission, values} = this;
        const size = bytes.size - values;
        if (this.run >= 0 && this.next === id) {
            bytes.buffer.copyWithin(emission, values, bytes.size);
            bytes.size = emission + size;
            this.answers++;
            this.count--;
        } else {
            // Five bytes more: the list of answers begins before the first one.
            bytes.reserve(5);
            bytes.buffer.copyWithin(values + 5, values, bytes.size);
            bytes.buffer[emission + 6] = ANSWERS;
            bytes.size = values;
            bytes.tagged(M_LIST, 1);
            bytes.size += size;
            this.run = values + 1;
            this.answers = 1;
        }
        bytes.buffer.writeUInt32LE(this.answers, this.run);
        this.next = id + 1;
        this.emission = -1;
    }

    /** @param {TupleId} id */
    fail(id) {
        this.item(FAIL, id);
    }

    /** @param {string} msg @param {number} level */
    log(msg, level) {
        this.item(LOG, msg, level);
    }

    /** @param {string} msg */
    error(msg) {
        this.item(ERROR, msg);
    }

    /** @param {string} name @param {any} params */
    metrics(name, params) {
        this.item(METRICS, name, params);
    }

    sync() {
        this.item(SYNC);
    }

    /**
     * A message by its JSON object.
     * @param {any} message
     */
    document(message) {
        switch (message.command) {
            case 'emit': {
                const {tuple, stream, task, id} = message;
                const anchors = message.anchors === undefined || Array.isArray(message.anchors) ? message.anchors : [message.anchors];
                this.emit({tuple, anchors, stream, task, id}, message.need_task_ids !== false && !task);
                return;
            }
            case 'ack': this.ack(message.id); return;
            case 'fail': this.fail(message.id); return;
            case 'log': this.log(message.msg, message.level ?? 2); return;
            case 'error': this.error(message.msg); return;
            case 'metrics': this.metrics(message.name, message.params); return;
            case 'sync': this.sync(); return;
            default: throw new Error(`there is no command ${message.command} in the binary framing`);
        }
    }

    get size() {
        return this.bytes.size;
    }

    /** @param {number} size takes back the last message, before which there was as much */
    undo(size) {
        this.bytes.size = size;
        this.count--;
        this.forget();
    }

    take() {
        const {bytes} = this;
        bytes.buffer.writeUInt32BE(bytes.size - 4, 0);
        bytes.buffer.writeUInt32LE(this.count, 5);
        const taken = bytes.take();
        this.begin();
        return taken;
    }
}

/** @typedef {JsonFraming | MessagePackFraming | BinaryFraming} Framing */

// Components. Functions and not classes, since Storm's are: BasicBolt.call(this) has to work.

/**
 * What spouts and bolts have in common.
 * @constructor
 */
function Storm() {
    this.taskIdsCallbacks = /** @type {OnTaskIds[]} */ ([]);
    this.logLevels = {trace: 0, debug: 1, info: 2, warn: 3, error: 4};
    this.framing = /** @type {Framing} */ (new JsonFraming());
    this.limit = MESSAGE_BYTES;
    this.isFirstMessage = true;
    this.isInitialized = false;
    /** Items that wait for initialize(), or for what a spout is doing. */
    this.waiting = /** @type {Item[]} */ ([]);
    this.flushing = false;
    this.unsentSince = 0;
    this.emitted = 0;
    this.write = /** @type {(data: Buffer, then?: () => void) => boolean} */ (() => true);
}

/** Sends what waits. */
Storm.prototype.flush = function () {
    this.unsentSince = 0;
    if (this.framing.count > 0 && !this.write(this.framing.take())) {
        // The host does not read: take nothing from it until it does.
        process.stdin.pause();
    }
};

/** Something waits to be sent. */
Storm.prototype.written = function () {
    if (this.framing.count >= BATCH || this.framing.size >= BATCH_BYTES) {
        this.flush();
    } else if (!this.flushing) {
        this.flushing = true;
        setImmediate(() => {
            this.flushing = false;
            this.flush();
        });
    }
};

/**
 * Any message, as its JSON object. What it emits asks for task ids unless it says no.
 * @param {any} msg
 */
Storm.prototype.sendMsgToParent = function (msg) {
    this.framing.document(msg);
    this.written();
};

/** Answers a heartbeat, or a command to a spout. */
Storm.prototype.sync = function () {
    this.framing.sync();
    this.written();
};

/**
 * @param {ArrayLike<any>} args
 * @param {number} logLevel 0 trace, 1 debug, 2 info, 3 warn, 4 error
 */
Storm.prototype.sendToLogging = function (args, logLevel) {
    const words = Array.from(args, (one) => (typeof one === 'string' ? one : JSON.stringify(one)));
    this.framing.log(words.join(' '), logLevel);
    this.written();
};

/** @param {...any} args */
Storm.prototype.logTrace = function (...args) {
    this.sendToLogging(args, this.logLevels.trace);
};

/** @param {...any} args */
Storm.prototype.logDebug = function (...args) {
    this.sendToLogging(args, this.logLevels.debug);
};

/** @param {...any} args */
Storm.prototype.logInfo = function (...args) {
    this.sendToLogging(args, this.logLevels.info);
};

/** @param {...any} args */
Storm.prototype.logWarn = function (...args) {
    this.sendToLogging(args, this.logLevels.warn);
};

/** @param {...any} args */
Storm.prototype.logError = function (...args) {
    this.sendToLogging(args, this.logLevels.error);
};

Storm.prototype.log = Storm.prototype.logInfo;

/**
 * Shows an error where the topology's errors are shown; the component goes on.
 * @param {any} error
 */
Storm.prototype.reportError = function (error) {
    this.framing.error(error instanceof Error ? error.stack || String(error) : String(error));
    this.written();
};

/**
 * Updates a metric of the component.
 * @param {string} name
 * @param {any} params
 */
Storm.prototype.rpcMetrics = function (name, params) {
    this.framing.metrics(name, params);
    this.written();
};

/**
 * @param {EmitDetails} details
 * @param {OnTaskIds} [onTaskIds]
 */
Storm.prototype.emitDetails = function (details, onTaskIds) {
    if (!Array.isArray(details.tuple)) {
        throw new TypeError('emit takes {tuple: [values]}');
    }
    const need = onTaskIds !== undefined;
    const before = this.framing.size;
    this.__emit(details, need);
    const size = this.framing.size - before;
    if (size > BATCH_BYTES) {
        // A frame has a limit too: a long message goes alone.
        this.framing.undo(before);
        if (size > this.limit - 64) {
            throw new RangeError(
                `a message of ${size} bytes is longer than topology.multilang.message.max.bytes, ${this.limit}: ` +
                    'emit less at once, or set that higher'
            );
        }
        this.flush();
        this.__emit(details, need);
    }
    if (onTaskIds) this.taskIdsCallbacks.push(onTaskIds);
    this.emitted++;
    this.written();
};

/**
 * Emits a tuple.
 * @param {EmitDetails} messageDetails
 * @param {OnTaskIds} [onTaskIds] called with the ids of the tasks that got it; without it the host is
 *   not asked for them
 */
Storm.prototype.emit = function (messageDetails, onTaskIds) {
    if (messageDetails.task) {
        throw new Error('emit() chooses the task itself: use emitDirect()');
    }
    this.emitDetails(messageDetails, onTaskIds);
};

/**
 * Emits to one task, on a stream that is declared as direct.
 * @param {EmitDetails} commandDetails
 */
Storm.prototype.emitDirect = function (commandDetails) {
    if (!commandDetails.task) {
        throw new Error('emitDirect() needs the id of a task');
    }
    this.emitDetails(commandDetails);
};

/**
 * Called once, before everything else. To be overridden; may be async instead of taking `done`.
 * @param {Record<string, any>} _conf the topology's configuration
 * @param {Record<string, any>} _context where the task stands
 * @param {Done} done
 * @returns {any}
 */
Storm.prototype.initialize = function (_conf, _context, done) {
    done();
};

/**
 * Calls a method of the author's that is done when it calls its `done`, or when the promise that it
 * gives is kept; one that takes no `done` and gives no promise is done when it returns.
 * @param {Function} method
 * @param {any[]} args
 * @param {Done} then called once
 */
Storm.prototype.callAuthor = function (method, args, then) {
    const done = once(then);
    const answer = method.call(this, ...args, done);
    if (isPromise(answer)) {
        settleBy(answer, method.length <= args.length, done);
    } else if (method.length <= args.length) {
        done();
    }
};

/**
 * @param {Done} then
 * @returns {Done}
 */
function once(then) {
    let over = false;
    return (error) => {
        if (!over) {
            over = true;
            then(error);
        }
    };
}

/** @param {any} value */
function isPromise(value) {
    return typeof value === 'object' && value !== null && typeof value.then === 'function';
}

/**
 * @param {Promise<any>} promise
 * @param {boolean} byEnd whether its end says that the method is done
 * @param {Done} done
 */
function settleBy(promise, byEnd, done) {
    /** @param {any} error */
    const failed = (error) => done(error ?? new Error('rejected without a reason'));
    // Out of the promise, which would swallow what `done` throws.
    promise.then(byEnd ? () => setImmediate(done) : undefined, (error) => setImmediate(failed, error));
}

/**
 * Does one thing after another, some of which end later; the stack does not grow with their number.
 * @param {(done: () => void) => boolean} step begins the next one; false if there is none
 * @param {() => void} then
 */
function inTurn(step, then) {
    const go = () => {
        for (;;) {
            let returned = false;
            let ended = false;
            const more = step(() => {
                ended = true;
                if (returned) go();
            });
            returned = true;
            if (!more) {
                then();
                return;
            }
            if (!ended) return;
        }
    };
    go();
}

/** @param {any} setupInfo */
Storm.prototype.initSetupInfo = function (setupInfo) {
    const conf = setupInfo.conf ?? {};
    this.limit = Number(conf['topology.multilang.message.max.bytes'] ?? MESSAGE_BYTES);
    if (setupInfo.pidDir) {
        fs.closeSync(fs.openSync(path.join(setupInfo.pidDir, String(process.pid)), 'w'));
    }
    const chosen = (setupInfo.framings ?? []).find(/** @param {string} name */ (name) => name === 'binary' || name === 'msgpack');
    /** @type {Record<string, any>} */
    const answer = {pid: process.pid};
    if (chosen) answer.framing = chosen;
    this.framing.document(answer);
    this.flush();
    if (chosen) this.framing = chosen === 'binary' ? new BinaryFraming() : new MessagePackFraming();
    this.callAuthor(this.initialize, [conf, setupInfo.context ?? {}], (error) => {
        if (error) throw error;
        this.isInitialized = true;
        this.handleItems(this.waiting.splice(0));
    });
};

/** @param {Buffer} chunk */
Storm.prototype.handleNewChunk = function (chunk) {
    if (!this.isFirstMessage) {
        this.handleItems(this.framing.push(chunk));
        return;
    }
    if (this.framing instanceof JsonFraming && this.framing.rest.length === 0 && chunk[0] > 0x7f) {
        this.framing = new MessagePackFraming();
    }
    const framing = /** @type {JsonFraming | MessagePackFraming} */ (this.framing);
    const [setupInfo, ...rest] = framing.documents(chunk);
    if (setupInfo !== undefined) {
        this.isFirstMessage = false;
        this.initSetupInfo(setupInfo);
        this.handleItems(rest.map(itemOf));
    }
};

/** @param {Item[]} items */
Storm.prototype.handleItems = function (items) {
    for (const item of items) {
        if (item[0] === TASK_IDS) {
            // A host that answers an emission which did not ask has no callback here.
            const callback = this.taskIdsCallbacks.shift();
            if (callback) callback(item[1]);
        } else if (item[0] === HEARTBEAT) {
            this.sync();
        } else if (this.isInitialized) {
            this.handleItem(item);
        } else {
            this.waiting.push(item);
        }
    }
    this.flush();
};

/** Speaks with the host on standard input and output, until the host closes them. */
Storm.prototype.run = function () {
    const stdout = process.stdout;
    const write = stdout.write.bind(stdout);
    this.write = (data, then) => write(data, then);
    stdout.on('drain', () => process.stdin.resume());
    // The host is gone.
    stdout.on('error', () => process.exit(0));
    stdout.write = /** @type {any} */ (process.stderr.write.bind(process.stderr));
    globalThis.console = new Console(process.stderr, process.stderr);
    process.on('SIGINT', () => {});
    /** @param {any} error */
    const fatal = (error) => {
        console.error(error);
        this.framing.error(error instanceof Error ? error.stack || String(error) : String(error));
        this.write(this.framing.take(), () => process.exit(1));
    };
    process.on('uncaughtException', fatal);
    process.stdin.on('data', (chunk) => this.handleNewChunk(/** @type {Buffer} */ (chunk)));
    process.stdin.on('end', () => process.exit(process.exitCode ?? 0));
};

/**
 * What a bolt gets.
 * @constructor
 * @param {TupleId} id the host's, to anchor to, to ack and to fail
 * @param {string | null} component
 * @param {string} stream
 * @param {number} task
 * @param {any[]} values
 */
function Tuple(id, component, stream, task, values) {
    this.id = id;
    this.component = component;
    this.stream = stream;
    this.task = task;
    this.values = values;
}

/** Whether it comes from topology.tick.tuple.freq.secs and not from a component. */
Tuple.prototype.isTickTuple = function () {
    return this.task === -1 && this.stream === '__tick';
};

/** Whether the host asks for a sign of life; process() never sees such a one. */
Tuple.prototype.isHeartbeatTuple = function () {
    return this.task === -1 && this.stream === '__heartbeat';
};

/**
 * A bolt that implements process().
 * @constructor
 */
function BasicBolt() {
    Storm.call(this);
}

BasicBolt.prototype = Object.create(Storm.prototype);
BasicBolt.prototype.constructor = BasicBolt;

/**
 * @param {EmitDetails} details
 * @param {boolean} need
 */
BasicBolt.prototype.__emit = function (details, need) {
    const {tuple, anchorTupleId, stream, task} = details;
    const anchors = anchorTupleId === undefined || anchorTupleId === null ? [] : Array.isArray(anchorTupleId) ? anchorTupleId : [anchorTupleId];
    this.framing.emit({tuple, anchors, stream, task}, need);
};

/** @param {Item} item */
BasicBolt.prototype.handleItem = function (item) {
    const [, component, stream, task, first, rows] = item;
    for (let at = 0; at < rows.length; at++) {
        const id = at === 0 ? first : first + at;
        const tup = new Tuple(id, component, stream, task, rows[at]);
        if (this.framing.count > 0) {
            const now = performance.now();
            if (this.unsentSince === 0) {
                this.unsentSince = now;
            } else if (now - this.unsentSince > WAIT_MS) {
                this.flush();
            }
        }
        this.processTuple(tup);
    }
};

/** @param {Tuple} tup */
BasicBolt.prototype.processTuple = function (tup) {
    let over = false;
    /** @param {any} [error] */
    const done = (error) => {
        if (over) return;
        over = true;
        if (error) {
            this.fail(tup, error);
        } else {
            this.ack(tup);
        }
    };
    try {
        const answer = this.process(tup, done);
        if (isPromise(answer)) settleBy(answer, this.process.length < 2, done);
    } catch (error) {
        done(error ?? new Error('thrown without a reason'));
    }
};

/**
 * Called for each tuple. To be overridden; may be async instead of taking `done`.
 * @param {Tuple} _tuple
 * @param {Done} done to be called when the tuple is done, with an error if it failed
 * @returns {any}
 */
BasicBolt.prototype.process = function (_tuple, done) {
    done();
};

/** @param {Tuple} tup */
BasicBolt.prototype.ack = function (tup) {
    this.framing.ack(tup.id);
    this.written();
};

/**
 * @param {Tuple} tup
 * @param {any} [err] reported, if given
 */
BasicBolt.prototype.fail = function (tup, err) {
    if (err !== undefined) this.reportError(err);
    this.framing.fail(tup.id);
    this.written();
};

/**
 * A source of tuples: implements nextTuple(), and ack() and fail() if it emits with an id.
 * @constructor
 */
function Spout() {
    Storm.call(this);
    this.isBusy = false;
}

Spout.prototype = Object.create(Storm.prototype);
Spout.prototype.constructor = Spout;

/**
 * Called when the topology is activated.
 * @param {Done} done
 * @returns {any}
 */
Spout.prototype.activate = function (done) {
    done();
};

/**
 * Called when the topology is deactivated.
 * @param {Done} done
 * @returns {any}
 */
Spout.prototype.deactivate = function (done) {
    done();
};

/**
 * The tuple emitted with this id, and all that came of it, are done.
 * @param {any} _id
 * @param {Done} done
 * @returns {any}
 */
Spout.prototype.ack = function (_id, done) {
    done();
};

/**
 * The tuple emitted with this id failed, or took too long.
 * @param {any} _id
 * @param {Done} done
 * @returns {any}
 */
Spout.prototype.fail = function (_id, done) {
    done();
};

/**
 * Emits something, or nothing if there is nothing.
 * @param {Done} done
 * @returns {any}
 */
Spout.prototype.nextTuple = function (done) {
    done();
};

/** @param {Item} item */
Spout.prototype.handleItem = function (item) {
    this.waiting.push(item);
    if (this.isBusy) return;
    this.isBusy = true;
    const step = /** @param {() => void} done */ (done) => {
        const next = this.waiting.shift();
        if (next) this.handle(next, done);
        return next !== undefined;
    };
    inTurn(step, () => {
        this.isBusy = false;
    });
};

/**
 * @param {Item} item
 * @param {() => void} then
 */
Spout.prototype.handle = function (item, then) {
    const [kind, argument] = item;
    /** @param {any} [error] */
    const answered = (error) => {
        if (error) throw error;
        this.sync();
        then();
    };
    switch (kind) {
        case NEXT:
            this.next(argument, performance.now() + NEXT_MS, answered);
            break;
        case ACKED:
        case FAILED:
            this.settle(kind === ACKED ? this.ack : this.fail, argument, this.framing.syncsAcks ? answered : then);
            break;
        case ACTIVATE:
            this.callAuthor(this.activate, [], answered);
            break;
        case DEACTIVATE:
            this.callAuthor(this.deactivate, [], answered);
            break;
        default:
            throw new Error(`the host sent item ${kind}, which is not one of a spout`);
    }
};

/**
 * Goes on while there is something to emit, up to the host's count, and not for long.
 * @param {number} count
 * @param {number} end
 * @param {() => void} then
 */
Spout.prototype.next = function (count, end, then) {
    let left = count;
    let before = -1;
    const step = /** @param {() => void} done */ (done) => {
        if (left === 0 || this.emitted === before || (left < count && performance.now() > end)) {
            return false;
        }
        left--;
        before = this.emitted;
        this.callAuthor(this.nextTuple, [], (error) => {
            if (error) throw error;
            done();
        });
        return true;
    };
    inTurn(step, then);
};

/**
 * @param {Function} method ack() or fail()
 * @param {any[]} ids
 * @param {() => void} then
 */
Spout.prototype.settle = function (method, ids, then) {
    let at = 0;
    const step = /** @param {() => void} done */ (done) => {
        if (at === ids.length) return false;
        this.callAuthor(method, [ids[at++]], (error) => {
            if (error) throw error;
            done();
        });
        return true;
    };
    inTurn(step, then);
};

/**
 * @param {EmitDetails} details
 * @param {boolean} need
 */
Spout.prototype.__emit = function (details, need) {
    const {tuple, id, stream, task} = details;
    this.framing.emit({tuple, id, stream, task}, need);
};

module.exports = {Storm, BasicBolt, Spout, Tuple, framings: {JsonFraming, MessagePackFraming, BinaryFraming}};
