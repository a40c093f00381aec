// Folders for one test, gone after it; or, with `afterAll`, for a whole file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export function temporaryFolder(whenDone: (clean: () => void) => void = onTestFinished): string {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-test-'));
  whenDone(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
