/* Pictures: the renderer's sprites in the colors of a pair. */
const Pixels = (() => {
  "use strict";

  const { make } = Page;
  const TILE = DATA.sprites.tile;
  const SMALL = 64; // pixels of a picture in a key or a header
  const WHITE = DATA.colors.indexOf("white");
  const sheet = new Image();
  const tint = document.createElement("canvas"); // one for all pictures: making them is slow
  tint.width = tint.height = TILE;

  const ready = () => sheet.complete && sheet.naturalWidth > 0;

  /** One picture: the color through the sprite's opacity, over the renderer's gray. */
  function paint(context, x, y, size, { shape, texture, color }) {
    context.fillStyle = DATA.background;
    context.fillRect(x, y, size, size);
    if (!ready()) return;
    const ink = tint.getContext("2d");
    ink.globalCompositeOperation = "copy";
    ink.drawImage(sheet, texture * TILE, shape * TILE, TILE, TILE, 0, 0, TILE, TILE);
    ink.globalCompositeOperation = "source-in";
    ink.fillStyle = DATA.rgb[color];
    ink.fillRect(0, 0, TILE, TILE);
    context.imageSmoothingQuality = "high";
    context.drawImage(tint, x, y, size, size);
  }

  /** A canvas that shows one image; `side` in CSS pixels times the screen's density is its resolution. */
  function paintOn(canvas, image, side = TILE) {
    const resolution = Math.round(side * Math.min(2, window.devicePixelRatio || 1));
    if (canvas.width !== resolution) canvas.width = canvas.height = resolution;
    paint(canvas.getContext("2d"), 0, 0, resolution, image);
  }

  /** A small picture for a key, a header or an answer; decorative unless it is named. */
  function small(image, name = "") {
    const canvas = make("canvas", { width: SMALL, height: SMALL, ...(name ? { role: "img", "aria-label": name, title: name } : { "aria-hidden": "true" }) });
    paint(canvas.getContext("2d"), 0, 0, SMALL, image);
    return canvas;
  }

  const texture = (index, name) => small({ shape: 1, texture: index, color: WHITE }, name);
  const shape = (index, name) => small({ shape: index, texture: 0, color: WHITE }, name);
  const swatch = (color) => make("span", { class: "swatch", style: `background:${DATA.rgb[color]}`, "aria-hidden": "true" });

  /** The two images of a pair as {shape, texture, color}. */
  const images = (pair) => [
    { shape: pair.shape, texture: pair.texture1, color: pair.color1 },
    { shape: pair.shape2 ?? pair.shape, texture: pair.texture2, color: pair.color2 },
  ];

  /** Both images side by side on one canvas. */
  function paintPair(canvas, pair) {
    const [side, gap] = [88, 6];
    Object.assign(canvas, { width: 2 * side + gap, height: side }); // which clears it
    images(pair).forEach((image, place) => paint(canvas.getContext("2d"), place * (side + gap), 0, side, image));
  }

  const inWords = ({ shape: s, texture: t, color }) => `${DATA.colors[color]} ${DATA.textures[t]} ${DATA.shapes[s]}`;

  /** Start loading; `then` is called once pictures can be drawn. */
  function load(then) {
    sheet.addEventListener("load", then);
    sheet.src = DATA.sprites.uri;
  }

  return { ready, paintOn, paintPair, texture, shape, swatch, images, inWords, load };
})();
