// A proof's checkpoint may be ahead of the one that the log serves: it is held against the log all the same.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkAhead, checkNow } from '../cli/history.js';
import { ClientError, LogReader, type TileSource } from '../client/index.js';
import { concatBytes, encodeUtf8, formatVkey, leafHash, parsePolicy } from '../tlog/index.js';
import { SigningLog } from './helpers/signing-log.js';

const root = mkdtempSync(join(tmpdir(), 'stele-history-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

const FORK = 3;
const honest = new SigningLog();
const forked = new SigningLog(undefined, 'other', FORK);
const policy = parsePolicy(encodeUtf8(`log ${formatVkey(honest.vkey)}\nquorum none\n`));

/** A log that shows this note, and the one tile of trees up to `tiles` leaves of one of the histories. */
async function open(
  note: Uint8Array,
  history: SigningLog,
  tiles: number,
): Promise<Parameters<typeof checkNow>[0]> {
  const missing = (): ClientError => new ClientError('not_found', 'no such tile');
  const text = (i: number): string => `${history === honest || i < FORK ? 'entry' : 'other'} ${i}`;
  const source: TileSource = {
    checkpoint: () => Promise.resolve(note),
    tile: ({ level, index, width }) =>
      level === 0 && index === 0 && width <= tiles
        ? Promise.resolve(
            concatBytes(...Array.from({ length: width }, (_, i) => leafHash(encodeUtf8(text(i))))),
          )
        : Promise.reject(missing()),
    bundle: () => Promise.reject(missing()),
  };
  return { checkpoint: await new LogReader(source, policy).checkpoint(), policy, source };
}

const newFolder = (): string => join(root, String(++folders));
const kept = (folder: string): number => readdirSync(join(folder, 'ahead')).length;
const notHeard = (): Promise<void> => Promise.reject(new Error('nothing agrees'));

test('a proof ahead of the log is checked at once where its tiles are there', async () => {
  const larger = await checkNow(await open(honest.note(5), honest, 9), honest.note(9), newFolder());
  assert.equal(larger?.size, 9);
  const behind = await checkNow(await open(honest.note(9), honest, 9), honest.note(5), newFolder());
  assert.equal(behind?.size, 9);
  await assert.rejects(checkNow(await open(honest.note(5), forked, 9), forked.note(9), newFolder()), {
    code: 'inconsistent',
  });
  await assert.rejects(checkNow(await open(honest.note(9), honest, 9), forked.note(5), newFolder()), {
    code: 'inconsistent',
  });
});

test('a proof whose tiles are not there yet is kept until the log has caught up', async () => {
  const folder = newFolder();
  const lagging = await open(honest.note(5), honest, 5);
  assert.equal(await checkNow(lagging, honest.note(9), folder), undefined);
  assert.equal(kept(folder), 1);
  await assert.rejects(checkAhead(lagging, folder, notHeard), { code: 'went_back' });
  assert.equal(kept(folder), 1);
  const sizes: number[] = [];
  await checkAhead(await open(honest.note(11), honest, 11), folder, ({ size }) => {
    sizes.push(size);
    return Promise.resolve();
  });
  assert.deepEqual(sizes, [11]);
  assert.equal(kept(folder), 0);
});

test('a log that catches up with another history is found out, however often it is asked', async () => {
  const folder = newFolder();
  await checkNow(await open(honest.note(5), honest, 5), forked.note(9), folder);
  const caughtUp = await open(honest.note(11), honest, 11);
  for (let time = 0; time < 2; time++)
    await assert.rejects(checkAhead(caughtUp, folder, notHeard), { code: 'inconsistent' });
  assert.equal(kept(folder), 1);
});
