// Verifies messages as a receiver in JavaScript does. Reads a list of [secret, headers, body] from
// stdin, and prints for each the type that its body has, or why it was refused.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Webhook } = createRequire(process.argv[2])("standardwebhooks");

function verified([secret, headers, body]) {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (error) {
    return error.message;
  }
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(verified)));
