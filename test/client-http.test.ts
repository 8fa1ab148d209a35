// What only a real connection shows: compression, redirects, answers without end.
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { httpSource, LogReader, WitnessClient } from '../client/index.js';
import {
  encodeUtf8,
  entriesPath,
  formatBundle,
  formatTile,
  formatVkey,
  leafHash,
  parsePolicy,
  tilePath,
} from '../tlog/index.js';
import { startFakeWitness } from './helpers/fake-witness.js';
import { SigningLog } from './helpers/signing-log.js';
import { startTestWitness } from './helpers/witness.js';

const log = new SigningLog();

async function serve(
  t: TestContext,
  answer: (path: string, outgoing: ServerResponse) => void,
): Promise<string> {
  const server = createServer((incoming, outgoing) => answer(incoming.url ?? '', outgoing));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('bundles compressed without being asked are read; what unpacks to too much is not', async (t) => {
  const entries = [0, 1, 2].map((i) => encodeUtf8(`entry ${i}`));
  const bundle = `/${entriesPath(0, 3)}`;
  const tile = `/${tilePath({ level: 0, index: 0, width: 3 })}`;
  let bomb = false;
  const url = await serve(t, (path, outgoing) => {
    if (path === '/checkpoint') outgoing.end(log.note(3));
    else if (path === bundle) {
      outgoing.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(formatBundle(entries)));
    } else if (path === tile) {
      const bytes = bomb ? Buffer.alloc(50_000_000) : formatTile(entries.map((entry) => leafHash(entry)));
      outgoing.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes));
    } else outgoing.writeHead(404).end();
  });
  const policy = parsePolicy(encodeUtf8(`log ${formatVkey(log.vkey)}\nquorum none\n`));
  assert.deepEqual(await new LogReader(httpSource(url), policy).entry(2), entries[2]);
  bomb = true;
  await assert.rejects(new LogReader(httpSource(url), policy).entry(2), { code: 'too_large' });
});

test('a redirect is said, and not followed', async (t) => {
  let asked = 0;
  const inside = await serve(t, (_, outgoing) => {
    asked++;
    outgoing.end(log.note(3));
  });
  const url = await serve(t, (path, outgoing) => {
    outgoing.writeHead(307, { location: `${inside}${path}` }).end();
  });
  await assert.rejects(httpSource(url).checkpoint(), { code: 'redirected' });
  const client = new WitnessClient({ url, vkeys: [log.vkey] });
  const result = await client.addCheckpoint({ oldSize: 0, proof: [], note: log.note(3) });
  assert.equal(result.kind === 'silent' ? result.error.code : '', 'redirected');
  assert.equal(asked, 0);
});

test('a real witness, then every way in which one can fail, as the client tells it', async (t) => {
  const witness = await startTestWitness({ logs: [log.vkey], mldsa: true });
  t.after(() => witness.remove());
  const fake = await startFakeWitness({ script: { kind: 'cosign' } });
  t.after(() => fake.close());
  const request = { oldSize: 0, proof: [], note: log.note(3) };

  const real = await new WitnessClient({ url: witness.url, vkeys: witness.vkeys }).addCheckpoint(request);
  assert.equal(real.kind === 'cosigned' ? real.lines.length : 0, 2);

  // Short enough that the hanging ones end soon; nothing is measured.
  const client = new WitnessClient({ url: fake.url, vkeys: [fake.vkey], timeoutMs: 400 });
  const tell = async (): Promise<string> => {
    const result = await client.addCheckpoint(request);
    if (result.kind === 'silent') return result.error.code;
    return result.kind === 'conflict' ? `conflict ${result.size ?? 'without size'}` : result.kind;
  };
  assert.equal(await tell(), 'cosigned');
  for (const [script, expected] of [
    [{ kind: 'cosign', timestamp: 5 }, 'cosigned'],
    [{ kind: 'cosign-other' }, 'bad_signature'],
    [{ kind: 'conflict', size: 8 }, 'conflict 8'],
    [{ kind: 'conflict-without-size' }, 'conflict without size'],
    [{ kind: 'inconsistent' }, 'inconsistent'],
    [{ kind: 'status', status: 404 }, 'unknown-log'],
    [{ kind: 'status', status: 403 }, 'refused'],
    [{ kind: 'status', status: 500 }, 'bad_status'],
    [{ kind: 'garbage' }, 'bad_note'],
    [{ kind: 'endless' }, 'too_large'],
    [{ kind: 'disconnect' }, 'unreachable'],
    [{ kind: 'redirect', to: witness.url }, 'redirected'],
    [{ kind: 'hang' }, 'timeout'],
    [{ kind: 'hang-in-body' }, 'timeout'],
  ] as const) {
    fake.script = script;
    assert.equal(await tell(), expected, script.kind);
  }
  assert.equal(fake.requests.at(-1)?.checkpoint.size, 3);
});
