// The whole of Stele in about a minute: `npm run demo`, or `npm run demo -- --stay` to look around.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { httpSource, LogReader } from '../client/index.js';
import { encodeBase64, parsePolicy } from '../tlog/index.js';
import { compareCheckpoints } from '../evidence/index.js';
import { tryFork } from './fork.js';
import { command, heading, number, output, say } from './narrate.js';
import {
  must,
  ORIGIN,
  readiness,
  startLog,
  startNetwork,
  until,
  WITNESSES,
  type Network,
} from './network.js';
import { killAll, lines, REPOSITORY, startWorker, stopAll } from './programs.js';
import type { Plan } from './train/config.js';

const ROOT = join(REPOSITORY, '.demo');
const RUNNING = join(ROOT, 'running');
const OFFICE = join(ROOT, 'registrar');
const LAB = join(ROOT, 'lab');
const AUDITOR = join(ROOT, 'auditor');

/** `started` once the folder is this demo's own. */
const state = { started: false, interrupted: false };

/** Runs `stele` in somebody's folder, showing the command and what it printed. */
async function stele(folder: string, args: string[], show = true): Promise<string> {
  if (show) showSteleCommand(args);
  const { stdout } = await must('stele', args, folder);
  if (show) output(stdout);
  return stdout;
}

function showSteleCommand(args: readonly string[]): void {
  command(`stele ${args.map((word) => (/[^\w./:,=-]/.test(word) ? `"${word}"` : word)).join(' ')}`);
}

async function main(stay: boolean): Promise<void> {
  refuseSecondDemo();
  rmSync(ROOT, { recursive: true, force: true });
  for (const folder of [OFFICE, LAB, AUDITOR]) mkdirSync(folder, { recursive: true });
  writeFileSync(RUNNING, `${process.pid}\n`);
  state.started = true;

  heading('A log and four witnesses start');
  const network = await startLogAndWitnesses();
  await introduceLab(network);
  await trainAndLog();
  await verifyOffline(network);
  await secondHistory(network);

  say(
    `\nEverything is in ${relative(process.cwd(), ROOT) || ROOT}: the lab's records, the log's folder, the witnesses' folders.`,
  );
  if (!stay) return;
  say(`The log stays up at ${network.log.url} (try ${network.log.url}/checkpoint). Ctrl-C ends it.`);
  say(
    'Its key has signed two histories: once the log is as long as the second one, witnesses cosign no more of it.',
  );
  await new Promise(() => undefined);
}

/** A demo that began now would delete the folder of one that runs. */
function refuseSecondDemo(): void {
  if (!existsSync(RUNNING)) return;
  const pid = Number(readFileSync(RUNNING, 'utf8'));
  try {
    process.kill(pid, 0); // signal 0 only asks
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw error;
  }
  throw new Error(
    `expected no other demo in ${ROOT}, found process ${pid}: end it first, or delete ${RUNNING} if that process is something else`,
  );
}

async function startLogAndWitnesses(): Promise<Network> {
  const made = JSON.parse(await stele(OFFICE, ['keygen', 'office', '--json'], false)) as {
    result: { publicKey: string };
  };
  const network = await startNetwork(ROOT, `office:Demo Registrar:${made.result.publicKey}`);
  say(`The log ${ORIGIN} is at ${network.log.url}.`);
  say(`Four witnesses (${WITNESSES.join(', ')}), each a process with its own key. A checkpoint counts`);
  say('when 3 of the 4 have cosigned it: so one of them may lie.');
  return network;
}

async function introduceLab({ log, policyFile }: Network): Promise<void> {
  heading('A lab sets itself up, and a registrar introduces it');
  cpSync(policyFile, join(LAB, 'log-policy'));
  say('The lab:');
  await stele(LAB, ['init', 'demo-lab', '--name', 'Demo Lab', '--log', log.url, '--policy', 'log-policy']);
  say('The registrar:');
  await stele(
    OFFICE,
    ['init', 'office', '--officer', '--key', 'office.key', '--log', log.url, '--policy', '../lab/log-policy'],
    false,
  );
  await stele(OFFICE, ['attest', 'participant', '--request', '../lab/participant-request.json']);
  await stele(OFFICE, ['submit', 'records/participant-demo-lab.dsse.json']);
}

const RUN = 'demo-run';
const MODEL = join(ROOT, 'model');

async function trainAndLog(): Promise<void> {
  heading('The lab declares a training run before it starts');
  let planText = '';
  for await (const line of lines('train', ['--plan'], { folder: LAB, home: LAB })) planText += `${line}\n`;
  const plan = JSON.parse(planText) as Plan;
  writeFileSync(join(LAB, 'run.json'), planText);
  writeFileSync(join(LAB, 'hyperparameters.json'), `${JSON.stringify(plan.arguments)}\n`);
  say(
    `A language model of ${number(plan.parameters)} parameters, ${number(plan.tokens)} tokens, ${number(plan.plannedFlop)} FLOP.`,
  );
  const facts = 'facts.json';
  const args = [
    ...['record', '../model', '--run', RUN, '--spec', 'run.json', '--every', '1'],
    ...['--planned-flop', plan.plannedFlop, '--code', relative(LAB, join(REPOSITORY, 'demo/train'))],
    ...['--data-order', plan.dataOrderDigest, '--hyperparameters', 'hyperparameters.json'],
    ...['--seed', String(plan.arguments.seed), '--commit', 'seed', '--parents', 'none', '--chips', '1'],
    ...['--flop-rule', 'matrix-products', '--flop-6nd', `${plan.activeParameters},${plan.tokens}`],
    ...['--fields', facts],
  ];
  say('`stele record` will follow the folder that the trainer writes to. It declares the run first:');
  writeFacts(facts, { parameters: String(plan.parameters) });
  showSteleCommand(args);
  const recorder = startWorker('stele', args, { folder: LAB, home: LAB }, (line) => {
    if (!line.startsWith('Policy:')) output(line);
  });
  await recorder.says('run-intent: entry');

  heading('It trains, and every checkpoint is logged while the training goes on');
  writeFacts(facts, { parameters: String(plan.parameters), start: Math.floor(Date.now() / 1000) });
  const totals = await train();
  say(
    `Trained in ${totals['train_runtime']?.toFixed(1) ?? '?'} s: ${number(totals['total_flos'] ?? 0)} FLOP counted in the matrix products.`,
  );
  say('The folder says that the run has ended; the recorder logs its weights and its compute, and ends.');
  await recorder.done;
}

/** What the trainer's folder does not tell. The recorder reads it when it makes a statement. */
function writeFacts(file: string, final: object): void {
  writeFileSync(join(LAB, file), `${JSON.stringify({ 'run-final': final })}\n`);
}

/** Trains, saying how it goes; the trainer knows of no log. Its totals. */
async function train(): Promise<Record<string, number>> {
  let totals: Record<string, number> = {};
  let evaluated = 0;
  for await (const line of lines('train', [MODEL], { folder: LAB, home: LAB })) {
    const event = JSON.parse(line) as Record<string, number> & { saved?: string };
    if (event['eval_loss'] !== undefined) evaluated = event['eval_loss'];
    if (event['total_flos'] !== undefined && event['train_runtime'] !== undefined) totals = event;
    if (event.saved === undefined) continue;
    const { step, total_flos: flop } = event as Record<string, number>;
    say(
      `step ${String(step).padStart(3)}   loss ${evaluated.toFixed(2)} on held-out text   ${number(flop ?? 0).padStart(14)} FLOP`,
    );
  }
  return totals;
}

async function verifyOffline({ policyFile }: Network): Promise<void> {
  heading('An auditor verifies the record, offline');
  say('The auditor has three things: the policy, the file that the lab kept, and the model.');
  cpSync(policyFile, join(AUDITOR, 'policy'));
  cpSync(join(LAB, `records/${RUN}.final.stele.json`), join(AUDITOR, `${RUN}.final.stele.json`));
  await stele(AUDITOR, ['verify', `${RUN}.final.stele.json`, '--policy', 'policy', '--model', '../model']);
}

async function secondHistory({ log, policyFile }: Network): Promise<void> {
  heading('Somebody has copied the log’s folder, keys and all, and tells a second history');
  const copy = join(ROOT, 'copied-log');
  say('Our own server, started in the copy, asks the witnesses first, and stops:');
  const second = await startLog(ROOT, copy, join(ROOT, 'copied-log.log'));
  await until(
    'the second log to hear its witnesses',
    async () => !['gate_closed', 'ready'].includes((await readiness(second.url)).state),
  );
  const { state, message } = await readiness(second.url);
  output(`${state}: ${message}`);
  await second.stop();
  const policy = parsePolicy(readFileSync(policyFile));
  const reader = new LogReader(httpSource(log.url), policy);
  const { size, rootHash, note } = await reader.checkpoint();
  const intent = JSON.parse(readFileSync(join(LAB, `records/${RUN}.intent.stele.json`), 'utf8')) as {
    proof: string;
  };
  const hidden = Number(/^index (\d+)$/m.exec(intent.proof)?.[1]);
  say('\nSo the copied key is used by hand:');
  say(`The log shows ${size} entries under root ${encodeBase64(rootHash)}. The other history`);
  say(`leaves out entry ${hidden}, the lab's declaration, and is one entry longer.`);
  const fork = await tryFork(copy, reader, size, hidden);
  say(
    `Its tree of ${fork.size} entries has the root ${encodeBase64(fork.rootHash)}, signed by the log's own key.`,
  );
  say('Asked to cosign it, the witnesses answer:');
  for (const { witness, kind } of fork.answers) output(`${witness.padEnd(6)} ${MEANING[kind] ?? kind}`);
  writeFileSync(join(copy, 'refused-checkpoint'), fork.note);
  if (fork.answers.some(({ cosigned }) => cosigned)) throw new Error('a witness cosigned a second history');
  say('Not one cosignature, so nobody whose policy asks for three of them believes it.');

  say('\nAnd whoever meets both checkpoints, and the tiles of the longer tree, can prove it to strangers:');
  const { evidence } = await compareCheckpoints([note, fork.note], policy, { read: fork.read });
  const [proof] = evidence;
  if (proof === undefined) throw new Error('two histories under one key gave no evidence');
  writeFileSync(join(AUDITOR, 'two-histories.evidence'), proof.bytes);
  await stele(AUDITOR, ['evidence', 'verify', 'two-histories.evidence', '--policy', 'policy']);
}

const MEANING: Record<string, string> = {
  inconsistent: '422: refused, it does not extend the tree that I cosigned',
  conflict: '409: refused, I have cosigned another size',
  refused: 'refused',
  cosigned: 'COSIGNED',
};

process.on('exit', () => {
  killAll();
  if (state.started) rmSync(RUNNING, { force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!state.interrupted)
      console.error('\nThe demo was interrupted: its log and witnesses are being stopped.');
    state.interrupted = true;
    void stopAll().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  });
}
try {
  await main(process.argv.includes('--stay'));
} catch (error) {
  // Stopping everything makes what was under way fail: that is no news.
  if (!state.interrupted)
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  if (!state.interrupted && state.started) console.error(`Logs of the servers are in ${ROOT}.`);
  process.exitCode = 1;
} finally {
  await stopAll();
}
