// Which keys sign which statements. spec/attestations.md "Who signs what".
import type { KeyUse } from './ledger.js';
import type { TypeName } from './statement.js';

/**
 * The uses of keys that may sign a statement of this type; undefined for a type that the terms do not
 * list or that this code does not know. Roles, and whose key may change whose, are for the type's own rules.
 */
export function usesThatSign(type: TypeName | undefined): readonly KeyUse[] {
  switch (type) {
    case undefined:
      return ['signing', 'operator', 'registrar'];
    case 'charter':
    case 'freeze':
      return ['operator'];
    case 'charter-amendment':
    case 'participant':
      return ['registrar'];
    case 'anchor':
      return ['anchor'];
    case 'participant-key':
      return ['signing', 'recovery', 'registrar'];
    case 'run-intent':
    case 'run-progress':
    case 'run-final':
      return ['signing'];
    case 'key-statement':
      return [];
  }
}
