// Sorted splats drawn by WebGL, each as two triangles that its bell fills.
"use strict";

const VERTEX = `#version 300 es
precision highp float;
uniform vec2 size;
uniform highp usampler2D splats;
out vec4 colour;
out vec2 place;
void main() {
  int splat = gl_VertexID / 4, corner = gl_VertexID % 4;
  ivec2 at = ivec2(2 * (splat % ${ROW}), splat / ${ROW});
  uvec4 words = texelFetch(splats, at + ivec2(1, 0), 0);
  vec4 start = uintBitsToFloat(texelFetch(splats, at, 0));
  colour = vec4(uvec4(words.z, words.z >> 8, words.z >> 16, words.z >> 24) & 255u) / 255.0;
  place = vec2(corner % 2 == 0 ? -1.0 : 1.0, corner < 2 ? -1.0 : 1.0) * sqrt(2.0 * log(max(255.0 * colour.a, 1.0)));
  vec2 pixel = start.xy + place.x * start.zw + place.y * uintBitsToFloat(words.xy);
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0.0, 1.0);
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

class SplatView {
  constructor(gl, objects) {
    this.gl = gl;
    this.order = new SplatOrder(objects);
    this.program = linked(gl, VERTEX, FRAGMENT);
    this.size = gl.getUniformLocation(this.program, "size");
    this.buffers();
  }

  buffers() {
    const { gl } = this, { count } = this.order.splats, corners = new Uint32Array(6 * count);
    for (let n = 0; n < count; n++) [0, 1, 2, 2, 1, 3].forEach((corner, i) => (corners[6 * n + i] = 4 * n + corner));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, corners, gl.STATIC_DRAW);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const name of ["MIN", "MAG"]) gl.texParameteri(gl.TEXTURE_2D, gl[`TEXTURE_${name}_FILTER`], gl.NEAREST);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32UI, 2 * ROW, this.order.rows);
  }

  // One picture in a rectangle of the canvas, of pixels from the top left; views are null for objects that are not there.
  draw(box, camera, views) {
    const { gl } = this;
    const shown = this.order.sort(views, camera, box.width, box.height);
    const rows = Math.max(1, Math.ceil(shown / ROW));
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 2 * ROW, rows, gl.RGBA_INTEGER, gl.UNSIGNED_INT, this.order.words);
    const bottom = gl.drawingBufferHeight - box.y - box.height;
    gl.enable(gl.SCISSOR_TEST);
    gl.viewport(box.x, bottom, box.width, box.height);
    gl.scissor(box.x, bottom, box.width, box.height);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(this.program);
    gl.uniform2f(this.size, box.width, box.height);
    gl.drawElements(gl.TRIANGLES, 6 * shown, gl.UNSIGNED_INT, 0);
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

// What draws on a canvas: a graphics card, or where there is none this page itself, which is faster than WebGL without one.
function splatView(canvas, objects) {
  const gl = hasGraphicsCard() && canvas.getContext("webgl2", { alpha: false, antialias: false });
  return gl ? new SplatView(gl, objects) : new SplatRaster(canvas, objects);
}

// Browsers that stand in for a graphics card name what does it.
function hasGraphicsCard() {
  const gl = document.createElement("canvas").getContext("webgl2", { failIfMajorPerformanceCaveat: true });
  const told = gl && gl.getExtension("WEBGL_debug_renderer_info");
  const name = gl ? gl.getParameter(told ? told.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : "";
  return Boolean(gl) && !/swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}
