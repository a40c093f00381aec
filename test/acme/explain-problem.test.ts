import { expect, it } from 'vitest';
import { AcmeFailure, type AcmeProblem, explainProblem } from '../../src/acme/explain-problem.ts';

const validation = { identifier: 'a.example', challenge: 'tls-alpn-01' } as const;

it.each<[AcmeProblem, RegExp, RegExp]>([
  [{ type: 'unreachable', detail: 'connect ECONNREFUSED' }, /cannot be reached: connect ECONN/, /firewall/],
  [{ type: 'silent', detail: 'no answer within 20 s' }, /does not answer/, /by itself/],
  [{ type: 'untrusted', detail: 'self-signed' }, /not trusted/, /acme\.caFile/],
  [{ type: 'untrusted', detail: 'certificate is not yet valid' }, /not trusted/, /clock/],
  [{ type: 'failing', status: 503, detail: 'busy' }, /failing \(HTTP 503\): busy/, /by itself/],
  [{ type: 'rateLimited', detail: 'too many' }, /^rate limit: .*too many/, /staging/],
  [{ type: 'dns', detail: 'NXDOMAIN', ...validation }, /^DNS: .*look up a\.example/, /A or AAAA record/],
  [{ type: 'connection', detail: 'refused', ...validation }, /^firewall: .*a\.example/, /port 443/],
  [{ type: 'connection', detail: 'refused', ...validation, challenge: 'http-01' }, /firewall/, /port 80/],
  [{ type: 'dns', detail: 'no TXT', ...validation, challenge: 'dns-01' }, /DNS/, /TXT record/],
  [{ type: 'unauthorized', detail: 'wrong', ...validation }, /another server answers for a\.example/, /443/],
  [{ type: 'unauthorized', detail: 'Failed to connect to 1.2.3.4:443', ...validation }, /^firewall:/, /443/],
  [
    { type: 'tls', detail: 'remote error: tls: no application protocol', ...validation },
    /another server answers for a\.example/,
    /443/,
  ],
  [{ type: 'tls', detail: 'handshake failure', ...validation }, /met a TLS error at a\.example/, /443/],
  [{ type: 'unauthorized', detail: 'DNS problem: NXDOMAIN', ...validation }, /^DNS:/, /A or AAAA/],
  [{ type: 'unauthorized', detail: 'deactivated' }, /refused the request/, /account/],
  [{ type: 'caa', detail: 'forbidden', ...validation }, /CAA record of a\.example/, /CAA/],
  [{ type: 'externalAccountRequired', detail: '' }, /no reason given/, /acme\.eab/],
  [
    { type: 'novelty', status: 418, detail: 'teapot' },
    /refused \(novelty, HTTP 418\): teapot/,
    /certificates\.md/,
  ],
])('%j', (problem, reason, hint) => {
  const words = explainProblem(problem);
  expect(words.reason).toMatch(reason);
  expect(words.hint).toMatch(hint);
});

it('what an authority says cannot break a terminal or fill a screen', () => {
  const { message } = new AcmeFailure({ type: 'malformed', detail: `a\u001b[2J\nb${'x'.repeat(5000)}` });
  expect(message).toMatch(/: a \[2J bx+…$/);
  expect(message.length).toBeLessThan(400);
});
