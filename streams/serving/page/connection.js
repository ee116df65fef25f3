// The stream of state: connects, tells what changed, and connects again for as long as the page is open.
// The token is held here, in memory; it goes out as the first message and in a header, never in an address.

const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 8000;
const SILENCE = 5000;
const UNAUTHENTICATED = new Set([4401, 4403]);

export class Connection {
  #token = null;
  #socket = null;
  #pause = FIRST_PAUSE;
  #number = null;
  #heard = 0;
  #since = 0; // when the socket was opened, or said something
  #timer = 0;

  // told: { snapshot(state), delta(frame), live(), lost(sinceMs), refused(message) }
  constructor(told) {
    this.told = told;
    setInterval(() => this.#watch(), 500);
  }

  use(token) {
    this.#token = token || null;
    this.#pause = FIRST_PAUSE;
    this.connect();
  }

  connect() {
    clearTimeout(this.#timer);
    this.#drop();
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/dashboard`);
    this.#socket = socket;
    this.#since = Date.now();
    let why = "";
    socket.onopen = () => socket.send(JSON.stringify({ token: this.#token }));
    socket.onmessage = (message) => {
      const frame = JSON.parse(message.data);
      if (frame.type === "refused") why = frame.message;
      else this.#take(frame);
    };
    socket.onclose = (end) => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (UNAUTHENTICATED.has(end.code)) this.told.refused(this.#token ? why : "");
      else this.#again();
    };
  }

  async get(path) {
    const answer = await fetch(path, { headers: this.#token ? { authorization: `Bearer ${this.#token}` } : {}, cache: "no-store" });
    if (answer.ok) return answer;
    const body = await answer.json().catch(() => ({}));
    throw new Error(body.message || `the gateway answered ${answer.status}`);
  }

  #take(frame) {
    if (frame.type === "delta" && frame.number !== this.#number + 1) {
      this.connect(); // a frame is missing: begin with a snapshot again
      return;
    }
    this.#number = frame.number;
    this.#heard = this.#since = Date.now();
    this.#pause = FIRST_PAUSE;
    if (frame.type === "snapshot") this.told.snapshot(frame.state);
    else this.told.delta(frame);
    this.told.live();
  }

  #watch() {
    if (this.#socket && this.#heard && Date.now() - this.#since > SILENCE) {
      this.#drop();
      this.#again();
    }
  }

  #again() {
    if (this.#heard) this.told.lost(this.#heard);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.connect(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close();
  }
}
