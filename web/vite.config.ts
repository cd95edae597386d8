import { defineConfig } from "vitest/config";

/** Where a back end answers while `npm run dev` serves the pages. */
const backend = process.env.HOMEOSTAT_CONSOLE ?? "http://127.0.0.1:8090";

/** Libraries that have a file of their own, which only the pages that need it load. */
const heavy: Readonly<Record<string, string>> = {
  "/@codemirror/": "editor",
  "/@lezer/": "editor",
  "/@xterm/": "terminal",
  "/uplot/": "plot",
  "/@dagrejs/": "layout",
  "/yaml/": "yaml",
};

export default defineConfig({
  base: "/",
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    outDir: "../src/homeostat/console/static",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is written into the page: the back end's Content-Security-Policy refuses scripts and images there.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: "assets/manifest.json",
    rollupOptions: {
      output: {
        manualChunks: (id) =>
          Object.entries(heavy).find(([folder]) => id.includes(`node_modules${folder}`))?.[1],
      },
    },
  },
  server: {
    proxy: {
      "/console": { target: backend, ws: true },
      "/k8s": { target: backend, ws: true },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
