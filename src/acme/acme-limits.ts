// What is allowed towards an ACME authority, so that neither a failure nor a restart in a loop uses up what it
// grants, and what its answers may cost here. docs/limits.md gives the reasons.

export const acmeLimits = {
  /** Milliseconds until one request is given up. */
  requestTime: 20_000,
  /** Bytes of one answer. */
  responseSize: 1024 * 1024,
  /** Bytes of one file in its part of the certificates folder; what is longer is damaged. */
  fileSize: 4 * 1024 * 1024,
  /** Milliseconds that a validation, and then the certificate, is waited for. */
  waitTime: 120_000,
  /** Requests a minute, on the average, while attempts fail. */
  requestsPerMinute: 5,
  /** Milliseconds from the first failure to the next attempt; doubled by each further one. */
  shortestRetry: 60_000,
  /** Milliseconds between two attempts at most, unless the authority asks for more. */
  longestRetry: 3_600_000,
  /** Milliseconds that a Retry-After may put an attempt off at most. */
  longestRetryAfter: 86_400_000,
  /** Attempts in one hour that let the authority validate names in vain. */
  failedValidationsPerHour: 4,
  /** Certificates for the same names in a week, or in two of their lives if those are short. */
  certificatesPerWeek: 4,
  /** Milliseconds that the DNS hook may take for one record. */
  hookTime: 300_000,
  /** Bytes of what the DNS hook prints, of which the end may be quoted. */
  hookOutput: 64 * 1024,
} as const;
