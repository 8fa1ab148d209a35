/**
 * What each path takes, as `Allow` lists it (RFC 9110 §10.2.1), by the routes of a server. HEAD is as GET. What is
 * for every method is no route of its own.
 */
export function allowedMethods(
  routes: readonly { readonly method: string; readonly path: string }[],
): ReadonlyMap<string, string> {
  const taken = new Map<string, Set<string>>();
  for (const { method, path } of routes) {
    if (method === 'ALL') continue;
    const methods = taken.get(path) ?? new Set();
    taken.set(path, methods);
    methods.add(method);
    if (method === 'GET') methods.add('HEAD');
  }
  return new Map([...taken].map(([path, methods]) => [path, [...methods].sort().join(', ')]));
}
