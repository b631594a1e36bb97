// Serves the page from dist/ (rebuilt on every load of index.html) and hands everything else to a running store:
//   npm run dev -- [store URL, default http://127.0.0.1:9090] [port, default 9191]
import { createServer, request } from "node:http";
import { readFile } from "node:fs/promises";
import { buildPage } from "./build.mjs";

const store = new URL(process.argv[2] ?? "http://127.0.0.1:9090");
const port = Number(process.argv[3] ?? 9191);
const types = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml", map: "application/json" };
const pageFile = /^\/ui\/([\w.-]*)$/;

async function servePage(name, res) {
  const file = name === "" ? "index.html" : name;
  if (file === "index.html") await buildPage({ minify: false });
  const body = await readFile(new URL(`dist/${file}`, import.meta.url));
  res.writeHead(200, { "content-type": types[file.split(".").pop()] ?? "text/plain", "cache-control": "no-store" });
  res.end(body);
}

function proxy(req, res) {
  const target = { host: store.hostname, port: store.port, path: req.url, method: req.method, headers: req.headers };
  const upstream = request(target, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  upstream.on("error", (err) => {
    res.writeHead(502, { "content-type": "text/plain" });
    res.end(`no store at ${store.href}: ${err.message}. Start one (make run) or name another: npm run dev -- URL\n`);
  });
  req.pipe(upstream);
}

createServer((req, res) => {
  const path = new URL(req.url, "http://page").pathname;
  const page = pageFile.exec(path);
  if (!page) return proxy(req, res);
  servePage(page[1], res).catch((err) => {
    res.writeHead(500, { "content-type": "text/plain" });
    res.end(`${err.message}\n`);
  });
}).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/ui/ over ${store.href}`));
