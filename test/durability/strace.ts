// What strace prints, read back: `strace -f -yy -s BIG -o FILE`, one line per call or two.
//
//   4711 fdatasync(24</log/data/tail>) = 0
//   4711 fsync(18</log/data> <unfinished ...>       the call began here …
//   4712 write(31<TCP:[127.0.0.1:7600->127.0.0.1:5]>, "HTTP/1.1 200 OK\r\n", 17) = 17
//   4711 <... fsync resumed>) = 0                   … and ended here
//
// Lines stand in the order in which the kernel let the calls begin and end.

/** One system call. `start` and `end` are line numbers; `end` is Infinity for a call that never returned. */
export interface Call {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Of the first argument, if that is a descriptor: the file's path or the socket's addresses. */
  readonly target: string | undefined;
  /** The arguments as printed. */
  readonly args: string;
  /** Every string among the arguments, one character per byte. */
  readonly strings: readonly string[];
  /** Undefined for a call that never returned. */
  readonly result: number | undefined;
  /** Whether strace put an error in the place of the call. */
  readonly injected: boolean;
}

/** The calls that durability and its witnesses are made of. */
export const CALLS: string = [
  'openat,open,creat,mkdir,mkdirat,link,linkat,unlink,unlinkat,rename,renameat,renameat2,ftruncate,truncate',
  'write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync,sync_file_range',
].join(',');

/** Longest string that is printed whole: more than any write of the programs traced. */
export const STRING_LIMIT: number = 2 ** 20;

const LINE = /^(\d+) +(.*)$/;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/s;
const UNFINISHED = ' <unfinished ...>';
const CALL = /^(\w+)\((.*)\) += (-?\d+|\?)(.*)$/s;
const TARGET = /^\d+<(.*?)>(?:,|$)/s;
const STRING = /"((?:[^"\\]|\\.)*)"(\.\.\.)?/gs;

/** What strace printed cannot be read: nothing is said of the program that was traced. */
export class TraceError extends Error {}

/** Parses a whole trace. Throws TraceError if a string was cut, since then nothing can be said about its content. */
export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<string, { start: number; head: string }>();
  const lines = text.split('\n');
  lines.forEach((line, at) => {
    const [, pid = '', rest = ''] = LINE.exec(line) ?? [];
    if (rest === '' || rest.startsWith('+++') || rest.startsWith('---')) return;
    // A thread that was killed before strace could read which call it began.
    if (rest.startsWith('???')) return;
    const resumed = RESUMED.exec(rest);
    if (resumed) {
      const begun = open.get(pid);
      open.delete(pid);
      if (begun) calls.push(parseCall(begun.head + (resumed[2] ?? ''), begun.start, at));
    } else if (rest.endsWith(UNFINISHED)) {
      open.set(pid, { start: at, head: rest.slice(0, -UNFINISHED.length) });
    } else {
      calls.push(parseCall(rest, at, at));
    }
  });
  for (const { start, head } of open.values()) calls.push(parseCall(`${head}) = ?`, start, Infinity));
  return calls.sort((a, b) => a.start - b.start);
}

function parseCall(text: string, start: number, end: number): Call {
  const match = CALL.exec(text);
  if (!match) throw new TraceError(`line ${start + 1} of the trace is no call: ${text.slice(0, 200)}`);
  const [, name = '', args = '', result = '', rest = ''] = match;
  const strings = [...args.matchAll(STRING)].map(([, body = '', cut]) => {
    if (cut !== undefined) throw new TraceError(`line ${start + 1} of the trace: a string was cut`);
    return unescape(body);
  });
  return {
    name,
    start,
    end,
    target: TARGET.exec(args)?.[1],
    args,
    strings,
    result: result === '?' ? undefined : Number(result),
    injected: rest.includes('(INJECTED)'),
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  v: '\v',
  f: '\f',
  '"': '"',
  '\\': '\\',
};

/** C escapes, as strace writes them: a letter, or up to three octal digits. */
function unescape(body: string): string {
  return body.replace(/\\([0-7]{1,3}|.)/gs, (_, escape: string) =>
    /^[0-7]/.test(escape) ? String.fromCharCode(parseInt(escape, 8)) : (ESCAPES[escape] ?? escape),
  );
}

/** The two ends of a TCP connection that a descriptor stands for. */
export function tcpPorts(target: string | undefined): { local: number; peer: number } | undefined {
  const match = /^TCP:\[127\.0\.0\.1:(\d+)->127\.0\.0\.1:(\d+)\]$/.exec(target ?? '');
  return match ? { local: Number(match[1]), peer: Number(match[2]) } : undefined;
}
