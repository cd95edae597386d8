// Fails the build when what every page loads first is larger than its limit, compressed.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const limitKb = 150;
const built = new URL("../../src/homeostat/console/static/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("assets/manifest.json", built), "utf8"));

/** The files of an entry and of what it imports at once; what it loads on demand is not among them. */
function filesOf(key, seen = new Set()) {
  const chunk = manifest[key];
  for (const file of [chunk.file, ...(chunk.css ?? [])]) seen.add(file);
  for (const next of chunk.imports ?? []) if (!seen.has(manifest[next].file)) filesOf(next, seen);
  return seen;
}

const files = ["index.html", ...filesOf("index.html")];
const sizes = files.map((file) => gzipSync(readFileSync(new URL(file, built))).length);
const totalKb = sizes.reduce((sum, size) => sum + size, 0) / 1024;
console.log(`first load: ${totalKb.toFixed(1)} KB compressed in ${files.length} files (limit ${limitKb} KB)`);
if (totalKb > limitKb) {
  files.forEach((file, index) => console.error(`  ${(sizes[index] / 1024).toFixed(1)} KB ${file}`));
  process.exit(1);
}
