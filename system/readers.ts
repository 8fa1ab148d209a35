// Whoever reads what a program says may stop early, as `head` does, or go away from beneath a server: the shell's
// terminal, a log shipper that is restarted. Node tells that by an event that ends the process where nobody listens.

/**
 * Lets this process outlive the readers of its stdout and stderr. What is written to stdout from then on is lost, and
 * its callback told so; any other trouble of stdout still ends the process. Of stderr none does: there is nobody to
 * tell it to.
 */
export function outliveReaders(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.stderr.on('error', () => undefined);
}
