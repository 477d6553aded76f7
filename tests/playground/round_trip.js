/* States drawn at random, written into a link and read back: returns those that come back changed. */
const random = C.generator(5);
const pick = (list) => list[Math.floor(random() * list.length)];
const coin = () => random() < 0.5;

function anyLaw() {
  const percent = () => Math.round(100 * random()) / 100;
  if (coin()) return { mode: "images", task: pick(C.TASKS), gate: pick(C.GATES), k: 2 + Math.floor(9 * random()), rho: percent(), share: percent() };
  return { mode: "table", rho: pick([null, 0.5, 0.25]), base: C.fill(2, 3, 2, () => random() / 6) };
}

function anyState() {
  const state = {
    ...W.presetState(pick(["", "", ...Object.keys(W.PRESETS)])),
    seed: 1 + Math.floor(99 * random()), map: pick([0, 1, 9]), e: pick([0, 0.05, 0.5]),
    compare: coin(), mark: coin(), n: pick(W.SAMPLE_SIZES),
    guess: coin(), shown: coin(), g: [0, 0.05, 0.5, 1.25],
    hide: pick([[], ["S"], ["rho", "bars"]]), arms: pick([[], ["cross", "comm-L_i"]]),
    cover: pick(["", "1", "2"]), step: Math.floor(7 * random()),
    epoch: pick([-1, 0, 7]), unit: pick(["bits", "accuracy"]),
  };
  return state.preset ? state : Object.assign(state, anyLaw());
}

const plain = (state) => JSON.stringify({ ...state, base: state.base && W.encodeTable(state.base) }, [...Object.keys(W.DEFAULTS)]);

const changed = [];
for (let trial = 0; trial < 400; trial++) {
  const state = anyState();
  const hash = W.toHash(state);
  const { state: read, notes } = W.fromHash(hash);
  if (notes.length || plain(state) !== plain(read) || W.toHash(read) !== hash) changed.push([hash, W.toHash(read), notes]);
}
return changed.slice(0, 3);
