import assert from 'node:assert/strict';
import test from 'node:test';
import { soaks } from './list.js';
import { choose, readWords } from './options.js';

test('a long proof takes the options that it has a use for, and no other', async () => {
  const given = { minutes: '2', seed: '7', witnesses: '3', entries: '20000' };
  const accepted: string[] = [];
  for (const [name, load] of Object.entries(soaks)) {
    const soak = await load();
    for (const [option, value] of Object.entries(given)) {
      try {
        const { again } = choose(name, soak, { [option]: value }, 1);
        assert.ok(again.includes(` --${option} ${value}`), `${name}:${again}`);
        accepted.push(`${name} ${option}`);
      } catch (error) {
        const told = (error as Error).message;
        assert.match(told, new RegExp(`^${name} has no use for --${option}; it takes (--|no option)`));
      }
    }
  }
  const timed = Object.keys(soaks).filter((name) => name !== 'scale');
  const seeded = timed.filter((name) => !['strace', 'witness-attack', 'log-attack', 'hammer'].includes(name));
  assert.deepEqual(
    accepted.toSorted(),
    [
      ...timed.map((name) => `${name} minutes`),
      ...[...seeded, 'scale'].map((name) => `${name} seed`),
      'simulation witnesses',
      'scale entries',
    ].toSorted(),
  );
});

test('what was typed is read, and what makes no sense is said', async () => {
  const { name, values, record } = readWords(['scale', '--entries', '10000', '--seed', '3', '--record']);
  assert.deepEqual([name, record], ['scale', true]);
  const scale = await soaks['scale']?.();
  assert.ok(scale);
  const { options, again, extra } = choose(name, scale, values, 1);
  assert.deepEqual(options, { minutes: 1, seed: 3, entries: 10_000 });
  assert.deepEqual([again, extra], [' --seed 3 --entries 10000', ' --entries 10000']);
  assert.equal(choose(name, scale, {}, 5).again, ' --seed 5');
  for (const values of [{ entries: '9' }, { seed: 'x' }, { seed: '1.5' }, { entries: 'many' }])
    assert.throws(() => choose(name, scale, values, 1), { message: /^expected --minutes as/ });
  assert.throws(() => readWords(['scale', 'faults']), { message: 'expected one name, found faults besides' });
  assert.throws(() => readWords(['scale', '--hours', '3']), { message: /--hours/ });
});
