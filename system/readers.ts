// Whoever reads what a program says may stop early, as `head` does, or go away from beneath a server: the shell's
// terminal, a log shipper that is restarted. Node tells that by an event that ends the process where nobody listens.

/** EXIT.network of system/exit.ts, which is loaded with the command: the same command may succeed later. */
const TRY_AGAIN = 3;

/**
 * Lets this process outlive the readers of its stdout and stderr. What is written to stdout from then on is lost, and
 * its callback told so. Any other trouble of stdout, as of a file on a full disk, still ends `program`: what it found
 * was not said, so that its status must be no verdict. Of stderr none does: there is nobody to tell it to.
 */
export function outliveReaders(program: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(
      `${program}: stdout: expected it to take the answer, found ${error.message} (output_failed)\n` +
        '  free space, or send stdout elsewhere, then run this again\n',
    );
    process.exit(TRY_AGAIN);
  });
  process.stderr.on('error', () => undefined);
}
