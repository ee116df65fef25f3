// Numbers and times for people. A number that nobody measured is a dash, never nought.

export const NOTHING = "–";
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const count = (value) => (known(value) ? plain.format(value) : NOTHING);
export const short = (value) => (!known(value) ? NOTHING : Math.abs(value) < 10000 ? plain.format(value) : compact.format(value));

function digits(value) {
  const size = Math.abs(value);
  return size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.095 ? 2 : 3;
}

function decimal(value) {
  if (Math.abs(value) >= 10000) return compact.format(value);
  return new Intl.NumberFormat(undefined, { maximumFractionDigits: digits(value) }).format(value);
}

// [number, unit]: so that they can be set apart.
export function measure(value, unit) {
  if (!known(value)) return [NOTHING, ""];
  if (unit === "ratio") return [decimal(100 * value), "%"];
  if (unit === "ms" && Math.abs(value) >= 10000) return [decimal(value / 1000), "s"];
  if (unit === "s" && Math.abs(value) >= 120) return [decimal(value / 60), "min"];
  if (unit === "MiB" && Math.abs(value) >= 4096) return [decimal(value / 1024), "GiB"];
  return [decimal(value), unit];
}

const significant = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });
export const exact = (value) => (known(value) ? significant.format(value) : NOTHING);
export const quantity = (value, unit) => measure(value, unit).filter(Boolean).join("\u202f");
export const percent = (value) => quantity(value, "ratio");

export function bytes(value) {
  if (!known(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let place = 0;
  while (size >= 1024 && place < units.length - 1) {
    size /= 1024;
    place += 1;
  }
  return `${decimal(size)}\u202f${units[place]}`;
}

const two = (large, unit, small, below) => `${Math.floor(large)}\u202f${unit}${Math.floor(small) ? ` ${Math.floor(small)}\u202f${below}` : ""}`;

export function duration(ms) {
  if (!known(ms)) return NOTHING;
  if (ms < 1000) return `${plain.format(ms)}\u202fms`;
  if (ms < 60000) return `${decimal(ms / 1000)}\u202fs`;
  if (ms < 3600000) return two(ms / 60000, "min", (ms % 60000) / 1000, "s");
  if (ms < 86400000) return two(ms / 3600000, "h", (ms % 3600000) / 60000, "min");
  return two(ms / 86400000, "d", (ms % 86400000) / 3600000, "h");
}

export const time = (ms) => (known(ms) ? clock.format(ms) : NOTHING);
export const date = (ms) => (known(ms) ? day.format(ms) : NOTHING);
export const ago = (ms, now) => (known(ms) ? `${duration(Math.max(0, now - ms))} ago` : NOTHING);
export const cut = (hex, ends = 6) => (hex.length > 2 * ends + 3 ? `${hex.slice(0, ends + 2)}…${hex.slice(-ends)}` : hex);
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
