// Loaded before a program (`node --expose-gc --import …/collect.js`): on SIGUSR2 it collects what nobody holds any
// more, and says on stderr what memory is left, in bytes: {"collected":{"rss":…,"heapUsed":…,"external":…}}.
process.on('SIGUSR2', () => {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('expected node --expose-gc');
  gc();
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({ collected: { rss, heapUsed, external } })}\n`);
});
