// What a doctor asks of the machine: Node, files and who owns them, free space, who holds a lock, and whether the
// clock is kept right. Nothing is opened for writing, and no lock is taken.
import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, statfsSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { Examination } from './examination.js';

/** Node 20.19 or newer. */
export function checkNode(exam: Examination, version: string = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) exam.pass('node', `v${version}`);
  else exam.fail('node', { expected: 'Node 20.19 or newer', found: `v${version}`, todo: 'install one' });
}

/** Names of files of another owner that are said; all are counted. */
const NAMED = 3;
/** Files that are looked at: a log's tiles may be millions, and all are made by one process. */
const MOST_FILES = 10_000;

/**
 * A server's folder: everything in it belongs to whoever owns the folder, and nobody else may write there. Looks
 * `depth` folders deep. False where there is no such folder.
 */
export function checkFolder(exam: Examination, folder: string, depth: number): boolean {
  let stat: Stats | undefined;
  try {
    stat = statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
  }
  if (stat?.isDirectory() !== true) {
    const found = stat === undefined ? 'none' : 'a file';
    exam.fail('folder', {
      expected: `a folder at ${folder}`,
      found,
      todo: 'check --folder, and that its disk is mounted; init makes a new one',
    });
    return false;
  }
  const foreign: string[] = [];
  let left = MOST_FILES;
  const visit = (path: string, deep: number): void => {
    for (const name of readdirSync(path)) {
      if (left-- <= 0) return;
      const inner = join(path, name);
      const found = lstatSync(inner, { throwIfNoEntry: false });
      // Gone since: a server works here.
      if (found === undefined) continue;
      if (found.uid !== stat.uid) foreign.push(inner);
      if (found.isDirectory() && deep > 1) visit(inner, deep - 1);
    }
  };
  visit(folder, depth);
  if (foreign.length > 0)
    exam.fail('owner', {
      expected: `everything in ${folder} to belong to its owner, user ${stat.uid}`,
      found: `${foreign.length} of another: ${foreign.slice(0, NAMED).join(', ')}${foreign.length > NAMED ? ', …' : ''}`,
      todo: `chown -R ${stat.uid} ${folder}, and run its commands as that user`,
    });
  else exam.pass('owner', `user ${stat.uid} owns ${folder} and what is in it`);
  checkNotShared(exam, folder);
  return true;
}

/** Who may write a folder can put another key or policy into it. */
export function checkNotShared(exam: Examination, folder: string): void {
  const mode = statSync(folder).mode & 0o7777;
  if (process.platform === 'win32') return;
  if ((mode & 0o022) === 0) exam.pass('mode', `${folder}: mode ${octal(mode)}: nobody else may write there`);
  else
    exam.fail('mode', {
      expected: `${folder} to be writable by its owner alone`,
      found: `mode ${octal(mode)}`,
      todo: `chmod go-w ${folder}, and see that its keys and policy are what they were`,
    });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** MiB for people. */
function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))} MiB`;
}

/** At least `reserve` bytes are free where the folder lies. */
export function checkSpace(exam: Examination, folder: string, reserve: number, without: string): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= reserve) exam.pass('space', `${mebibytes(free)} free where ${folder} lies`);
  else
    exam.fail('space', {
      expected: `at least ${mebibytes(reserve)} free where ${folder} lies`,
      found: mebibytes(free),
      todo: `free space: without it ${without}`,
    });
}

/**
 * The process that holds a file's kernel lock, from /proc/locks; null for none that can be seen from here. Undefined
 * where there is no such list. The file itself is not opened: closing it could let go of the lock.
 */
export function lockHolder(file: string): number | null | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  let locks: string;
  try {
    locks = readFileSync('/proc/locks', 'latin1');
  } catch {
    return undefined;
  }
  for (const line of locks.split('\n')) {
    // 1: POSIX  ADVISORY  WRITE 4711 fe:00:1048602 0 EOF
    const [, pid, inode] = /^\d+: POSIX +\w+ +WRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line) ?? [];
    // Not the device: what /proc/locks says of it is not what stat does on every file system.
    if (Number(inode) === stat.ino && Number(pid) > 0) return Number(pid);
  }
  return null;
}

/** Milliseconds that systemd may take to answer. */
const PATIENCE = 3000;

/** Whether the system keeps its clock by others, as systemd knows it. */
export async function checkTimeSync(exam: Examination): Promise<void> {
  const said = await new Promise<string>((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: PATIENCE },
      (error, stdout) => resolve(error ? '' : stdout.trim()),
    );
  });
  if (said === 'yes') exam.pass('time service', "the system's clock is kept right by others");
  else if (said === 'no')
    exam.fail('time service', {
      expected: "the system's clock to be kept right by others",
      found: 'that it is not (timedatectl)',
      todo: 'timedatectl set-ntp true, or set up chrony: a clock that drifts stops cosignatures',
    });
  else
    exam.unknown(
      'time service',
      'timedatectl does not answer here: see that something keeps the clock right',
    );
}
