// Who answers at the URL of a log, and what it says of itself. Nothing of it is verified.
import { decodeUtf8, parseCheckpoint, parseNote, SteleError } from '../../tlog/index.js';
import { ask, type Asking } from './others.js';

/** What answers at a URL. */
export interface Answering {
  /** The log that it says it is; undefined where that is not known. */
  readonly origin: string | undefined;
  /** Of its checkpoint: 404 where nothing is published yet. */
  readonly status: number;
  readonly readiness: ReadyzClaim | undefined;
}

type Answer = Awaited<ReturnType<typeof ask>>;

/** Asks the server of a log who it is, and how it is; undefined where nobody answers. */
export async function whoAnswers(url: string, asking: Asking): Promise<Answering | undefined> {
  const get = (path: string): Promise<Answer | undefined> =>
    ask(url, path, asking).catch((error: unknown) => {
      if (error instanceof SteleError) return undefined;
      throw error;
    });
  const served = await get('checkpoint');
  if (served === undefined) return undefined;
  const readyz = await get('readyz');
  const readiness = readyz && readyzIn(readyz.body);
  let origin = originIn(served.body);
  // A log that has published nothing names itself on its front page alone.
  if (origin === undefined && readiness !== undefined) {
    const front = await get('');
    origin = front?.status === 200 ? firstLine(front.body) : undefined;
  }
  return { origin, status: served.status, readiness };
}

function firstLine(body: Uint8Array): string | undefined {
  return new TextDecoder().decode(body).split('\n', 1)[0];
}

/** The origin in what a log serves as its checkpoint; undefined where that is none. */
function originIn(body: Uint8Array): string | undefined {
  try {
    return parseCheckpoint(parseNote(body).text).origin;
  } catch (error) {
    if (error instanceof SteleError) return undefined;
    throw error;
  }
}

/** What a log says of itself at `/readyz`: spec/http/log.schema.json has the states. */
export interface ReadyzClaim {
  readonly ready: boolean;
  /** Empty where it does not say. */
  readonly state: string;
  readonly message: string;
  readonly awaited: readonly string[];
}

/** `/readyz` of a log of ours; undefined where it says something else. */
export function readyzIn(body: Uint8Array): ReadyzClaim | undefined {
  try {
    const { ready, state, message, awaited } = JSON.parse(decodeUtf8(body, 'readyz')) as Record<
      string,
      unknown
    >;
    if (typeof ready !== 'boolean' || typeof message !== 'string') return undefined;
    return {
      ready,
      state: typeof state === 'string' ? state : '',
      message,
      awaited: Array.isArray(awaited) ? awaited.map(String) : [],
    };
  } catch {
    return undefined;
  }
}

/** Why it takes nothing. Where witnesses contradict it, the message has their names already. */
export function readinessInWords({ state, message, awaited }: ReadyzClaim): string {
  const named = state === 'behind_witness' || state === 'forked';
  return named || awaited.length === 0 ? message : `${message}: ${awaited.join(', ')}`;
}
