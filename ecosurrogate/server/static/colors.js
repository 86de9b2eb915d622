// Colour maps of Matplotlib at 17 places: viridis, and RdBu_r for both signs.

const MAPS = {
  sequential: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1fa08828ae80" +
    "3fbc735ec96284d44baddc30d8e219fde725",
  diverging: "0530611752902a71b23f8ec06bacd19bc9e0c2ddece0ecf3f7f6f6fbe5d8fbccb4" +
    "f5aa89e48066d05548ba2832930e2667001f",
};
const rgb = (text) => [0, 2, 4].map((k) => parseInt(text.slice(k, k + 2), 16));
const PORE = [204, 204, 204];
const STEPS = 256;

// RGB of the 256 steps of a scale {low, high, diverging}.
export function table({ diverging }) {
  const stops = MAPS[diverging ? "diverging" : "sequential"].match(/.{6}/g).map(rgb);
  return Array.from({ length: STEPS }, (_, i) => {
    const place = (i / (STEPS - 1)) * (stops.length - 1);
    const k = Math.min(Math.floor(place), stops.length - 2);
    return stops[k].map((v, c) => v + (stops[k + 1][c] - v) * (place - k));
  });
}

// Colour of a value on a scale.
export function painter(scale) {
  const colors = table(scale);
  const factor = (STEPS - 1) / (scale.high - scale.low || 1);
  const step = (value) => Math.round((value - scale.low) * factor);
  return (value) => Number.isNaN(value)
    ? PORE : colors[Math.max(0, Math.min(STEPS - 1, step(value)))];
}

// Okabe and Ito's colours after a grey, which people of any colour vision tell apart.
const FEW = ["b9c4cf", "0072b2", "e69f00", "009e73", "cc79a7", "d55e00", "56b4e9"]
  .map(rgb);

// Colour of a phase: of a few, or hues a golden ratio apart in three lightnesses.
export function phasePainter(values) {
  const phases = [...new Set(values)].sort((a, b) => a - b);
  const few = phases.length <= FEW.length;
  const colors = new Map(phases.map((p, i) => [p, few ? FEW[i] : hue(i)]));
  return (value) => colors.get(value);
}

function hue(number) {
  const angle = 12 * ((number * 0.618034) % 1);
  const light = [0.72, 0.52, 0.4][number % 3];
  const range = 0.6 * Math.min(light, 1 - light);
  return [0, 8, 4].map((n) => {
    const k = (n + angle) % 12;
    return 255 * (light - range * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
  });
}
