// Attention of one head with a running softmax (Milakov and Gimelshein 2018): a thread for each
// query, keys and values tile by tile.
//
// Constants set in front of this text: HEADS, SHARED (heads of keys and values), HEAD (width of one),
// SCALE (of the logits), REACH (the farthest key a query sees), KEYS (of a tile).

// Query, key and value of each token.
@group(0) @binding(1) var<storage, read> qkv: array<vec4f>;
// The first token of each token's window, and the one behind its last.
@group(0) @binding(2) var<storage, read> windows: array<vec2u>;
@group(0) @binding(3) var<storage, read_write> context: array<vec4f>;

const QUERIES = 32u;
const QUADS = HEAD / 4u;
const STRIDE = (HEADS + 2u * SHARED) * QUADS;

var<workgroup> keys: array<vec4f, KEYS * QUADS>;
var<workgroup> values: array<vec4f, KEYS * QUADS>;

// What a token sees: its window as far as it reaches.
fn sight(token: u32) -> vec2u {
    let window = windows[token];
    return vec2u(max(window.x, token - min(token, REACH)), min(window.y, token + REACH + 1u));
}

@compute @workgroup_size(QUERIES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let head = group.x;
    let first = group.y * QUERIES;
    let last = min(first + QUERIES, batch.tokens) - 1u;
    let token = min(first + lane, last);
    let seen = sight(token);
    var query: array<vec4f, QUADS>;
    var gathered: array<vec4f, QUADS>;
    for (var quad = 0u; quad < QUADS; quad++) {
        query[quad] = qkv[token * STRIDE + head * QUADS + quad] * SCALE;
    }
    let key_column = (HEADS + head / (HEADS / SHARED)) * QUADS;
    let value_column = key_column + SHARED * QUADS;
    var most = -3.0e38;
    var total = 0.0;
    let end = sight(last).y;
    for (var start = sight(first).x; start < end; start += KEYS) {
        workgroupBarrier();
        for (var place = lane; place < KEYS * QUADS; place += QUERIES) {
            let key = min(start + place / QUADS, end - 1u) * STRIDE + place % QUADS;
            keys[place] = qkv[key + key_column];
            values[place] = qkv[key + value_column];
        }
        workgroupBarrier();
        let low = max(seen.x, start) - start;
        let high = min(max(seen.y, start) - start, KEYS);
        for (var key = low; key < high; key++) {
            var logit = 0.0;
            for (var quad = 0u; quad < QUADS; quad++) {
                logit += dot(query[quad], keys[key * QUADS + quad]);
            }
            let before = most;
            most = max(most, logit);
            let kept = exp(before - most);
            let weight = exp(logit - most);
            total = total * kept + weight;
            for (var quad = 0u; quad < QUADS; quad++) {
                gathered[quad] = gathered[quad] * kept + values[key * QUADS + quad] * weight;
            }
        }
    }
    if (first + lane <= last) {
        for (var quad = 0u; quad < QUADS; quad++) {
            context[(token * HEADS + head) * QUADS + quad] = gathered[quad] / total;
        }
    }
}
