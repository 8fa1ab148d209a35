// Keeps every acknowledgement and every signed note that ever left a log, and judges at the end.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CompactRange,
  decodeUtf8,
  encodeHex,
  encodeUtf8,
  formatVkey,
  leafHash,
  openCheckpoint,
  parseTlogProof,
  verifyTlogProof,
} from '../../tlog/index.js';
import type { Policy, Vkey } from '../../tlog/index.js';
import { LogReader, httpSource } from '../../client/index.js';

/** What a submitter was told. */
export interface Acknowledgement {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly proof: Uint8Array;
}

/** What judging found, when nothing was wrong. */
export interface Judgement {
  readonly size: number;
  readonly acknowledged: number;
  readonly notes: number;
}

/** Stands between a log and the world. */
export class Recorder {
  readonly acknowledgements: Acknowledgement[] = [];
  /** By their bytes, since the same note is seen many times. */
  readonly #notes = new Map<string, Uint8Array>();
  readonly #closers: (() => Promise<void>)[] = [];

  note(bytes: Uint8Array): void {
    this.#notes.set(encodeHex(bytes), bytes);
  }

  /** Every note that was seen. */
  get notes(): readonly Uint8Array[] {
    return [...this.#notes.values()];
  }

  acknowledge(leaf: Uint8Array, index: number, proof: Uint8Array): void {
    this.acknowledgements.push({ leaf, index, proof });
    this.note(parseTlogProof(proof).checkpoint);
  }

  /** A door in front of a witness that lets everything through and keeps the notes. */
  async doorTo(target: () => string): Promise<string> {
    const server = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const body = Buffer.concat(chunks);
        const text = decodeUtf8(body, 'request');
        if (incoming.method === 'POST') this.note(encodeUtf8(text.slice(text.indexOf('\n\n') + 2)));
        const init = incoming.method === 'POST' ? { method: 'POST', body } : {};
        fetch(`${target()}${incoming.url ?? '/'}`, init).then(
          async (answer) => {
            const type = answer.headers.get('content-type');
            outgoing.writeHead(answer.status, type === null ? {} : { 'content-type': type });
            outgoing.end(Buffer.from(await answer.arrayBuffer()));
          },
          () => outgoing.destroy(),
        );
      });
      // The log is killed while it asks: that is the point.
      incoming.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#closers.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /**
   * Reads the whole log as a stranger would and holds it against everything that ever left it: no
   * acknowledged entry lost or moved, every proof still good, every signed note of this one history and
   * signed by the keys that sign heads of its size.
   */
  async judge(
    url: string,
    policy: Policy,
    logKeys: readonly Vkey[],
    due: (size: number) => readonly Vkey[] = () => logKeys,
  ): Promise<Judgement> {
    const reader = new LogReader(httpSource(url), policy);
    const { size } = await reader.checkpoint();
    const range = new CompactRange();
    const roots = [encodeHex(range.root())];
    const leaves: string[] = [];
    for await (const { entry } of reader.entries(0, size)) {
      const hash = leafHash(entry);
      leaves.push(encodeHex(hash));
      range.append(hash);
      roots.push(encodeHex(range.root()));
    }
    for (const { leaf, index, proof } of this.acknowledgements) {
      assert.equal(
        leaves[index],
        encodeHex(leafHash(leaf)),
        `entry ${index} was acknowledged and is not there`,
      );
      assert.equal(verifyTlogProof({ proof, leafHash: leafHash(leaf), policy }).index, index);
    }
    const indexes = this.acknowledgements.map(({ leaf, index }) => `${encodeHex(leafHash(leaf))} ${index}`);
    const byLeaf = new Map(indexes.map((each) => each.split(' ') as [string, string]));
    for (const each of indexes)
      assert.equal(`${each.split(' ')[0]} ${byLeaf.get(each.split(' ')[0] ?? '')}`, each);
    for (const note of this.#notes.values()) {
      const { checkpoint, logSignatures } = openCheckpoint(note, logKeys);
      assert.deepEqual(
        logSignatures.map(({ vkey }) => formatVkey(vkey)).sort(),
        due(checkpoint.size).map(formatVkey).sort(),
        `size ${checkpoint.size}: a line by each key of the log whose turn it is, and by no other`,
      );
      assert.ok(
        checkpoint.size <= size,
        `a note of size ${checkpoint.size} was signed, and the log has ${size}`,
      );
      assert.equal(
        encodeHex(checkpoint.rootHash),
        roots[checkpoint.size],
        `another root at ${checkpoint.size} was signed`,
      );
    }
    return { size, acknowledged: this.acknowledgements.length, notes: this.#notes.size };
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
  }
}
