// Norm of each head of queries and keys, and their rotary positions (Su et al. 2021), in place.
//
// Constants set in front of this text: HEADS, SHARED (heads of keys and values), HEAD (width of one),
// EPSILON.

@group(0) @binding(1) var<storage, read> windows: array<vec2u>;
// Gain of queries, then of keys.
@group(0) @binding(2) var<storage, read> gains: array<f32>;
// Cosine and sine of each position's angles.
@group(0) @binding(3) var<storage, read> angles: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> qkv: array<f32>;

const STRIDE = (HEADS + 2u * SHARED) * HEAD;
const HALF = HEAD / 2u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let token = group.y * 64u + lane;
    if (token >= batch.tokens) {
        return;
    }
    let first = token * STRIDE + group.x * HEAD;
    let position = (token - windows[token].x) * HALF;
    let gain = select(0u, HEAD, group.x >= HEADS);
    var squares = 0.0;
    for (var place = 0u; place < HEAD; place++) {
        squares += qkv[first + place] * qkv[first + place];
    }
    let inverse = inverseSqrt(squares / f32(HEAD) + EPSILON);
    for (var place = 0u; place < HALF; place++) {
        let low = qkv[first + place] * inverse * gains[gain + place];
        let high = qkv[first + HALF + place] * inverse * gains[gain + HALF + place];
        let angle = angles[position + place];
        qkv[first + place] = low * angle.x - high * angle.y;
        qkv[first + HALF + place] = high * angle.x + low * angle.y;
    }
}
