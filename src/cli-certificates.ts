// Binds the verbs of certificates.
import { program } from './cli-ground.ts';

export function addCertificateCommands(): void {
  program.command('cert').description('certificates');
}
