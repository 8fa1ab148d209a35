/** Exit statuses of all our programs. */
export const EXIT = { fine: 0, failed: 1, usage: 2, retry: 3, quorum: 4 } as const;

const STATUS: Readonly<Record<string, number>> = {
  // Whoever asked can do better: a flag, a file, a mode.
  missing_option: EXIT.usage,
  unreadable: EXIT.usage,
  bad_config: EXIT.usage,
  bad_policy: EXIT.usage,
  bad_vkey: EXIT.usage,
  bad_signing_key: EXIT.usage,
  policy_does_not_fit: EXIT.usage,
  terms_policy: EXIT.usage,
  terms_keys: EXIT.usage,
  terms_registrars: EXIT.usage,
  bad_statement: EXIT.usage,
  not_empty: EXIT.usage,
  bad_origin: EXIT.usage,
  bad_predecessor: EXIT.usage,
  no_key: EXIT.usage,
  key_exposed: EXIT.usage,
  no_policy: EXIT.usage,
  no_charter: EXIT.usage,
  no_log_here: EXIT.usage,
  wrong_admission: EXIT.usage,
  policy_not_in_force: EXIT.usage,
  already_exists: EXIT.usage,
  freeze_kept: EXIT.usage,
  // Later it may go.
  locked: EXIT.retry,
  unreachable: EXIT.retry,
  EADDRINUSE: EXIT.retry,
  EADDRNOTAVAIL: EXIT.retry,
  ECONNREFUSED: EXIT.retry,
  quorum_unreachable: EXIT.quorum,
};

/** The exit status for an error's code; 1 where nothing else is said. */
export function exitStatus(code: string): number {
  return STATUS[code] ?? EXIT.failed;
}
