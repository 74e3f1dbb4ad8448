// One WebSocket for everything: packets come one at a time, and each is answered once it is shown.
const FIRST_DELAY_MS = 400, MAX_DELAY_MS = 4000, STALE_MS = 3000;
const TOO_MANY = 1013;

// onPacket(values, picture): what changed, and a JPEG as a Blob or null; may return a promise.
// onState("live" | "waiting" | "stale" | "full").
export function connect(onPacket, onState) {
  let delay = FIRST_DELAY_MS, heard = 0;
  const open = () => {
    const socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = async (event) => {
      delay = FIRST_DELAY_MS;
      heard = performance.now();
      onState("live");
      const { values, picture } = unpack(event.data);
      try { await onPacket(values, picture); } finally {
        if (socket.readyState === WebSocket.OPEN) socket.send(String(values.packet));
      }
    };
    socket.onclose = (event) => {
      onState(event.code === TOO_MANY ? "full" : "stale");
      setTimeout(again, delay);
      delay = Math.min(2 * delay, MAX_DELAY_MS);
    };
  };
  // A session that has ended cannot open a socket: the login page is where to go.
  const again = async () => {
    try {
      const page = await fetch(location.href, { redirect: "manual", headers: { Accept: "text/html" } });
      if (page.type === "opaqueredirect") return location.reload();
    } catch { /* the device is away */ }
    open();
  };
  setInterval(() => { if (heard && performance.now() - heard > STALE_MS) onState("stale"); }, 500);
  open();
}

// frame_seq and the length of the JSON, 4 bytes each, little-endian; the JSON; a JPEG or nothing.
function unpack(buffer) {
  const header = new DataView(buffer);
  const end = 8 + header.getUint32(4, true);
  const values = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, end - 8)));
  values.frame_seq = header.getUint32(0, true);
  const picture = buffer.byteLength > end ? new Blob([new Uint8Array(buffer, end)], { type: "image/jpeg" }) : null;
  return { values, picture };
}
