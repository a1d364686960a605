// A matrix product with what stands before and behind it:
//   output = act(normed(input) x weightsᵀ + bias) + normed(residual)
// A workgroup makes a tile of ROWS x COLUMNS; a thread 4 x 4 of it, its columns a quarter apart.
//
// Constants set in front of this text: K (inputs), N (outputs), STRIDE (of an input row), PRECISION
// (4, 8 or 32 bits a weight), NORM_INPUT, NORM_RESIDUAL, RMS, EPSILON, HAS_BIAS, HAS_RESIDUAL, GELU,
// GATED (the input is a gate and what it gates, side by side). Half and Half4 are what is multiplied.

@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
// Two f16 each.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
// Bias, then gain and shift of the norm.
@group(0) @binding(4) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> output: array<f32>;

const ROWS = 32u;
const COLUMNS = 64u;
const THREADS = 128u;
// Weights that share a scale; the product goes along them step by step.
const BLOCK = 32u;
const QUADS = BLOCK / 4u;
// One more than QUADS, so that threads side by side do not ask the same bank.
const PITCH = QUADS + 1u;
const BLOCKS = (K + BLOCK - 1u) / BLOCK;
// Width of what is normalised.
const WIDTH = select(N, K, NORM_INPUT);
const GAIN = select(0u, N, HAS_BIAS) / 4u;
const SHIFT = GAIN + WIDTH / 4u;
const LANES = THREADS / ROWS;

var<workgroup> left: array<Half4, ROWS * PITCH>;
var<workgroup> right: array<Half4, COLUMNS * PITCH>;
// Mean of each row and the inverse of its deviation.
var<workgroup> moments: array<vec2f, ROWS>;
var<workgroup> partial: array<f32, THREADS>;

fn to_norm(row: u32, quad: u32) -> vec4f {
    if (row >= batch.tokens) {
        return vec4f();
    }
    if (NORM_INPUT) {
        return input[row * (STRIDE / 4u) + quad];
    }
    return residual[row * (N / 4u) + quad];
}

fn sum_of(lane: u32) -> f32 {
    workgroupBarrier();
    let first = lane - lane % LANES;
    var sum = 0.0;
    for (var other = 0u; other < LANES; other++) {
        sum += partial[first + other];
    }
    workgroupBarrier();
    return sum;
}

fn measure(first_row: u32, lane: u32) {
    let row = lane / LANES;
    var mean = 0.0;
    if (!RMS) {
        var sum = vec4f();
        for (var quad = lane % LANES; quad < WIDTH / 4u; quad += LANES) {
            sum += to_norm(first_row + row, quad);
        }
        partial[lane] = dot(sum, vec4f(1.0));
        mean = sum_of(lane) / f32(WIDTH);
    }
    var squares = 0.0;
    for (var quad = lane % LANES; quad < WIDTH / 4u; quad += LANES) {
        let value = to_norm(first_row + row, quad) - mean;
        squares += dot(value, value);
    }
    partial[lane] = squares;
    let variance = sum_of(lane) / f32(WIDTH);
    if (lane % LANES == 0u) {
        moments[row] = vec2f(mean, inverseSqrt(variance + EPSILON));
    }
    workgroupBarrier();
}

fn normed(value: vec4f, row: u32, quad: u32) -> vec4f {
    let moment = moments[row];
    return (value - moment.x) * moment.y * vectors[GAIN + quad] + vectors[SHIFT + quad];
}

fn gelu_tanh(value: vec4f) -> vec4f {
    let inner = 0.7978845608 * (value + 0.044715 * value * value * value);
    // Beyond, tanh is 1, and some drivers' overflows.
    return 0.5 * value * (1.0 + tanh(clamp(inner, vec4f(-15.0), vec4f(15.0))));
}

// Abramowitz and Stegun 7.1.26, off by at most 1.5e-7.
fn erf(value: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * abs(value));
    let powers = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return sign(value) * (1.0 - powers * exp(-value * value));
}

fn input_quad(first_row: u32, row: u32, quad: u32) -> vec4f {
    if (first_row + row >= batch.tokens || quad >= K / 4u) {
        return vec4f();
    }
    let place = (first_row + row) * (STRIDE / 4u) + quad;
    let value = input[place];
    if (GATED) {
        return gelu_tanh(value) * input[place + K / 4u];
    }
    if (NORM_INPUT) {
        return normed(value, row, quad);
    }
    return value;
}

fn scale(block: u32) -> f32 {
    return unpack2x16float(scales[block / 2u])[block % 2u];
}

fn weight_quad(column: u32, block: u32, quad: u32) -> vec4f {
    if (column >= N) {
        return vec4f();
    }
    let place = column * BLOCKS + block;
    if (PRECISION == 4u) {
        // Weights 0 to 15 of a block are low halves of its bytes, 16 to 31 high ones.
        let word = codes[place * 4u + quad % 4u] >> (4u * (quad / 4u));
        let code = (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(15u);
        return (vec4f(code) - 8.0) * scale(place);
    }
    if (PRECISION == 8u) {
        let word = codes[place * 8u + quad];
        let code = vec4i(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
        return vec4f(code) * scale(place);
    }
    let index = block * QUADS + quad;
    if (index >= K / 4u) {
        return vec4f();
    }
    let first = column * K + index * 4u;
    return bitcast<vec4f>(vec4u(codes[first], codes[first + 1u], codes[first + 2u], codes[first + 3u]));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_column = group.x * COLUMNS;
    let first_row = group.y * ROWS;
    if (NORM_INPUT || NORM_RESIDUAL) {
        measure(first_row, lane);
    }
    let x = lane % 16u;
    let y = lane / 16u * 4u;
    var sums: array<vec4f, 4>;
    for (var block = 0u; block < BLOCKS; block++) {
        for (var place = lane; place < ROWS * QUADS; place += THREADS) {
            let row = place / QUADS;
            let quad = place % QUADS;
            left[row * PITCH + quad] = Half4(input_quad(first_row, row, block * QUADS + quad));
        }
        for (var place = lane; place < COLUMNS * QUADS; place += THREADS) {
            let column = place / QUADS;
            let quad = place % QUADS;
            right[column * PITCH + quad] = Half4(weight_quad(first_column + column, block, quad));
        }
        workgroupBarrier();
        for (var quad = 0u; quad < QUADS; quad++) {
            let a = right[x * PITCH + quad];
            let b = right[(x + 16u) * PITCH + quad];
            let c = right[(x + 32u) * PITCH + quad];
            let d = right[(x + 48u) * PITCH + quad];
            for (var row = 0u; row < 4u; row++) {
                let value = left[(y + row) * PITCH + quad];
                sums[row] += vec4f(Half4(dot(value, a), dot(value, b), dot(value, c), dot(value, d)));
            }
        }
        workgroupBarrier();
    }
    for (var row = 0u; row < 4u; row++) {
        for (var part = 0u; part < 4u; part++) {
            let column = first_column + x + 16u * part;
            if (first_row + y + row >= batch.tokens || column >= N) {
                continue;
            }
            var value = sums[row][part];
            if (HAS_BIAS) {
                value += vectors[column / 4u][column % 4u];
            }
            if (GELU) {
                value *= 0.5 + 0.5 * erf(value * 0.7071067812);
            }
            let place = (first_row + y + row) * N + column;
            if (HAS_RESIDUAL) {
                var before = residual[place / 4u];
                if (NORM_RESIDUAL) {
                    before = normed(before, y + row, column / 4u);
                }
                value += before[column % 4u];
            }
            output[place] = value;
        }
    }
}
