// Bundles the page into dist/ (or, with --tests, the tests into .test/). Reads nothing but this folder and node_modules,
// and writes the same bytes for the same input.
import { build } from "esbuild";
import { minify as minifyCode } from "terser";
import { cp, readFile, readdir, rm, mkdir, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { slimUPlot } from "./slim.mjs";

const here = (path) => new URL(path, import.meta.url).pathname;

// A browser loads all of it before it draws anything; the bound is part of the product's promise.
const budgetGzipBytes = 50_000;

const common = { bundle: true, target: "es2022", logLevel: "warning", charset: "utf8", absWorkingDir: here("."), define: {} };

async function buildTests() {
  await rm(here(".test"), { recursive: true, force: true });
  const tests = (await readdir(here("test"))).filter((name) => name.endsWith(".test.ts")).sort();
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: ".test",
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    sourcemap: "inline",
  });
}

export async function buildPage({ minify = true } = {}) {
  await mkdir(here("dist"), { recursive: true });
  for (const name of await readdir(here("dist"))) {
    if (name !== "placeholder.html") await rm(here(`dist/${name}`), { recursive: true });
  }
  const bundle = await build({
    ...common,
    entryPoints: { app: "src/main.ts" },
    outdir: "dist",
    format: "iife",
    plugins: [slimUPlot],
    sourcemap: minify ? false : "inline",
    legalComments: "none",
    write: false,
  });
  const [code] = bundle.outputFiles;
  await writeFile(here("dist/app.js"), minify ? await shrink(code.text) : code.text);
  await build({ ...common, entryPoints: { app: "src/app.css" }, outdir: "dist", minify });
  await cp(here("static/index.html"), here("dist/index.html"));
  await cp(here("static/favicon.svg"), here("dist/favicon.svg"));
  // MIT asks that its notice travels with every copy; the minified bundle is a copy.
  const licence = await readFile(here("node_modules/uplot/LICENSE"), "utf8");
  await writeFile(here("dist/third-party.txt"), `app.js contains uPlot.\n\n${licence}`);
}

// esbuild's own minifier leaves 4 % more, gzipped: it does not remove what becomes unreachable in a second pass.
async function shrink(source) {
  const { code } = await minifyCode(source, { ecma: 2020, compress: { passes: 4, unsafe: true, pure_getters: true }, mangle: true });
  return code;
}

async function reportSize() {
  let total = 0;
  for (const name of ["index.html", "app.js", "app.css", "favicon.svg"]) {
    const raw = await readFile(here(`dist/${name}`));
    const packed = gzipSync(raw, { level: 9 }).length;
    total += packed;
    console.log(`${name.padEnd(12)} ${String(raw.length).padStart(7)} B  ${String(packed).padStart(6)} B gzip`);
  }
  console.log(`${"total".padEnd(12)} ${"".padStart(9)}  ${String(total).padStart(6)} B gzip, budget ${budgetGzipBytes}`);
  if (total > budgetGzipBytes) throw new Error(`the page is ${total} B gzipped, over its budget of ${budgetGzipBytes} B`);
}

if (process.argv[1] === here("build.mjs")) {
  if (process.argv.includes("--tests")) {
    await buildTests();
  } else {
    await buildPage();
    await reportSize();
  }
}
