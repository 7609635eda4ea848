// The kiosk's service worker: it keeps the shell and what the shell links to, so
// that a terminal that starts without a network still shows the stored notices.
// The notices themselves are kept by the page. The worker never needs a new
// build: whatever shell was fetched last is the one it keeps.
interface Worker extends EventTarget {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  location: Location;
  addEventListener(type: string, run: (event: WorkerEvent) => void): void;
}
interface WorkerEvent extends Event {
  request: Request;
  waitUntil(work: Promise<unknown>): void;
  respondWith(answer: Promise<Response>): void;
}
const worker = self as unknown as Worker;
const store = "gongkai-kiosk-shell";
const shell = "/kiosk";

/** keep stores a shell with everything it links to, and drops what it does not. */
async function keep(res: Response): Promise<void> {
  const links = [...(await res.clone().text()).matchAll(/\/assets\/[\w.-]+/g)].map((m) => m[0]);
  const cache = await caches.open(store);
  const missing: string[] = [];
  for (const link of new Set(links)) if (!(await cache.match(link))) missing.push(link);
  await cache.addAll(missing);
  await cache.put(shell, res);
  for (const old of await cache.keys()) {
    const path = new URL(old.url).pathname;
    if (path !== shell && !links.includes(path)) await cache.delete(old);
  }
}

async function fetchShell(): Promise<Response> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 4000);
  try {
    const res = await fetch(shell, { cache: "no-cache", signal: stop.signal });
    if (!res.ok) throw new Error("shell " + res.status);
    return res;
  } finally {
    clearTimeout(timer);
  }
}

async function kept(path: string): Promise<Response> {
  return (await (await caches.open(store)).match(path)) ?? Response.error();
}

worker.addEventListener("install", (event) => event.waitUntil(fetchShell().then(keep).then(() => worker.skipWaiting())));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== worker.location.origin) return;
  if (url.pathname === shell && event.request.mode === "navigate") {
    event.respondWith(
      fetchShell().then(
        (res) => {
          event.waitUntil(keep(res.clone()).catch(() => undefined)); // offline use is lost, this page is not
          return res;
        },
        () => kept(shell),
      ),
    );
  } else if (url.pathname.startsWith("/assets/")) {
    event.respondWith(kept(url.pathname).then((hit) => (hit.type === "error" ? fetch(event.request) : hit)));
  }
});
