// Splats drawn by WebGL: sorted on the CPU, far ones first, each as a quad that its bell fills (3D Gaussian Splatting).
"use strict";

const TEXELS = 4; // of a splat: place and object; covariance xx xy xz yy; yz zz; colour and opacity
const ROW = 1024; // splats in a row of the texture
const MOST_OBJECTS = 24;

const VERTEX = `#version 300 es
precision highp float;
uniform highp sampler2D splats;
uniform mat4 views[${MOST_OBJECTS}];
uniform vec4 camera;
uniform vec2 size;
in vec2 corner;
in float splat;
out vec4 colour;
out vec2 place;
void main() {
  int number = int(splat);
  ivec2 first = ivec2((number % ${ROW}) * ${TEXELS}, number / ${ROW});
  vec4 a = texelFetch(splats, first, 0), b = texelFetch(splats, first + ivec2(1, 0), 0);
  vec4 c = texelFetch(splats, first + ivec2(2, 0), 0);
  colour = texelFetch(splats, first + ivec2(3, 0), 0);
  mat4 view = views[int(a.w)];
  vec3 p = (view * vec4(a.xyz, 1.0)).xyz;
  vec2 slope = clamp(p.xy / p.z, -1.3 * camera.zw / camera.xy, 1.3 * (size - camera.zw) / camera.xy);
  mat3 sigma = mat3(b.x, b.y, b.z, b.y, b.w, c.x, b.z, c.x, c.y);
  mat3 turn = transpose(mat3(view));
  vec3 along = turn * (vec3(camera.x, 0.0, -camera.x * slope.x) / p.z);
  vec3 down = turn * (vec3(0.0, camera.y, -camera.y * slope.y) / p.z);
  float xx = dot(along, sigma * along) + 0.3, xy = dot(along, sigma * down), yy = dot(down, sigma * down) + 0.3;
  float middle = 0.5 * (xx + yy), spread = length(vec2(0.5 * (xx - yy), xy));
  float large = middle + spread, small = max(middle - spread, 0.05);
  vec2 axis = abs(xy) < 1e-6 ? (xx >= yy ? vec2(1.0, 0.0) : vec2(0.0, 1.0)) : normalize(vec2(xy, large - xx));
  float reach = sqrt(2.0 * log(max(255.0 * colour.a, 1.0)));
  place = corner * reach;
  vec2 pixel = camera.xy * p.xy / p.z + camera.zw
    + place.x * sqrt(large) * axis + place.y * sqrt(small) * vec2(-axis.y, axis.x);
  bool hidden = p.z < 1e-4 || colour.a < 0.004;
  gl_Position = hidden ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(2.0 * pixel / size - 1.0, 0.0, 1.0) * vec4(1.0, -1.0, 1.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
in vec2 place;
out vec4 shown;
void main() {
  float alpha = min(0.99, colour.a * exp(-0.5 * dot(place, place)));
  if (alpha < 0.00392) discard;
  shown = vec4(colour.rgb * alpha, alpha);
}`;

// The splats of all objects as the page carries them: quantised places, sizes, turns and colours.
function unpackedSplats(objects) {
  const count = objects.reduce((sum, one) => sum + one.count, 0);
  const rows = Math.max(1, Math.ceil(count / ROW));
  const texture = new Float32Array(rows * ROW * TEXELS * 4);
  const splats = { count, rows, texture, places: new Float32Array(3 * count), owner: new Uint8Array(count) };
  let n = 0;
  objects.forEach((one, k) => {
    const places = decoded(one.places, Int16Array), sizes = decoded(one.sizes, Uint8Array);
    const turns = decoded(one.turns, Int8Array), colours = decoded(one.colours, Uint8Array);
    const [low, high] = one.size_range;
    for (let i = 0; i < one.count; i++, n++) {
      const at = n * TEXELS * 4;
      splats.owner[n] = k;
      for (let axis = 0; axis < 3; axis++) {
        const q = places[3 * i + axis] / 32767;
        splats.places[3 * n + axis] = texture[at + axis] = (one.reach * q) / (1 - Math.abs(q));
        texture[at + 12 + axis] = colours[4 * i + axis] / 255;
      }
      texture[at + 3] = k;
      texture[at + 15] = colours[4 * i + 3] / 255;
      const size = [0, 1, 2].map((axis) => Math.exp(low + ((high - low) * sizes[3 * i + axis]) / 255));
      covariance(turns, 4 * i, size, texture, at + 4);
    }
  });
  return splats;
}

// R S S R^T as xx, xy, xz, yy, yz, zz.
function covariance(turns, from, size, into, at) {
  let [w, x, y, z] = [turns[from], turns[from + 1], turns[from + 2], turns[from + 3]];
  const length = Math.hypot(w, x, y, z) || 1;
  w /= length; x /= length; y /= length; z /= length;
  const [a, b, c] = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)];
  const [d, e, f] = [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)];
  const [g, h, i] = [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)];
  const [p, q, r] = [size[0] * size[0], size[1] * size[1], size[2] * size[2]];
  into[at] = a * a * p + b * b * q + c * c * r;
  into[at + 1] = a * d * p + b * e * q + c * f * r;
  into[at + 2] = a * g * p + b * h * q + c * i * r;
  into[at + 3] = d * d * p + e * e * q + f * f * r;
  into[at + 4] = d * g * p + e * h * q + f * i * r;
  into[at + 5] = g * g * p + h * h * q + i * i * r;
}

class SplatView {
  constructor(canvas, objects) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    this.splats = unpackedSplats(objects);
    this.program = linked(gl, VERTEX, FRAGMENT);
    this.uniforms = Object.fromEntries(
      ["views", "camera", "size", "splats"].map((name) => [name, gl.getUniformLocation(this.program, name)])
    );
    this.order = new Float32Array(this.splats.count);
    this.keys = new Uint32Array(this.splats.count);
    this.counts = new Uint32Array(65537);
    this.buffers();
  }

  buffers() {
    const { gl, program, splats } = this;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [name, value] of [["MIN", "NEAREST"], ["MAG", "NEAREST"]])
      gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${name}_FILTER`], gl[value]);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, ROW * TEXELS, splats.rows, 0, gl.RGBA, gl.FLOAT, splats.texture);
    const corner = gl.getAttribLocation(program, "corner"), splat = gl.getAttribLocation(program, "splat");
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    this.sorted = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.sorted);
    gl.bufferData(gl.ARRAY_BUFFER, this.order.byteLength, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(splat);
    gl.vertexAttribPointer(splat, 1, gl.FLOAT, false, 0, 0);
    gl.vertexAttribDivisor(splat, 1);
  }

  // Splats in front of a camera, the farthest first: a counting sort by the logarithm of depth.
  sort(views) {
    const { places, owner, count } = this.splats, { keys, counts, order } = this;
    counts.fill(0);
    let shown = 0;
    const low = Math.log(1e-3), steps = 65535 / (Math.log(1e4) - low);
    for (let n = 0; n < count; n++) {
      const view = views[owner[n]];
      const depth = view
        ? view[2] * places[3 * n] + view[6] * places[3 * n + 1] + view[10] * places[3 * n + 2] + view[14]
        : 0;
      if (depth < 1e-3) {
        keys[n] = 65536;
        continue;
      }
      keys[n] = 65535 - Math.min(65535, Math.floor((Math.log(depth) - low) * steps));
      counts[keys[n]]++;
      shown++;
    }
    for (let key = 0, place = 0; key < 65536; key++) {
      const here = counts[key];
      counts[key] = place;
      place += here;
    }
    for (let n = 0; n < count; n++) if (keys[n] < 65536) order[counts[keys[n]]++] = n;
    return shown;
  }

  // One picture in a rectangle of the canvas, of pixels from the top left; views are null for objects that are not there.
  draw(box, camera, views) {
    const { gl } = this;
    const shown = this.sort(views);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.sorted);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, this.order, 0, shown);
    const bottom = gl.drawingBufferHeight - box.y - box.height;
    gl.enable(gl.SCISSOR_TEST);
    gl.viewport(box.x, bottom, box.width, box.height);
    gl.scissor(box.x, bottom, box.width, box.height);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(this.program);
    const matrices = new Float32Array(16 * MOST_OBJECTS);
    views.forEach((view, k) => view && matrices.set(view, 16 * k));
    gl.uniformMatrix4fv(this.uniforms.views, false, matrices);
    gl.uniform4fv(this.uniforms.camera, camera);
    gl.uniform2f(this.uniforms.size, box.width, box.height);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, shown);
  }
}

function linked(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    const told = gl.getAttachedShaders(program).map((shader) => gl.getShaderInfoLog(shader));
    throw new Error([...told, gl.getProgramInfoLog(program)].join(" "));
  }
  return program;
}
