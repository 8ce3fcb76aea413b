// Looks at the pages of `stepwell-run --coverage FILE.html` in a browser, which is told what to do by puppeteer: what it shows
// is what lcov's format says, for eyes and for keyboards, on wide and narrow screens, in light and dark.
//
//     node look.js STEPWELL-RUN FOLDER [PICTURES]     where FOLDER has node_modules/; `scripts/test dap` does all of it
//
// CHROMIUM in the environment is another browser than `chromium`. Into PICTURES, a folder, it puts what it has seen. The last
// line is `N passed, M failed`.
'use strict';
const fs = require('fs');
const path = require('path');
const assert = require('assert');
const { execFileSync } = require('child_process');
const { createRequire } = require('module');
const { pathToFileURL } = require('url');

const [run, folder, pictures] = process.argv.slice(2).map((name) => path.resolve(name));
const puppeteer = createRequire(path.join(folder, 'package.json'))('puppeteer-core');
const root = path.resolve(__dirname, '..', '..');

const guests = {
    program: ['c-examples/guest/program.wasm', 'args', 'one'],
    // Several files, the text of none of which is here.
    shapes: ['--stub-missing', '--invoke', 'run', 'tests/support/dwarf/rs0_5.wasm', '5'],
};
const screens = [[1280, 900, 'light'], [1280, 900, 'dark'], [360, 740, 'light'], [360, 740, 'dark']];

/// What was reached, as lcov's format has it.
function tracefile(text) {
    const files = new Map();
    let file;
    for (const [, key, value] of text.matchAll(/^(\w+):(.*)$/gm)) {
        const [first, second, , taken] = value.split(',');
        if (key === 'SF') {
            files.set(value, file = { lines: new Map(), functions: new Map(), sides: new Map(), said: {} });
        } else if (key === 'DA') {
            file.lines.set(Number(first), second !== '0');
        } else if (key === 'BRDA') {
            file.sides.set(Number(first), [...file.sides.get(Number(first)) ?? [], taken === '1']);
        } else if (key === 'FN') {
            file.functions.set(value.slice(first.length + 1), { line: Number(first), reached: false });
        } else if (key === 'FNDA') {
            file.functions.get(value.slice(first.length + 1)).reached = first !== '0';
        } else if (/^(L|FN|BR)[FH]$/.test(key)) {
            file.said[key] = Number(value);
        }
    }
    return [...files].sort(([a], [b]) => (a < b ? -1 : 1));
}

function covered(name) {
    const made = {};
    for (const kind of ['html', 'info']) {
        const file = path.join(folder, `${name}.${kind}`);
        execFileSync(run, ['--coverage', file, ...guests[name]], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
        made[kind] = file;
    }
    const files = tracefile(fs.readFileSync(made.info, 'utf8'));
    assert(files.length > 0 && files.some(([, file]) => file.lines.size > 10), name);
    return { url: pathToFileURL(made.html).href, files };
}

/// What each line of a file is to be shown as.
function kinds(file) {
    const found = new Map();
    for (const [line, reached] of file.lines) {
        const isPart = (file.sides.get(line) ?? []).includes(false);
        found.set(line, !reached ? 'miss' : isPart ? 'part' : 'hit');
    }
    return found;
}

const tests = {
    async 'the numbers and lines are those of lcov'(page, { files }) {
        const shown = await page.evaluate(() => ({
            rows: [...document.querySelectorAll('tbody tr, tfoot tr')].map((row) => [...row.cells].map((cell) => cell.innerText)),
            bars: [...document.querySelectorAll('meter')].map((bar) => [bar.value, parseInt(bar.nextSibling.data, 10)]),
            texts: [...document.querySelectorAll('details')].map((box) => [...box.querySelectorAll('pre span')].map((line) => [
                Number(line.querySelector('b').textContent), line.className, line.querySelector('i')?.textContent ?? ''])),
        }));
        const sum = [0, 0, 0, 0, 0, 0];
        const share = (reached, all) => (all === 0 ? 'none' : `${Math.floor(reached * 100 / all)} % ${reached} of ${all}`);
        const wanted = files.map(([name, { said }]) => {
            const all = [said.LH, said.LF, said.FNH, said.FNF, said.BRH ?? 0, said.BRF ?? 0];
            all.forEach((number, at) => { sum[at] += number ?? 0; });
            return [name, share(all[0], all[1]), share(all[2] ?? 0, all[3] ?? 0), share(all[4], all[5])];
        });
        wanted.push(['all', share(sum[0], sum[1]), share(sum[2], sum[3]), share(sum[4], sum[5])]);
        assert.deepStrictEqual(shown.rows.map((row) => row.map((cell) => cell.replace(/\s+/g, ' ').trim())), wanted);
        assert(shown.bars.length > 2 && shown.bars.every(([value, told]) => value === told));
        files.forEach(([name, file], at) => {
            const wanted = kinds(file);
            const lines = shown.texts[at];
            assert.deepStrictEqual(lines.filter(([number]) => wanted.has(number)).length, wanted.size, name);
            for (const [number, kind, ways] of lines) {
                assert.strictEqual(kind, wanted.get(number) ?? '', `${name}:${number}`);
                const sides = file.sides.get(number);
                assert.strictEqual(ways, sides ? `${sides.filter(Boolean).length} of ${sides.length} ways` : '', `${name}:${number}`);
            }
        });
    },

    async 'what is told by colours can be read, and is told by marks, too'(page, _, [, , scheme]) {
        const seen = await page.evaluate(() => {
            const numbers = (text) => text.match(/[\d.]+/g).map(Number);
            // Colours lie on one another, and on the page.
            const paper = document.createElement('p');
            paper.style.background = 'Canvas';
            document.body.append(paper);
            const below = numbers(getComputedStyle(paper).backgroundColor);
            paper.remove();
            const over = ([r, g, b, a = 1], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a));
            const look = (element, under) => over(numbers(getComputedStyle(element).color), under);
            const light = (colour) => colour.map((part) => part / 255)
                .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
                .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
            const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
            const found = {};
            for (const kind of ['hit', 'part', 'miss', '']) {
                const line = document.querySelector(kind ? `pre .${kind}` : 'pre span:not([class])');
                if (line) {
                    const under = over(numbers(getComputedStyle(line).backgroundColor), below);
                    const number = line.querySelector('b');
                    found[kind] = { under: under.map(Math.round).join(), text: contrast(look(line, under), under),
                        number: contrast(look(number, under), under), mark: getComputedStyle(number, '::before').content };
                }
            }
            return { found, paper: light(below) };
        });
        assert.strictEqual(seen.paper > 0.5, scheme === 'light');
        const all = Object.entries(seen.found);
        assert(all.length >= 2);
        for (const [kind, { text, number }] of all) {
            assert(text >= 7 && number >= 4.5, `${kind}: ${text} ${number}`);
        }
        for (const what of ['under', 'mark']) {
            const told = all.filter(([kind]) => what === 'under' || kind !== '').map(([, look]) => look[what]);
            assert.strictEqual(new Set(told).size, told.length, JSON.stringify(seen.found));
        }
    },

    async 'it is as wide as the screen'(page, _, [width]) {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert(wide <= width, `${wide} of ${width}`);
    },

    async 'every link leads somewhere, into closed boxes too'(page, { files }) {
        const links = await page.evaluate(() => [...document.querySelectorAll('a')].map((link) => {
            const to = document.getElementById(decodeURIComponent(link.hash.slice(1)));
            const line = to?.closest('pre span')?.querySelector('b').textContent;
            return { text: link.textContent, hash: link.hash, line, isText: to?.tagName === 'PRE' };
        }));
        const lines = new Map(files.flatMap(([, file], at) => [...file.functions].map(([name, { line }]) => [`#f${at}l${line}`, line])));
        let functions = 0;
        for (const { text, hash, line, isText } of links) {
            assert(line !== undefined || isText, `${text}: ${hash}`);
            if (/^#f\d+l/.test(hash)) {
                assert.strictEqual(Number(line), lines.get(hash), text);
                functions += 1;
            }
        }
        const missed = files.flatMap(([, file]) => [...file.functions.values()].filter(({ reached }) => !reached));
        assert.strictEqual(functions, missed.length);
        await page.evaluate(() => document.querySelectorAll('details').forEach((box) => { box.open = false; }));
        await page.click('tbody tr:last-child a');
        const last = await page.evaluate(() => [...document.querySelectorAll('details')].map((box) => box.open).lastIndexOf(true));
        assert.strictEqual(last, files.length - 1);
    },

    async 'a keyboard goes through the gaps'(page, { files }) {
        const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('href'));
        const go = async (to) => {
            for (let presses = 0; presses < 40; presses++) {
                await page.keyboard.press('Tab');
                if (await focused() === to) {
                    return;
                }
            }
            assert.fail(`Tab does not come to ${to}`);
        };
        await go('only');
        const seen = () => page.evaluate(() => [...document.querySelectorAll('pre span')]
            .filter((line) => line.checkVisibility()).map((line) => line.className));
        const all = (await seen()).length;
        await page.keyboard.press('Space');
        const gaps = files.flatMap(([, file]) => [...kinds(file).values()].filter((kind) => kind !== 'hit'));
        assert.deepStrictEqual((await seen()).sort(), gaps.sort());
        await page.keyboard.press('Space');
        assert.strictEqual((await seen()).length, all);
        const starts = files.flatMap(([, file]) => [...file.lines].sort(([a], [b]) => a - b)
            .filter(([, reached], at, lines) => !reached && (at === 0 || lines[at - 1][1])).map(([line]) => line));
        if (starts.length === 0) {
            return;
        }
        await go('#g0');
        for (const [at, line] of [...starts, starts[0]].entries()) {
            await page.keyboard.press('Enter');
            const came = await page.evaluate(() => {
                const link = document.getElementById(location.hash.slice(1));
                const { top, bottom } = link.getBoundingClientRect();
                return [location.hash, Number(link.textContent), top >= 0 && bottom <= innerHeight];
            });
            assert.deepStrictEqual(came, [`#g${at % starts.length}`, line, true]);
            if (await focused() !== came[0].slice(1)) {
                await go(came[0].slice(1));
            }
        }
    },
};

async function main() {
    let passed = 0;
    let failed = 0;
    const root_ = process.getuid?.() === 0;
    const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: root_ ? ['--no-sandbox'] : [] });
    for (const guest of Object.keys(guests)) {
        const made = covered(guest);
        for (const screen of screens) {
            for (const [name, test] of Object.entries(tests)) {
                const [width, height, value] = screen;
                const page = await browser.newPage();
                const wrong = [];
                page.on('console', (message) => wrong.push(`it says ${message.text()}`));
                page.on('pageerror', (error) => wrong.push(`it fails: ${error}`));
                page.on('request', (request) => { if (request.url().split('#')[0] !== made.url) wrong.push(`it asks for ${request.url()}`); });
                try {
                    await page.setViewport({ width, height });
                    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }]);
                    await page.goto(made.url);
                    await test(page, made, screen);
                    assert.deepStrictEqual(wrong, []);
                    passed += 1;
                } catch (error) {
                    failed += 1;
                    console.log(`${guest}, ${screen.join(' ')}: ${name}: ${error.stack}`);
                }
                if (pictures) {
                    await page.screenshot({ path: path.join(pictures, `${guest}-${width}-${value}-${Object.keys(tests).indexOf(name)}.png`) });
                }
                await page.close();
            }
        }
    }
    await browser.close();
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
}

main();
