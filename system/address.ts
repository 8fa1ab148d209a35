import { InvalidArgumentError } from 'commander';

/** Where a server listens. An IPv6 address has no brackets here. */
export interface Address {
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
}

/**
 * Reads `host:port`, an IPv6 address in brackets: the parser of an option. Throws commander's InvalidArgumentError,
 * which names the option.
 */
export function hostAndPort(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(0|[1-9][0-9]{0,4})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new InvalidArgumentError('Expected host:port, such as 127.0.0.1:7380 or [::1]:7380.');
  return { host: match[1] ?? match[2] ?? '', port };
}
