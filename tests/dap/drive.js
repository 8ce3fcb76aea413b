// Drives the debug adapter with a client that others wrote (@vscode/debugadapter-testsupport), on guests in C, C++ and
// Rust, and holds every message of both sides against the protocol's own types (@vscode/debugprotocol, as a strict JSON
// schema: a member that the protocol does not know is an error).
//
//     node drive.js ADAPTER FOLDER SERVE     where FOLDER has node_modules/, and SERVE is c-examples/serve.c, compiled, which is
//                                            attached to; `scripts/test dap` does all of it
//
// The last line is `N passed, M failed`.
'use strict';
const fs = require('fs');
const path = require('path');
const assert = require('assert');
const { createRequire } = require('module');

const [adapter, folder, serve] = process.argv.slice(2).map((name) => path.resolve(name));
const need = createRequire(path.join(folder, 'package.json'));
const { DebugClient } = need('@vscode/debugadapter-testsupport');
const Ajv = need('ajv');
const generator = need('ts-json-schema-generator');
const support = path.resolve(__dirname, '..', 'support');

/// The schema of every message, made of the protocol's declarations.
function schema() {
    const package_ = path.dirname(need.resolve('@vscode/debugprotocol/package.json'));
    const declared = fs.readFileSync(path.join(package_, 'lib', 'debugProtocol.d.ts'), 'utf8');
    const names = [...declared.matchAll(/interface (\w+(?:Request|Response|Event))\b/g)].map((found) => found[1]);
    assert(names.length > 90, `only ${names.length} messages are declared`);
    const file = path.join(folder, 'messages.ts');
    const members = names.map((name) => `  ${name}: DebugProtocol.${name};`).join('\n');
    fs.writeFileSync(file, `import { DebugProtocol } from '@vscode/debugprotocol';\n` +
        `export interface Messages {\n${members}\n}\n`);
    const made = generator.createGenerator({ path: file, type: 'Messages', skipTypeCheck: true, expose: 'all' });
    const all = made.createSchema('Messages');
    // What else is in these is up to each adapter.
    for (const name of ['LaunchRequestArguments', 'AttachRequestArguments']) {
        all.definitions[`DebugProtocol.${name}`].additionalProperties = true;
    }
    return all;
}

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(schema(), 'dap');
const known = new Map();
let messages = 0;
const seen = new Set();
const wrong = [];

function check(kind, message) {
    const names = { request: 'Request', event: 'Event', response: 'Response' };
    const word = message.command ?? message.event ?? '';
    const is_error = kind === 'response' && !message.success;
    const name = is_error ? 'ErrorResponse' : word.charAt(0).toUpperCase() + word.slice(1) + names[kind];
    messages += 1;
    seen.add(name);
    if (!known.has(name)) {
        known.set(name, ajv.compile({ $ref: `dap#/definitions/DebugProtocol.${name}` }));
    }
    const fits = known.get(name);
    if (!fits(message)) {
        wrong.push(`${name}: ${ajv.errorsText(fits.errors)}: ${JSON.stringify(message).slice(0, 500)}`);
    }
    if (kind !== 'request') {
        assert(Number.isInteger(message.seq) && message.seq > 0, 'messages are numbered');
    }
}

/// A client whose messages are looked at, both ways.
class Client extends DebugClient {
    constructor() {
        super(adapter, undefined, 'stepwell');
        this.number = 0;
    }

    async start() {
        // The executable is the adapter itself: there is no runtime that has to be given a program.
        const { spawn } = require('child_process');
        this.process = spawn(adapter, [], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.ended = new Promise((resolve) => this.process.on('exit', (code) => resolve(code)));
        this.connect(this.process.stdout, this.process.stdin);
    }

    doSend(command, args, callback) {
        const request = { seq: this.sequence, type: 'request', command };
        if (args && Object.keys(args).length > 0) {
            request.arguments = args;
        }
        check('request', request);
        super.doSend(command, args, callback);
    }

    dispatch(body) {
        const message = JSON.parse(body);
        check(message.type, message);
        assert.strictEqual(message.seq, ++this.number);
        super.dispatch(body);
    }

    /// Ends the dialogue; the adapter ends by itself.
    async stop() {
        await this.disconnectRequest({ terminateDebuggee: true });
        this.process.stdin.end();
        assert.strictEqual(await this.ended, 0);
    }

    async top() {
        return (await this.stackTraceRequest({ threadId: 1 })).body.stackFrames[0];
    }

    async scope(frameId, name) {
        const scopes = (await this.scopesRequest({ frameId })).body.scopes;
        return scopes.find((scope) => scope.name === name).variablesReference;
    }

    async variable(variablesReference, name) {
        const all = (await this.variablesRequest({ variablesReference })).body.variables;
        return all.find((variable) => variable.name === name);
    }

    async go(command, args = {}) {
        const stopped = this.waitForEvent('stopped');
        await this.send(command, { threadId: 1, ...args });
        return (await stopped).body;
    }
}

/// A client of a host that runs already, and goes on when it is left.
class Attached extends Client {
    async start() {
        const { spawn } = require('child_process');
        const guest = [path.join(support, 'steps', 'steps.wasm'), 'run', '3'];
        this.process = spawn(serve, ['--dap', '--wait', ...guest], { stdio: ['ignore', 'pipe', 'inherit'] });
        this.ended = new Promise((resolve) => this.process.on('close', (code) => resolve(code)));
        this.said = '';
        const port = await new Promise((resolve) => this.process.stdout.on('data', (data) => {
            this.said += data;
            const found = this.said.match(/^debuggers come to .*:(\d+)\n/);
            if (found) {
                resolve(Number(found[1]));
            }
        }));
        await DebugClient.prototype.start.call(this, port);
    }

    async stop() {
        await this.disconnectRequest({ terminateDebuggee: false });
        assert.strictEqual(await this.ended, 0);
    }
}

function source(name) {
    return path.join(support, 'dwarf', name);
}

/// The first line that has a text.
function line(file, text) {
    return 1 + fs.readFileSync(file, 'utf8').split('\n').findIndex((found) => found.includes(text));
}

function launch(guest, args) {
    return { program: path.join(support, guest), args };
}

const tests = {
    async 'a breakpoint is come to in C, and everything looked at'(client) {
        const file = source('shapes.c');
        const at = line(file, 'look_at(&all);');
        await client.hitBreakpoint(launch('dwarf/c0_5.wasm', ['run', '5']), { path: file, line: at, verified: false });
        await client.threadsRequest();
        const frame = await client.top();
        assert.strictEqual(frame.name, 'run');
        const locals = await client.scope(frame.id, 'Locals');
        const all = await client.variable(locals, 'all');
        const list = await client.variable(all.variablesReference, 'list');
        const first = await client.variable(list.variablesReference, '*');
        assert.strictEqual((await client.variable(first.variablesReference, 'key')).value, '1');
        const set = await client.setVariableRequest({ variablesReference: all.variablesReference, name: 's', value: '-3' });
        assert.strictEqual(set.body.value, '-3');
        for (const context of ['watch', 'hover', 'repl']) {
            const result = await client.evaluateRequest({ expression: '*all.list', frameId: frame.id, context });
            assert(result.body.variablesReference > 0);
        }
        await client.send('setExpression', { expression: 'shadow', value: '7', frameId: frame.id });
        for (const scope of ['Wasm locals', 'Operand stack', 'Wasm globals', 'Statics', 'Statics of the module']) {
            await client.variablesRequest({ variablesReference: await client.scope(frame.id, scope), format: { hex: true } });
        }
        const { body: counter } = await client.evaluateRequest({ expression: 'counter', frameId: frame.id });
        const memoryReference = counter.memoryReference;
        const { body: read } = await client.send('readMemory', { memoryReference, count: 4 });
        assert.deepStrictEqual([...Buffer.from(read.data, 'base64')], [7, 0, 0, 0]);
        const data = Buffer.from([9, 0, 0, 0]).toString('base64');
        await client.send('writeMemory', { memoryReference, data });
        const { body: info } = await client.send('dataBreakpointInfo', { name: 'counter', frameId: frame.id });
        const watched = await client.send('setDataBreakpoints', { breakpoints: [{ dataId: info.dataId, accessType: 'write' }] });
        assert(watched.body.breakpoints[0].verified);
        const stopped = await client.go('continue');
        assert.strictEqual(stopped.reason, 'data breakpoint');
        assert.deepStrictEqual(stopped.hitBreakpointIds, [watched.body.breakpoints[0].id]);
        await client.send('setDataBreakpoints', { breakpoints: [] });
        await client.send('modules', { startModule: 0 });
        await client.send('loadedSources', {});
        const places = await client.send('breakpointLocations', { source: { path: file }, line: 25, endLine: 30 });
        assert(places.body.breakpoints.length > 3);
        const reference = (await client.top()).instructionPointerReference;
        const { body: code } = await client.disassembleRequest({
            memoryReference: reference, instructionOffset: -20, instructionCount: 60, resolveSymbols: true });
        assert.strictEqual(code.instructions.length, 60);
        assert.strictEqual(code.instructions[20].address, reference);
        const set_ = await client.send('setInstructionBreakpoints', { breakpoints: [{ instructionReference: reference }] });
        assert(set_.body.breakpoints[0].verified);
        // What was written is told first, and the breakpoint at the same instruction behind it.
        const again = await client.go('continue');
        assert.deepStrictEqual([again.reason, again.hitBreakpointIds], ['instruction breakpoint', [set_.body.breakpoints[0].id]]);
        const ended = Promise.all([client.waitForEvent('exited'), client.waitForEvent('terminated')]);
        await client.continueRequest({ threadId: 1 });
        assert.strictEqual((await ended)[0].body.exitCode, 26 + 7 - 3);
    },

    async 'lines, instructions and functions are stepped in C'(client) {
        const file = source('shapes.c');
        // The module has no path for it.
        const args = { ...launch('dwarf/c0_5.wasm', ['run', '2']), sourceMap: { 'shapes.c': file } };
        await Promise.all([
            client.waitForEvent('initialized').then(async () => {
                await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'sum' }] });
                await client.setExceptionBreakpointsRequest({ filters: ['traps', 'uncaught'] });
                await client.configurationDoneRequest();
            }),
            client.launch(args),
            client.assertStoppedLocation('function breakpoint', { path: file, line: line(file, 'int sum(const node') }),
        ]);
        await client.go('next');
        assert.strictEqual((await client.top()).line, line(file, 'int total = 0;'));
        await client.go('stepIn', { granularity: 'instruction' });
        await client.go('next', { granularity: 'instruction' });
        await client.go('stepOut');
        assert.strictEqual((await client.top()).name, 'run');
        const ended = client.waitForEvent('exited');
        await client.continueRequest({ threadId: 1 });
        assert.strictEqual((await ended).body.exitCode, 11 + 2 - 300);
    },

    async 'one of the calls of a line is gone into, and its frame begun anew'(client) {
        const file = path.join(support, 'steps', 'steps.c');
        await client.hitBreakpoint(launch('steps/steps.wasm', ['run', '3']),
            { path: file, line: line(file, 'total = add(twice(1), twice(2));'), verified: false });
        const { body: { targets } } = await client.send('stepInTargets', { frameId: (await client.top()).id });
        assert.deepStrictEqual(targets.map((target) => target.label), ['twice', 'twice', 'add']);
        await client.go('stepIn', { targetId: targets[2].id });
        const frame = await client.top();
        assert.strictEqual(frame.name, 'add');
        assert(frame.canRestart);
        const stopped = client.waitForEvent('stopped');
        await client.restartFrameRequest({ frameId: frame.id });
        assert.strictEqual((await stopped).body.reason, 'restart');
        await client.go('stepOut');
        assert.strictEqual((await client.top()).name, 'run');
        await client.setFunctionBreakpointsRequest({ breakpoints: [] });
        // Data that is watched on a condition.
        const { body: info } = await client.send('dataBreakpointInfo', { name: 'total', frameId: (await client.top()).id });
        const watched = await client.send('setDataBreakpoints', { breakpoints: [
            { dataId: info.dataId, accessType: 'write', condition: 'total > 20', hitCondition: '1' }] });
        assert(watched.body.breakpoints[0].verified, JSON.stringify(watched.body));
        assert.strictEqual((await client.go('continue')).reason, 'data breakpoint');
    },

    async 'objects are looked at in C++'(client) {
        const file = source('shapes.cpp');
        await client.hitBreakpoint(launch('dwarf/cpp0_5.wasm', ['run', '5']),
            { path: file, line: line(file, 'int found = shape.area();'), verified: false });
        const frame = await client.top();
        assert(frame.name.includes('measure'), frame.name);
        const args = await client.scope(frame.id, 'Arguments');
        const where = await client.variable(args, 'where');
        const point = await client.variable(where.variablesReference, '*');
        assert.strictEqual((await client.variable(point.variablesReference, 'x')).value, '11');
        const x = await client.evaluateRequest({ expression: 'where->y', frameId: frame.id });
        assert.strictEqual(x.body.result, '20');
        await client.go('stepIn');
        assert((await client.top()).name.includes('area'));
        await client.go('stepOut');
    },

    async 'slices and enumerations are looked at in Rust'(client) {
        const file = source('shapes.rs');
        const at = line(file, 'for item in items');
        await client.hitBreakpoint(launch('dwarf/rs0_5.wasm', ['run', '5']), { path: file, line: at, verified: false });
        const { stackFrames } = (await client.stackTraceRequest({ threadId: 1 })).body;
        assert(stackFrames.length >= 2);
        for (const frame of stackFrames) {
            for (const scope of (await client.scopesRequest({ frameId: frame.id })).body.scopes) {
                const { variables } = (await client.variablesRequest({ variablesReference: scope.variablesReference })).body;
                for (const variable of variables.filter((one) => one.variablesReference > 0)) {
                    await client.variablesRequest({ variablesReference: variable.variablesReference });
                }
            }
        }
        const args = await client.scope(stackFrames[0].id, 'Arguments');
        assert(await client.variable(args, 'items'));
    },

    async 'conditions, counts and log messages'(client) {
        const file = source('shapes.c');
        const at = line(file, 'limit--;');
        const output = client.waitForEvent('output');
        await Promise.all([
            client.waitForEvent('initialized').then(async () => {
                await client.setBreakpointsRequest({ source: { path: file }, breakpoints: [
                    { line: at, hitCondition: '3' }, { line: at + 1, logMessage: 'key is {key}' },
                    { line: line(file, 'return total;'), condition: 'limit' }] });
                await client.configurationDoneRequest();
            }),
            client.launch(launch('dwarf/c0_5.wasm', ['run', '3'])),
            client.assertStoppedLocation('breakpoint', { path: file, line: at }),
        ]);
        assert.strictEqual((await output).body.output, 'key is 1\n');
        const key = await client.evaluateRequest({ expression: 'key', frameId: (await client.top()).id });
        assert.strictEqual(key.body.result, '3');
        const ended = client.waitForEvent('terminated');
        await client.continueRequest({ threadId: 1 });
        await ended;
    },

    async 'functions without a source, from the first instruction on'(client) {
        const args = { ...launch('steps/steps.wasm', ['run', '3']), stopOnEntry: true };
        await Promise.all([client.configurationSequence(), client.launch(args), client.waitForEvent('stopped')]);
        await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'plain' }] });
        await client.go('continue');
        const frame = await client.top();
        const reference = frame.source.sourceReference;
        assert(reference > 0);
        const text = (await client.sourceRequest({ source: frame.source, sourceReference: reference })).body.content;
        const lines = text.split('\n');
        const set = await client.setBreakpointsRequest({
            source: frame.source, breakpoints: [{ line: frame.line + 3 }] });
        assert(set.body.breakpoints[0].verified);
        assert(lines.length > frame.line + 3);
        await client.go('continue');
        assert.strictEqual((await client.top()).line, frame.line + 3);
    },

    async 'a host in C is attached to, and goes on'(client) {
        const file = path.join(support, 'steps', 'steps.c');
        const at = line(file, 'total = add(twice(1), twice(2));');
        await Promise.all([
            client.waitForEvent('initialized').then(async () => {
                await client.setBreakpointsRequest({ source: { path: file }, breakpoints: [{ line: at }] });
                await client.configurationDoneRequest();
            }),
            client.initializeRequest().then(() => client.attachRequest({ stopOnEntry: false })),
            client.assertStoppedLocation('breakpoint', { line: at }),
        ]);
        const frame = await client.top();
        assert.strictEqual(frame.name, 'run');
        const n = await client.evaluateRequest({ expression: 'n', frameId: frame.id });
        assert.strictEqual(n.body.result, '3');
        assert(!client.said.includes('run:'));
        await client.stop();
        assert.match(client.said, /^debuggers come to \S+\nrun: \d+\n$/);
    },

    async 'a guest that runs is paused, and ended'(client) {
        await Promise.all([client.configurationSequence(), client.launch(launch('steps/steps.wasm', ['spin', '0']))]);
        await client.go('pause');
        await client.send('cancel', { requestId: 4711 });
        await assert.rejects(client.exceptionInfoRequest({ threadId: 1 }), /has not stopped/);
        await assert.rejects(client.scopesRequest({ frameId: 4711 }), /no frame/);
        await assert.rejects(client.send('evaluate', { expression: 'nothing' }), /nothing/);
        const ended = client.waitForEvent('terminated');
        await client.terminateRequest();
        await ended;
    },
};

async function main() {
    let passed = 0;
    let failed = 0;
    for (const [name, test] of Object.entries(tests)) {
        const client = name.startsWith('a host') ? new Attached() : new Client();
        let late;
        const isLate = new Promise((_, reject) => {
            late = setTimeout(() => reject(new Error('no answer in time')), 15000);
        });
        try {
            await Promise.race([isLate, client.start().then(() => test(client))
                .then(() => client instanceof Attached || client.stop())]);
            passed += 1;
        } catch (error) {
            failed += 1;
            console.log(`${name}: ${error.stack}`);
            client.process.kill();
        }
        clearTimeout(late);
    }
    // Each of these was sent, and looked at.
    for (const name of ['StoppedEvent', 'BreakpointEvent', 'ModuleEvent', 'ThreadEvent', 'LoadedSourceEvent', 'OutputEvent',
        'ExitedEvent', 'TerminatedEvent', 'InitializedEvent', 'DisassembleResponse', 'ErrorResponse', 'VariablesResponse']) {
        if (!seen.has(name)) {
            wrong.push(`no ${name} was seen`);
        }
    }
    wrong.forEach((what) => console.log(what));
    console.log(`note: ${messages} messages of ${seen.size} kinds were held against the protocol`);
    failed += wrong.length;
    passed += wrong.length === 0 ? 1 : 0;
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
}

main();
