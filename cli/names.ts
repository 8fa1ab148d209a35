// Names of the files that belong to one record: NAME.dsse.json, signed; NAME.tlog-proof; NAME.stele.json,
// both and who signed; NAME.disclosures.json, the openings of what was committed, which stay with the lab.

const ENVELOPE = '.dsse.json';

function stem(path: string): string {
  return path.endsWith(ENVELOPE) ? path.slice(0, -ENVELOPE.length) : path.replace(/\.json$/, '');
}

export function envelopePath(name: string): string {
  return `${name}${ENVELOPE}`;
}

export function proofPath(envelope: string): string {
  return `${stem(envelope)}.tlog-proof`;
}

export function bundlePath(envelope: string): string {
  return `${stem(envelope)}.stele.json`;
}

export function disclosuresPath(envelope: string): string {
  return `${stem(envelope)}.disclosures.json`;
}
