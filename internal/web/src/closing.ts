// How long a notice is still open is said by the server, for the moment it is
// said. A copy that a browser keeps says it anew.

const day = 86400000;
const zone = 8 * 3600000; // of Shanghai, which has had no other since 1992
const dayNumber = (at: number) => Math.floor((at + zone) / day);

/** closing says it in the words of the server (closing in format.go). */
function closing(at: number, now: number): string {
  if (now >= at) return "已截止";
  const time = new Date(at + zone).toISOString().slice(11, 16) + " 截止";
  const days = dayNumber(at) - dayNumber(now);
  return days === 0 ? "今天 " + time : days === 1 ? "明天 " + time : `还有 ${days} 天截止`;
}

/** retell says of the deadlines within what they are now; the date itself stands before each. */
export function retell(within: HTMLElement, now: number): void {
  for (const words of within.querySelectorAll<HTMLElement>("[data-until]")) {
    const at = Date.parse(words.dataset.until ?? "");
    if (isNaN(at) || isNaN(now)) continue;
    words.textContent = closing(at, now);
    const date = words.previousElementSibling;
    if (date) date.className = now >= at ? "over" : "open";
  }
}
