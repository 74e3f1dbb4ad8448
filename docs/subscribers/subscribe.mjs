// node subscribe.mjs tcp://kitchen.local:5557 laptop.key          needs: npm install zeromq
import { readFileSync } from "node:fs";
import { Subscriber } from "zeromq";

const [endpoint, keyFile] = process.argv.slice(2);
const socket = new Subscriber();
if (keyFile) { // none where it is not encrypted
  const key = JSON.parse(readFileSync(keyFile));
  Object.assign(socket, { curveServerKey: key.server, curvePublicKey: key.public });
  socket.curveSecretKey = key.secret;
}
socket.connect(endpoint);
socket.subscribe("emotion");
let seq = null;
for await (const [topic, body] of socket) {
  const message = JSON.parse(body);
  if (message.seq === seq) continue; // the last value, repeated for another subscriber
  seq = message.seq;
  console.log(message.device, message.emotion, message.confidence);
}
