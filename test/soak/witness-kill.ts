import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WitnessClient, type AddCheckpointResult } from '../../client/index.js';
import { equalBytes, parseSigningKey, type Vkey } from '../../tlog/index.js';
import { startScript } from '../helpers/process.js';
import { SigningLog } from '../helpers/signing-log.js';
import { witnessFolder } from '../helpers/witness.js';
import { Random } from '../random.js';
import type { Soak } from './soak.js';

/** Logs that are asked about at one time, and all that the witness knows: one that is convicted is followed by another. */
const LANES = 6;
const LOGS = 2000;
/** Milliseconds within which a witness under load is killed. */
const LIFE = 250;
/** The forged history of each log leaves the honest one here. */
const FORK = 20;
const MAX_SIZE = 4000;

/** One log, both histories under its key, and everything that was ever acknowledged for it. */
class Record {
  readonly honest: SigningLog;
  readonly forged: SigningLog;
  size = 0;
  rootHash = new Uint8Array();
  timestamp = 0;
  /** The history asked for last went through: which of the two the witness is on. */
  onForged = false;
  /** It was shown both histories. */
  tried = false;
  /** The witness said 403, as to a log that was convicted. */
  convicted = false;

  constructor(i: number) {
    this.honest = new SigningLog(`log.example/${i}`);
    this.forged = new SigningLog(this.honest.origin, 'forged', FORK);
  }

  get current(): SigningLog {
    return this.onForged ? this.forged : this.honest;
  }

  /** Judges a cosignature that left the witness. */
  acknowledge(size: number, by: SigningLog, timestamp: number): void {
    if (size < this.size) throw new Error(`${by.origin}: size ${size} cosigned after ${this.size}`);
    if (timestamp < this.timestamp)
      throw new Error(`${by.origin}: time ${timestamp} after ${this.timestamp}`);
    if (this.size > 0 && !equalBytes(by.root(this.size), this.rootHash)) {
      throw new Error(`${by.origin}: two histories cosigned, at ${this.size} and ${size}`);
    }
    this.size = size;
    this.rootHash = Uint8Array.from(by.root(size));
    this.timestamp = timestamp;
    if (size > FORK) this.onForged = by === this.forged;
  }
}

/** SIGKILL at a random moment of concurrent requests, honest and forged, again and again. */
const soak: Soak = {
  desc: 'a witness killed at random under load: nothing answered is forgotten, no two histories cosigned',
  minutes: 5,
  takes: ['seed'],
  async run({ minutes, seed }) {
    const random = new Random(seed);
    const records = Array.from({ length: LOGS }, (_, i) => new Record(i));
    const folder = await witnessFolder({ logs: records.map(({ honest }) => honest.vkey) });
    const key = parseSigningKey((await readFile(join(folder, 'witness.key'), 'utf8')).trimEnd());
    const end = performance.now() + minutes * 60_000;
    const met = { kills: 0, cosigned: 0, refused: 0, conflicts: 0, unanswered: 0, convicted: 0, again: 0 };
    while (performance.now() < end) {
      const child = startScript('test/helpers/witness-child', [folder]);
      const url = await child.firstLine;
      const killed = new Promise((resolve) => setTimeout(resolve, random.below(LIFE)));
      void killed.then(() => child.process.kill('SIGKILL'));
      const convicted = records.filter((record) => record.convicted);
      const going = records.filter((record) => !record.convicted).slice(0, LANES);
      if (going.length < LANES)
        throw new Error(`all ${LOGS} logs are convicted: fewer minutes, or more logs`);
      const asked = [...going, ...(convicted.length > 0 ? [random.pick(convicted)] : [])];
      await Promise.all(asked.map((record) => load(url, [key.vkey], record, random, met)));
      if ((await child.ended) !== 'SIGKILL')
        throw new Error(`the witness ended by itself: ${child.stderr()}`);
      met.kills++;
    }
    await rm(folder, { recursive: true });
    return {
      figures: [
        `${met.kills} SIGKILLs, every restart clean`,
        `${met.cosigned} cosignatures acknowledged, for ${LANES} logs at a time: none forgotten, no time or size fell, no two inconsistent`,
        `${met.refused} requests of another history refused with 422, ${met.conflicts} stale ones with 409, ${met.unanswered} cut off`,
        `${met.convicted} logs convicted of their other history; each asked again later, ${met.again} times, still got 403`,
      ],
    };
  },
};

interface Met {
  cosigned: number;
  refused: number;
  conflicts: number;
  unanswered: number;
  convicted: number;
  again: number;
}

/** Advances one log until the witness is gone, now and then trying the other history. */
async function load(url: string, vkeys: Vkey[], record: Record, random: Random, met: Met): Promise<void> {
  const client = new WitnessClient({ url, vkeys });
  let oldSize = record.size;
  for (;;) {
    const other = record.onForged ? record.honest : record.forged;
    const by = random.chance(0.2) ? other : record.current;
    if (by === other) record.tried = true;
    const size = Math.min(oldSize + random.below(4), MAX_SIZE);
    const proof = await by.proof(oldSize, size);
    const result: AddCheckpointResult = await client.addCheckpoint({ oldSize, proof, note: by.note(size) });
    switch (result.kind) {
      case 'cosigned':
        met.cosigned++;
        if (record.convicted) throw new Error(`${by.origin}: cosigned, though it was convicted`);
        record.acknowledge(size, by, result.cosignatures[0]?.timestamp ?? 0);
        oldSize = size;
        break;
      case 'inconsistent':
        met.refused++;
        break;
      case 'conflict':
        // What was written but not answered may have landed; nothing may have been lost.
        met.conflicts++;
        if (result.size === undefined || result.size < record.size) {
          throw new Error(
            `${by.origin}: ${record.size} was acknowledged, ${result.size ?? 'nothing'} is held`,
          );
        }
        oldSize = result.size;
        break;
      case 'silent':
        met.unanswered++;
        return;
      case 'refused':
        // Both histories of one size, or tiles that it kept, are proof; and what convicts is never forgotten.
        if (result.status !== 403 || !record.tried)
          throw new Error(`${by.origin}: expected an answer of tlog-witness, found status ${result.status}`);
        if (record.convicted) met.again++;
        else met.convicted++;
        record.convicted = true;
        return;
      default:
        throw new Error(`${by.origin}: expected an answer of tlog-witness, found ${result.kind}`);
    }
  }
}

export default soak;
