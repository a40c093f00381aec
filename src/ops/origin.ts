// Where media came from: who sent it, by which way in, with what. Public facts only; lists, manifests and logs show
// them.

/** What TLS agreed on. */
export interface TlsFacts {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** The suite by its IANA name. */
  readonly cipher: string;
}

export interface Origin {
  readonly session: string;
  /** Address of the encoder, as seen behind trusted proxies. */
  readonly address: string;
  /** The way in, by its name in a listener's `accept`. */
  readonly door: string;
  /** Undefined outside TLS. */
  readonly tls: TlsFacts | undefined;
  /** What the encoder calls itself; as it says, so of any content up to a bounded length. */
  readonly encoder: string;
}
