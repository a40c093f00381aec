// An issuer or source of certificates with everything around it: a folder, a clock that is turned by hand, an
// authority in this process.
import { ChallengeAnswers } from '../../src/door/challenge-answers.ts';
import type { AcmeOptions, AcmeParts } from '../../src/acme/acme-issuer.ts';
import { AcmeStore } from '../../src/acme/acme-store.ts';
import { FakeAuthority } from './fake-authority.ts';
import { FakeClock } from './fake-clock.ts';
import { RecordedLog } from './recorded-log.ts';
import { seededRandom } from './seeded-random.ts';
import { temporaryFolder } from './temporary-folder.ts';

export async function acmeStage(given: Partial<AcmeOptions> = {}) {
  const authority = await FakeAuthority.open();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const answers = new ChallengeAnswers();
  const certsDir = temporaryFolder();
  const options: AcmeOptions = {
    directoryUrl: authority.directoryUrl,
    email: null,
    challenge: 'tls-alpn-01',
    caFile: authority.caFile,
    dnsHook: null,
    eab: null,
    profile: null,
    rsa: false,
    hosts: ['a.example'],
    certsDir,
    ...given,
  };
  const parts: AcmeParts = { clock, log, answers, random: { bytes: seededRandom('acme') }, environment: {} };
  const store = new AcmeStore(certsDir, options.directoryUrl, parts);
  authority.now = () => clock.now();
  authority.keyOfOrder = async () => (await store.readOrder())?.keyPem.reveal() ?? '';
  return { authority, clock, log, answers, certsDir, options, parts, store };
}

/**
 * Lets sockets, files and keys take their time, until whoever works for certificates waits for the clock again: then
 * there is a timer, and the authority has nothing more to answer.
 */
export async function settledWith({
  authority,
  clock,
}: {
  readonly authority: FakeAuthority;
  readonly clock: FakeClock;
}): Promise<void> {
  for (let quiet = 0, tries = 0; quiet < 3; quiet += 1, tries += 1) {
    if (tries > 2000) throw new Error('this does not settle');
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (!authority.idle || clock.timers === 0) quiet = -1;
  }
}
