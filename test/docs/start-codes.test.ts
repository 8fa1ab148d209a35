// docs/operating.md, "The log does not start": a row for each code that a start can end with, and for no other.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

const root = new URL('../../../', import.meta.url);
const read = (path: string): Promise<string> => readFile(new URL(path, root), 'utf8');

/** What a start runs before it listens; beside it the whole of log-server/storage. */
const SOURCES = ['index', 'charter-check', 'folder', 'lock', 'log-keys', 'rotation-plan'].map(
  (name) => `log-server/${name}.ts`,
);
const SHARED = ['system/key-file.ts', 'system/owner.ts'];

/** Of those sources, and not of a start: of writing, of init and of recover. */
const LATER = ['already_exists', 'closed', 'not_allowed', 'not_found', 'outcome_unknown', 'size_conflict'];

/** Of what the system says no with: not of a start, which asks nobody and makes nothing by a name that is taken. */
const NOT_THE_SYSTEMS = ['already_exists', 'no_file', 'unreachable'];

test('each code that a start can end with has its row', async () => {
  const storage = (await readdir(new URL('log-server/storage/', root))).filter(
    (name) => !name.includes('.test.'),
  );
  const files = [...SOURCES, ...SHARED, ...storage.map((name) => `log-server/storage/${name}`)];
  const codes = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.ts'))) {
    // The code stands first, but that of a CliError after its status.
    for (const [, code = ''] of (await read(file)).matchAll(/Error\(\s*(?:EXIT\.\w+,\s*)?'([a-z_]+)'/g))
      if (!LATER.includes(code)) codes.add(code);
  }
  const system = /const SYSTEM[\s\S]*?^};/m.exec(await read('system/exit.ts'))?.[0] ?? '';
  for (const [, code = ''] of system.matchAll(/\[\s*'([a-z_]+)'/g))
    if (!NOT_THE_SYSTEMS.includes(code)) codes.add(code);

  const section =
    /^## The log does not start$[\s\S]*?(?=^## )/m.exec(await read('docs/operating.md'))?.[0] ?? '';
  const rows = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([a-z_]+)`/g)].map(([, code = '']) => code),
  );
  assert.ok(rows.length > 20, section);
  assert.deepEqual([...rows].sort(), [...codes].sort());
});
