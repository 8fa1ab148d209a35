// A second history under the log's own key: what a dishonest operator could try, by every means that a
// copied key gives. Our own server refuses to do it, so the fork is made here by hand.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WitnessClient, type LogReader } from '../client/index.js';
import {
  CompactRange,
  formatCheckpoint,
  leafHash,
  parsePolicy,
  parseSigningKey,
  proveConsistency,
  signNote,
  treeRoot,
  type HashReader,
  type NodeId,
} from '../tlog/index.js';

/** What a witness answered to the fork. */
export interface Answer {
  readonly witness: string;
  readonly kind: string;
  readonly cosigned: boolean;
}

/** A tree head of the other history. */
export interface Fork {
  readonly size: number;
  readonly rootHash: Uint8Array;
  readonly note: Uint8Array;
  /** Its nodes, as its tiles would have them. */
  readonly read: HashReader;
  readonly answers: readonly Answer[];
}

/**
 * Rebuilds the log without entry `hidden`, a filler in its place and one entry more at the end, signs
 * that tree with the log's key, and asks every witness of the policy to cosign it.
 */
export async function tryFork(
  logFolder: string,
  reader: LogReader,
  size: number,
  hidden: number,
): Promise<Fork> {
  const key = parseSigningKey(readFileSync(join(logFolder, 'log.key'), 'utf8').trimEnd());
  const policy = parsePolicy(readFileSync(join(logFolder, 'policy')));
  const nodes = new Map<string, Uint8Array>();
  const range = new CompactRange();
  const at = ({ level, index }: NodeId): string => `${level}/${index}`;
  const append = (hash: Uint8Array): void =>
    range.appendVisiting(hash, (level, index, nodeHash) => void nodes.set(at({ level, index }), nodeHash));
  for (let index = 0; index < size; index++) {
    append(
      leafHash(index === hidden ? new TextEncoder().encode('nothing happened') : await reader.entry(index)),
    );
  }
  append(leafHash(new TextEncoder().encode('business as usual')));

  const read: HashReader = (wanted) =>
    Promise.resolve(
      wanted.map((node) => {
        const hash = nodes.get(at(node));
        if (hash === undefined) throw new Error(`the fork has no node ${at(node)}`);
        return hash;
      }),
    );
  const forked = size + 1;
  const rootHash = await treeRoot(forked, read);
  const text = formatCheckpoint({ origin: key.name, size: forked, rootHash, extensions: [] });
  const note = signNote(text, [key]);
  const answers: Answer[] = [];
  for (const { name, vkey, url } of policy.witnesses) {
    const witness = new WitnessClient({ url: url ?? '', vkeys: [vkey] });
    const ask = async (oldSize: number): ReturnType<WitnessClient['addCheckpoint']> =>
      witness.addCheckpoint({ oldSize, proof: await proveConsistency(oldSize, forked, read), note });
    let answer = await ask(size);
    // This witness has not seen the newest entries yet. It says which size it knows, so ask again.
    if (answer.kind === 'conflict' && answer.size !== undefined) answer = await ask(answer.size);
    answers.push({ witness: name, kind: answer.kind, cosigned: answer.kind === 'cosigned' });
  }
  return { size: forked, rootHash, note, read, answers };
}
