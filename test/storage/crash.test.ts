/**
 * One log, one failing operation: at every operation of its life in turn, failing in every way, first
 * alone, then with the machine going down and everything that was not synced lost or not, at random.
 * Afterwards the log must open (or, alone, go on), with everything that was acknowledged in it.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { encodeHex } from '../../tlog/index.js';
import type { SignedMark } from '../../log-server/lock.js';
import {
  type Drivers,
  type LogStorage,
  MemoryDisk,
  type MemoryStateData,
  MemoryTreeState,
  StorageError,
  initLogStorage,
  memoryKeyLock,
  newMemoryStateData,
  openLogStorage,
} from '../../log-server/storage/index.js';
import { Random } from '../random.js';
import { type FaultKind, FaultPlan, FaultyDisk, FaultyState } from './faults.js';
import { entriesFrom, entryAt, noteFor, optionsFor, publishBatch, publishHead, rootOf } from './kit.js';

interface Machine {
  readonly disk: MemoryDisk;
  readonly data: MemoryStateData;
  readonly holder: { held: boolean; mark: SignedMark | undefined };
}

const NO_FAULT = new FaultPlan(0, 'before', false);

function drivers(machine: Machine, plan: FaultPlan): Drivers {
  const open = (): Promise<FaultyState> =>
    Promise.resolve(new FaultyState(new MemoryTreeState(machine.data), plan));
  return {
    disk: new FaultyDisk(machine.disk, plan),
    lock: () => Promise.resolve(memoryKeyLock(machine.holder)),
    createState: open,
    openState: open,
  };
}

const BATCHES = [1, 3, 250, 1, 1, 300, 0, 1];

/** What has been promised to somebody outside. */
interface Promised {
  published: number;
  signed: number;
}

/** Runs batches until all are in or something fails; records what was promised before it failed. */
async function live(storage: LogStorage, promised: Promised): Promise<void> {
  let total = 0;
  for (const count of BATCHES) {
    const before = total;
    total += count;
    if (storage.size >= total && count > 0) continue;
    const rest = entriesFrom(Math.max(before, storage.size), total - Math.max(before, storage.size));
    await publishBatch(storage, rest);
    promised.signed = promised.published = storage.size;
  }
}

async function newMachine(): Promise<Machine> {
  const machine = {
    disk: new MemoryDisk(),
    data: newMemoryStateData(),
    holder: { held: false, mark: undefined },
  };
  const options = optionsFor('/none', { publishPartials: true });
  const storage = await initLogStorage(options, drivers(machine, NO_FAULT));
  await storage.writeSigned(noteFor(0, storage.rootHash()));
  await storage.close();
  return machine;
}

const roots = new Map<number, string>();
/** Root of the first `size` entries, hashed once. */
function expectedRoot(size: number): string {
  const known = roots.get(size) ?? encodeHex(rootOf(entriesFrom(0, size)));
  roots.set(size, known);
  return known;
}

async function check(storage: LogStorage, promised: Promised): Promise<void> {
  assert.ok(storage.size >= promised.published);
  assert.equal(storage.readableSize, storage.size);
  assert.equal(encodeHex(storage.rootHash()), expectedRoot(storage.size));
  for (const index of [0, promised.published - 1, storage.size - 1]) {
    if (index >= 0 && index < storage.size) assert.deepEqual(await storage.readEntry(index), entryAt(index));
  }
  const signed = storage.signed;
  assert.ok(signed);
  if (promised.published > 0) assert.ok(storage.published);
  await storage.scrub();
}

async function operationsOfALife(): Promise<number> {
  const machine = await newMachine();
  const plan = new FaultPlan(0, 'before', false);
  const storage = await openLogStorage(
    optionsFor('/none', { publishPartials: true }),
    drivers(machine, plan),
  );
  await live(storage, { published: 0, signed: 0 });
  await storage.close();
  return plan.operations;
}

for (const kind of ['before', 'after', 'torn'] satisfies FaultKind[]) {
  it(`power is lost ${kind === 'torn' ? 'in the middle of' : kind} each operation`, async (t) => {
    const operations = await operationsOfALife();
    const options = optionsFor('/none', { publishPartials: true });
    let injected = 0;
    for (let at = 1; at <= operations; at++) {
      const machine = await newMachine();
      const plan = new FaultPlan(at, kind, true);
      const promised = { published: 0, signed: 0 };
      const storage = await openLogStorage(options, drivers(machine, plan));
      await assert.rejects(live(storage, promised));
      await storage.close();
      injected += plan.injected;
      const random = new Random(at);
      machine.disk.crash(() => (random.chance(0.5) ? 0 : 1));
      machine.holder.held = false;

      const again = await openLogStorage(options, drivers(machine, NO_FAULT));
      await check(again, promised);
      await live(again, promised);
      await publishHead(again);
      await check(again, promised);
      assert.equal(again.size, 557);
      await again.close();
    }
    t.diagnostic(`${injected} faults injected at ${operations} operations`);
    assert.equal(injected, operations);
  });

  it(`one operation fails ${kind === 'torn' ? 'half-way' : kind} and the machine stays up`, async (t) => {
    const operations = await operationsOfALife();
    const options = optionsFor('/none', { publishPartials: true });
    let wentOn = 0;
    let stopped = 0;
    for (let at = 1; at <= operations; at++) {
      const machine = await newMachine();
      const plan = new FaultPlan(at, kind, false);
      const promised = { published: 0, signed: 0 };
      let storage = await openLogStorage(options, drivers(machine, plan));
      try {
        await live(storage, promised);
        assert.fail('expected the fault to be reported');
      } catch (error) {
        assert.ok(error instanceof StorageError, String(error));
        if (error.code === 'storage_failed') {
          // Safe to do again on the same instance.
          await publishHead(storage);
          promised.published = storage.size;
          wentOn += 1;
        } else {
          assert.equal(error.code, 'outcome_unknown');
          await assert.rejects(storage.makeReadable(), { code: 'outcome_unknown' });
          await assert.rejects(publishBatch(storage, []), { code: 'outcome_unknown' });
          await storage.close();
          storage = await openLogStorage(options, drivers(machine, NO_FAULT));
          stopped += 1;
        }
      }
      await check(storage, promised);
      await live(storage, promised);
      await check(storage, promised);
      await storage.close();
    }
    t.diagnostic(`${operations} faults injected: went on after ${wentOn}, stopped after ${stopped}`);
    assert.equal(wentOn + stopped, operations);
    assert.ok(wentOn > 0 && stopped > 0);
  });
}
