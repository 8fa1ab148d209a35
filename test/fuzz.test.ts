// The short form of `npm run soak -- fuzz`: the same inputs at every run, so that red means the change
// in hand, not luck. And the fuzzer itself must be able to find something.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TlogError } from '../tlog/index.js';
import { fuzz } from './fuzz/fuzz.js';
import { targets } from './fuzz/targets.js';

describe('every target', () => {
  for (const target of targets) {
    test(target.name, async () => {
      const { outcomes } = await fuzz(target, 1, (inputs) => inputs < (target.iterations ?? 2000));
      assert.ok(outcomes.has('accepted'), 'no input was accepted: the seeds are not good ones');
    });
  }

  test('has a name of its own', () => {
    assert.equal(new Set(targets.map(({ name }) => name)).size, targets.length);
  });
});

describe('the fuzzer', () => {
  const seeds = [new TextEncoder().encode('length 5')];

  test('finds a crash and shows the shortest input', async () => {
    const target = {
      name: 'a parser that trips over two line ends',
      seeds,
      run(bytes: Uint8Array) {
        if (Buffer.from(bytes).includes('\n\n')) throw new TypeError('undefined is not a function');
      },
    };
    const finding = /a parser that trips.*TypeError: undefined is not a function.*base64: Cgo=$/;
    await assert.rejects(
      fuzz(target, 7, (inputs) => inputs < 5000),
      finding,
    );
  });

  test('takes our own errors for an answer, changed input for a finding', async () => {
    const refuse = (): never => {
      throw new TlogError('bad', 'expected something else');
    };
    const report = await fuzz({ name: 'refuses', seeds, run: refuse }, 7, (inputs) => inputs < 10);
    assert.deepEqual([...report.outcomes], [['bad', 10]]);
    const scribble = (bytes: Uint8Array): void => void bytes.fill(0);
    await assert.rejects(
      fuzz({ name: 'scribbles', seeds, run: scribble }, 7, () => false),
      /input was changed/,
    );
  });

  test('gives the same inputs for the same seed', async () => {
    const record = async (seed: number): Promise<string[]> => {
      const seen: string[] = [];
      const run = (bytes: Uint8Array): void => void seen.push(Buffer.from(bytes).toString('hex'));
      await fuzz({ name: 'records', seeds, run }, seed, (inputs) => inputs < 200);
      return seen;
    };
    assert.deepEqual(await record(3), await record(3));
    assert.notDeepEqual(await record(3), await record(4));
  });
});
