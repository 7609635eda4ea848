// A kiosk stands in a hall: whoever comes next must find nothing of whoever was
// there before. After a minute without a touch it asks, and 20 seconds later it
// begins anew.

/** Idle counts the seconds since the last touch, by the monotonic clock. */
export class Idle {
  private last = performance.now();
  private asking = false;

  constructor(
    private readonly wait: number, // seconds before it asks
    private readonly grace: number, // seconds to answer
    private readonly ask: (secondsLeft: number) => void,
    private readonly end: () => void,
    private readonly busy: () => boolean, // there is something to clear
  ) {
    for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
      addEventListener(kind, () => !this.asking && this.touch(), { capture: true, passive: true });
    }
    setInterval(() => this.tick(), 500);
  }

  /** touch begins the wait anew and takes a question back. */
  touch(): void {
    this.last = performance.now();
    this.asking = false;
  }

  /** seconds since the last touch. */
  seconds(): number {
    return Math.floor((performance.now() - this.last) / 1000);
  }

  private tick(): void {
    const idle = (performance.now() - this.last) / 1000;
    if (idle < this.wait || (!this.asking && !this.busy())) return;
    this.asking = true;
    const left = Math.ceil(this.wait + this.grace - idle);
    if (left > 0) return this.ask(left);
    this.touch();
    this.end();
  }
}
