/** A site of somebody else: another port of this machine, by its number (the same site to a browser) or by name (another). */

import { createServer } from "node:http";

/** Serves one page for as long as `use` runs. `use` is given both of its addresses. */
export async function elsewhere(page, use) {
  const server = createServer((_, answer) => {
    answer.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    answer.end(`<!doctype html><title>elsewhere</title>${page}`);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  try {
    await use([`http://127.0.0.1:${port}/`, `http://localhost:${port}/`]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A form that sends itself as soon as it is there. */
export function sendsItself(action, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  return `<form method="post" action="${action}">${inputs.join("")}</form><script>document.forms[0].submit()</script>`;
}
