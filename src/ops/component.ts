// Everything with a life: started once, stopped once, and nothing left behind.

export interface Component {
  start(): Promise<void>;
  /** Idempotent; resolves when nothing is left behind. */
  stop(): Promise<void>;
}
