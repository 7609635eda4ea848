// A device of the fleet: it shows a pairing code until somebody of the staff
// approves it, then reports once a minute. The token is an HttpOnly cookie that
// this script never sees. Nothing of this is needed to read notices.
import { get } from "./data";

const second = 1000;

interface Report {
  seq: number;
  offline_s: number;
  idle_s: number;
  errors: string[];
}

interface Pairing {
  pairing_code: string;
  device_id: string;
  claim_secret: string;
}

const post = (path: string, body: object): Promise<Response> =>
  get("/api/v1/kiosk/" + path, 8000, { method: "POST", credentials: "same-origin", cache: "no-store", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/**
 * run pairs and reports for as long as the page is open. say shows a line at
 * the foot of the page; outdated is told that the server has a newer build.
 */
export async function run(say: (text: string) => void, report: () => Report, outdated: () => void): Promise<void> {
  for (;;) {
    const end = await beat(say, report, outdated).catch(() => "unreachable");
    if (end === "revoked") return say("本机已停用，请联系管理员。查询不受影响。");
    if (end === "unpaired") await pair(say).catch(() => say(""));
    await pause(5 * second);
  }
}

/** beat reports until it is refused. */
async function beat(say: (text: string) => void, report: () => Report, outdated: () => void): Promise<string> {
  const revision = document.body.dataset.revision ?? "";
  let skew = 0;
  for (;;) {
    const printer = new URLSearchParams(location.search).has("printer") ? "" : "none"; // a page cannot see whether there is paper
    const res = await post("heartbeat", {
      ...report(), ui_rev: revision, uptime_s: Math.floor(performance.now() / second), width: innerWidth, height: innerHeight, printer, clock_skew_s: skew,
    });
    if (res.status === 401) return "unpaired";
    if (res.status === 403) return "revoked";
    if (!res.ok) throw new Error("heartbeat " + res.status);
    const answer: { server_time: string; name: string; interval_s: number; ui_rev: string } = await res.json();
    skew = Math.round((Date.now() - Date.parse(answer.server_time)) / second);
    say("");
    if (answer.ui_rev !== revision) outdated();
    await pause(answer.interval_s * second * (0.9 + Math.random() / 5));
  }
}

/** pair shows a code until it is approved or expires. */
async function pair(say: (text: string) => void): Promise<void> {
  const res = await post("pair", {});
  if (!res.ok) return;
  const p: Pairing = await res.json();
  say(`本机尚未登记，配对码 ${p.pairing_code.slice(0, 3)} ${p.pairing_code.slice(3)}（请管理员批准）`);
  for (;;) {
    await pause(3 * second);
    // Only an answer ends the pairing: while its code can be approved, this device must be the one that claims it.
    const claim = await post("claim", { device_id: p.device_id, claim_secret: p.claim_secret }).catch(() => null);
    if (claim?.status === 200 || claim?.status === 404) return say("");
  }
}
