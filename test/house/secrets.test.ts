// No secret in the tree: no whole stream key or token outside tests, no private key anywhere.
import { describe, expect, it } from 'vitest';
import { trouble, lineAt, projectFiles, textOf } from '../support/tree.ts';

// A key is psk_, 8 characters, _, 26 or more; `psk_…` in a manual is no key.
const credential = /p[st]k_[0-9a-z]{8}_[0-9a-z]{20,}/g;
// A header that is followed by content; code that writes or looks for the header alone is none.
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}/g;

function find(pattern: RegExp, files: readonly string[]): string[] {
  return files.flatMap((file) => {
    const text = textOf(file);
    return [...text.matchAll(pattern)].map((match) => `${file}:${lineAt(text, match.index)}`);
  });
}

describe('secrets', () => {
  it('no stream key and no token outside tests', () => {
    const files = projectFiles().filter((file) => !file.startsWith('test/'));
    expect(trouble(find(credential, files), 'write psk_… instead, and revoke the key if it was real')).toBe(
      '',
    );
  });

  it('no private key, not even in a test', () => {
    expect(trouble(find(privateKey, projectFiles()), 'let the test make its own key')).toBe('');
  });
});
