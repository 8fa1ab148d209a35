import { formatVkey, policyFaults } from '../../tlog/index.js';
import type { Clock, Policy, Vkey } from '../../tlog/index.js';
import { WitnessClient } from '../../client/index.js';
import type { Fetch } from '../../client/index.js';
import { showsConflict } from './contradiction.js';
import { decideGate } from './gate.js';
import type { Standing } from './gate.js';
import type { Collection, CosignatureLine } from '../head.js';
import type { Logger } from '../logger.js';
import { deferred } from '../signal.js';
import type { Deferred } from '../signal.js';
import type { LogStorage } from '../storage/types.js';
import type { Contradiction, Verdict } from './verdict.js';
import { WitnessLink } from './witness-link.js';
import { WitnessSizes } from './witness-sizes.js';

/** What the set of witnesses is made of. */
export interface WitnessesOptions {
  readonly storage: LogStorage;
  /** The policy in force. */
  readonly policy: Policy;
  /** The one that the last checkpoint was published under, if it is another. */
  readonly lastPolicy: Policy | undefined;
  readonly logKeys: readonly Vkey[];
  readonly leftOut: ReadonlySet<string>;
  readonly addAnew: ReadonlySet<string>;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds for one exchange with a witness. */
  readonly timeoutMs: number;
  readonly newest: () => Collection | undefined;
  readonly onCosigned: (collection: Collection, lines: readonly CosignatureLine[]) => void;
  readonly onOpen: () => void;
  /** Signing has to stop until a human decides. */
  readonly onStop: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What `/readyz` says of the gate. */
export type GateState =
  | { readonly state: 'none' | 'open' }
  | { readonly state: 'waiting'; readonly awaited: readonly string[] }
  | {
      readonly state: 'refused';
      readonly code: 'behind_witness' | 'forked';
      readonly witnesses: readonly string[];
    };

/** All witnesses of a log: one link each, the gate at start, and what happens when they contradict. */
export class Witnesses {
  readonly #o: WitnessesOptions;
  readonly #sizes: WitnessSizes;
  readonly #links: WitnessLink[];
  readonly #standing = new Map<string, Standing>();
  readonly #contradicting = new Set<string>();
  readonly #opened: Deferred<void> = deferred();
  #gate: GateState;

  constructor(options: WitnessesOptions) {
    this.#o = options;
    this.#sizes = new WitnessSizes(options.storage, options.logger);
    this.#links = this.#makeLinks();
    this.#gate = { state: 'waiting', awaited: options.policy.witnesses.map((witness) => witness.name) };
  }

  get gate(): GateState {
    return this.#gate;
  }

  /** Resolves when the gate opens. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Witnesses that are asked no more, each with the reason. */
  get setAside(): readonly string[] {
    return this.#links.flatMap((link) =>
      link.setAside === undefined ? [] : [`${link.name}: ${link.setAside}`],
    );
  }

  /** There is a newer head. */
  ring(): void {
    for (const link of this.#links) link.ring();
  }

  /** Runs every link until the signal aborts. */
  async run(): Promise<void> {
    this.#decide();
    await Promise.all(this.#links.map((link) => link.run()));
    await this.#sizes.settled();
  }

  #policies(): Policy[] {
    return this.#o.lastPolicy === undefined ? [this.#o.policy] : [this.#o.policy, this.#o.lastPolicy];
  }

  #makeLinks(): WitnessLink[] {
    const { policy, leftOut, addAnew, fetch, timeoutMs, storage, clock, logger, newest, signal } = this.#o;
    // One endpoint may hold several keys (Ed25519 and ML-DSA-44): it is asked once.
    const endpoints = new Map<string, { names: Set<string>; vkeys: Map<string, Vkey> }>();
    for (const { name, vkey, url } of this.#policies().flatMap((each) => each.witnesses)) {
      if (leftOut.has(name)) continue;
      if (url === undefined) {
        logger.log('warn', 'witness has no URL in the policy and cannot be asked', { witness: name });
        continue;
      }
      const endpoint = endpoints.get(url) ?? { names: new Set(), vkeys: new Map() };
      endpoint.names.add(name);
      endpoint.vkeys.set(formatVkey(vkey), vkey);
      endpoints.set(url, endpoint);
    }
    for (const name of leftOut) {
      logger.log('warn', 'witness left out by the operator', { witness: name });
      if (policy.witnesses.every((witness) => witness.name !== name)) {
        logger.log('warn', 'the policy has no witness of this name', { witness: name });
      }
    }
    return [...endpoints].map(([url, { names, vkeys }]) => {
      return new WitnessLink({
        name: [...names].join(', '),
        forget: [...names].some((name) => addAnew.has(name)),
        client: new WitnessClient({ url, vkeys: [...vkeys.values()], fetch, timer: clock, timeoutMs }),
        storage,
        sizes: this.#sizes,
        clock,
        logger,
        newest,
        onVerdict: (link, verdict, collection) => this.#onVerdict(link, verdict, collection),
        signal,
      });
    });
  }

  #onVerdict(link: WitnessLink, verdict: Verdict, collection: Collection): void {
    const { logger, policy, onCosigned } = this.#o;
    switch (verdict.kind) {
      case 'in-step': {
        const lines: CosignatureLine[] = [];
        for (const { vkey, line } of verdict.cosignatures) {
          const key = formatVkey(vkey);
          this.#standing.set(key, 'in-step');
          const witness = policy.witnesses.find((each) => formatVkey(each.vkey) === key);
          if (witness !== undefined) lines.push({ vkey: key, witness: witness.name, line });
        }
        onCosigned(collection, lines);
        this.#decide();
        return;
      }
      case 'behind_witness':
      case 'forked':
        this.#onContradiction(link, verdict);
        return;
      case 'went-back':
        logger.log('alarm', 'witness went back', { witness: link.name, size: verdict.size });
        return;
      case 'silent':
        // One that has convicted our key says no more than this; what it holds may be why.
        if (verdict.untrusted === true && this.#gate.state === 'open') this.#lookForProof(link);
        this.#decide();
        return;
      case 'superseded':
      case 'ask-from':
        this.#decide();
        return;
    }
  }

  /** Opens the gate when it can, once; says whom it waits for until then. */
  #decide(): void {
    const { policy, logger, onOpen } = this.#o;
    if (this.#gate.state !== 'waiting') return;
    const decisions = this.#policies().map((each) =>
      decideGate(each, (name) => this.#standingOf(each, name)),
    );
    if (decisions.every((decision) => decision.open)) {
      if (policy.quorum === undefined) {
        this.#gate = { state: 'none' };
        logger.log(
          'warn',
          'the policy has "quorum none": there is no gate, and nobody but this log vouches for its history',
        );
      } else {
        this.#gate = { state: 'open' };
        logger.log('info', 'gate open');
      }
      this.#opened.resolve();
      onOpen();
      return;
    }
    this.#gate = {
      state: 'waiting',
      awaited: [...new Set(decisions.flatMap((decision) => decision.awaited))],
    };
  }

  #standingOf(policy: Policy, name: string): Standing {
    if (this.#o.leftOut.has(name)) return 'left-out';
    const witness = policy.witnesses.find((each) => each.name === name);
    if (witness === undefined) return 'silent';
    return this.#standing.get(formatVkey(witness.vkey)) ?? 'silent';
  }

  #onContradiction(link: WitnessLink, verdict: Contradiction): void {
    const { logger, policy, onStop } = this.#o;
    const why = link.setAside ?? verdict.kind;
    logger.log('alarm', 'witness contradicts this log', { witness: link.name, code: verdict.kind, why });
    if (this.#gate.state === 'waiting' || this.#gate.state === 'refused') {
      const before = this.#gate.state === 'refused' ? this.#gate.witnesses : [];
      this.#gate = { state: 'refused', code: verdict.kind, witnesses: [...before, link.name] };
      return;
    }
    const keys = new Set(link.vkeys.map(formatVkey));
    for (const witness of policy.witnesses) {
      if (keys.has(formatVkey(witness.vkey))) this.#contradicting.add(witness.operator);
    }
    const faults = Math.max(0, policyFaults(policy));
    if (this.#contradicting.size > faults) {
      onStop(
        `${this.#contradicting.size} witness operators contradict this log, and its policy survives ${faults} liars`,
      );
      return;
    }
    this.#lookForProof(link);
  }

  #lookForProof(link: WitnessLink): void {
    this.#readProof(link).catch((error: unknown) => {
      this.#o.logger.log('warn', 'what the contradicting witness holds could not be read', {
        witness: link.name,
        error: String(error),
      });
    });
  }

  /** One conflicting note under our own key is proof, whoever shows it: then f does not matter. */
  async #readProof(link: WitnessLink): Promise<void> {
    const { fetch, clock, timeoutMs, storage, logKeys, newest, onStop, logger } = this.#o;
    const found = await showsConflict({
      url: link.url,
      fetch,
      clock,
      timeoutMs,
      storage,
      logKeys,
      lastSigned: () => newest()?.head.size ?? 0,
    });
    if (found === undefined) return;
    logger.log('alarm', 'a conflicting note under our key', { witness: link.name, what: found });
    onStop(`${link.name} shows a conflicting note under this log's key: ${found}`);
  }
}
