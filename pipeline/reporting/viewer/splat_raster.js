// Sorted splats drawn by the processor, near ones first, until nothing behind them can be seen.
"use strict";

const BELL_STEPS = 4096; // of exp(-r / 2) for r from 0 to 12, beyond which an opaque splat is not seen either
const BELL = Float32Array.from({ length: BELL_STEPS + 1 }, (_, n) => Math.exp((-6 * n) / BELL_STEPS));
const REACH2 = Float32Array.from({ length: 256 }, (_, alpha) => 2 * Math.log(Math.max(1, alpha)));
const OPAQUE = 0.004; // of the light of what lies behind: less changes no colour

class SplatRaster {
  constructor(canvas, objects) {
    this.context = canvas.getContext("2d", { alpha: false });
    this.order = new SplatOrder(objects);
    this.light = new Float32Array(0);
    this.keeps = true; // what is not drawn anew stays on the canvas
    this.shown = new Map(); // what was drawn where: a view that nothing changed in stays
  }

  // One picture in a rectangle of the canvas, of pixels from the top left; views are null for objects that are not there.
  draw(box, camera, views) {
    const { x, y, width, height } = box, { canvas } = this.context;
    const what = [canvas.width, canvas.height, width, height, ...camera, ...views.map((view) => (view ? view.join() : ""))].join();
    if (!width || !height || this.shown.get(x) === what) return;
    this.shown.set(x, what);
    const shown = this.order.sort(views, camera, width, height);
    if (this.light.length !== 4 * width * height) this.light = new Float32Array(4 * width * height);
    const { light } = this;
    for (let i = 0; i < light.length; i += 4) {
      light[i] = light[i + 1] = light[i + 2] = 0;
      light[i + 3] = 1; // of what lies behind, so much is seen
    }
    for (let n = shown - 1; n >= 0; n--) this.splat(n, width, height);
    const picture = this.context.createImageData(width, height), { data } = picture;
    for (let i = 0; i < light.length; i += 4) {
      data[i] = light[i];
      data[i + 1] = light[i + 1];
      data[i + 2] = light[i + 2];
      data[i + 3] = 255;
    }
    this.context.putImageData(picture, x, y);
  }

  splat(n, width, height) {
    const { floats, words } = this.order, { light } = this, o = WORDS * n, colour = words[o + 6], opacity = colour >>> 24;
    const red = colour & 255, green = (colour >>> 8) & 255, blue = (colour >>> 16) & 255, alpha = opacity / 255;
    const px = floats[o] - 0.5, py = floats[o + 1] - 0.5, reach2 = REACH2[opacity];
    let ax = floats[o + 2], ay = floats[o + 3], bx = floats[o + 4], by = floats[o + 5];
    const wide = Math.sqrt(reach2 * (ax * ax + bx * bx)), high = Math.sqrt(reach2 * (ay * ay + by * by));
    const left = Math.max(0, Math.ceil(px - wide)), right = Math.min(width - 1, Math.floor(px + wide));
    const top = Math.max(0, Math.ceil(py - high)), bottom = Math.min(height - 1, Math.floor(py + high));
    const aa = ax * ax + ay * ay, bb = bx * bx + by * by, step = BELL_STEPS / 12;
    ax /= aa; ay /= aa; bx /= bb; by /= bb;
    for (let row = top; row <= bottom; row++) {
      let p = (left - px) * ax + (row - py) * ay, q = (left - px) * bx + (row - py) * by;
      for (let column = left, i = 4 * (row * width + left); column <= right; column++, i += 4, p += ax, q += bx) {
        const r2 = p * p + q * q, behind = light[i + 3];
        if (r2 >= reach2 || behind < OPAQUE) continue;
        const share = behind * Math.min(0.99, alpha * BELL[(r2 * step) | 0]);
        light[i] += share * red;
        light[i + 1] += share * green;
        light[i + 2] += share * blue;
        light[i + 3] = behind - share;
      }
    }
  }
}
