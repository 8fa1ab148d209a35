import assert from 'node:assert/strict';
import test from 'node:test';
import type { AnchorRef } from '../../attestation/index.js';
import { TlogError } from '../../tlog/index.js';
import { CliError, EXIT } from '../errors.js';
import { AnchorPending, Anchors } from './anchors.js';

const anchor = (index: number): AnchorRef => ({ index, leafHash: '00'.repeat(32) });

/** A log that answers when told to. */
class SlowLog {
  now = 0;
  known: AnchorRef | undefined;
  isAway = false;
  asked = 0;
  said = '';
  answer: (index: number) => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  readonly anchors = new Anchors({
    context: { monotonic: () => this.now },
    report: { say: (text) => void (this.said += text) },
    ask: () => {
      this.asked++;
      return new Promise<AnchorRef>((resolve, reject) => {
        this.answer = (index) => resolve((this.known = anchor(index)));
        this.fail = reject;
      });
    },
    lastSeen: () => this.known,
    away: () => this.isAway,
  });

  /** Index of the anchor taken, or that there is none yet. */
  async take(): Promise<number | 'pending'> {
    try {
      return (await this.anchors.take()).index;
    } catch (error) {
      if (error instanceof AnchorPending) return 'pending';
      throw error;
    }
  }
}

test('a slow log is waited for in the background, then the last anchor seen is named', async () => {
  const log = new SlowLog();
  log.known = anchor(1);
  assert.equal(await log.take(), 'pending');
  log.now += 29_000;
  assert.equal(await log.take(), 'pending');
  log.now += 1000;
  assert.equal(await log.take(), 1);
  assert.equal(log.asked, 1, 'it is still being asked');
  const { asking } = log.anchors;
  log.answer(7);
  await asking;
  assert.equal(await log.take(), 7);
  log.now += 9000;
  assert.equal(await log.take(), 7);
  assert.equal(log.asked, 1);
  log.now += 1000;
  assert.equal(await log.take(), 'pending', 'a later statement names a newer anchor');
  assert.equal(log.said, '');
});

test('without any anchor seen a slow log is waited for, and that is said once', async () => {
  const log = new SlowLog();
  for (let i = 0; i < 5; i++) {
    assert.equal(await log.take(), 'pending');
    log.now += 20_000;
  }
  assert.equal(log.said.split('slow').length, 2);
  const { asking } = log.anchors;
  log.answer(3);
  await asking;
  assert.equal(await log.take(), 3);
});

test('a log that is away is let alone for a while, one that lies is told of', async () => {
  const log = new SlowLog();
  log.known = anchor(1);
  log.isAway = true;
  assert.equal(await log.take(), 1);
  assert.equal(log.asked, 0);
  log.isAway = false;
  const fails = async (error: Error): Promise<void> => {
    assert.equal(await log.take(), 'pending');
    const { asking } = log.anchors;
    log.fail(error);
    await asking;
  };
  await fails(new CliError(EXIT.network, 'unreachable', 'away'));
  assert.equal(await log.take(), 1);
  log.now += 59_000;
  assert.equal(await log.take(), 1);
  log.now += 1000;
  await fails(new CliError(EXIT.misbehaviour, 'inconsistent', 'it lies'));
  await assert.rejects(log.take(), { code: 'inconsistent' });
  // Nothing to fall back on: what went wrong is told, and it is asked again.
  log.known = undefined;
  await fails(new CliError(EXIT.network, 'unreachable', 'away'));
  await assert.rejects(log.take(), { code: 'unreachable' });
  assert.equal(await log.take(), 'pending');
});

test('what answers in the place of a log that was itself before ends nothing', async () => {
  const log = new SlowLog();
  const fails = async (error: Error): Promise<void> => {
    assert.equal(await log.take(), 'pending');
    const { asking } = log.anchors;
    log.fail(error);
    await asking;
    log.now += 60_000;
  };
  const page = new TlogError('bad_note', 'a page that says "maintenance"', 'wait');
  const notFound = new CliError(EXIT.failed, 'not_found', '404', 'wait');
  // At first it may be the wrong address, and whoever gave that is told.
  await fails(page);
  await assert.rejects(log.take(), { code: 'bad_note' });
  log.known = anchor(1);
  for (const error of [page, notFound]) {
    await fails(error);
    log.now -= 60_000;
    assert.equal(await log.take(), 1);
    log.now += 60_000;
  }
  // What waiting does not mend, and what is wrong here, is told.
  for (const error of [
    new CliError(EXIT.usage, 'records_behind', 'an older copy', ''),
    new TypeError('a fault of this program'),
  ]) {
    await fails(error);
    await assert.rejects(log.take(), error);
  }
});
