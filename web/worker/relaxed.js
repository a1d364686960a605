// @ts-check
/** Whether the CPU build with relaxed SIMD is the faster one here. */

/**
 * The smallest module with the instruction that the build lives on: a function that returns a lane of
 * `i32x4.relaxed_dot_i8x16_i7x16_add_s` of 127s and 255s, the latter beyond the 7 bits in which all
 * engines agree.
 */
// prettier-ignore
const MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version 1
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7f,       // types: () -> i32
  0x03, 0x02, 0x01, 0x00,                         // functions: one, of type 0
  0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00,       // exports: it, as "f"
  0x0a, 0x17, 0x01, 0x15, 0x00,                   // code: one body of 21 bytes, no locals
  0x41, 0xff, 0x00, 0xfd, 0x0f,                   // i32.const 127, i8x16.splat
  0x41, 0x7f, 0xfd, 0x0f,                         // i32.const -1, i8x16.splat
  0x41, 0x00, 0xfd, 0x11,                         // i32.const 0, i32x4.splat
  0xfd, 0x93, 0x02, 0xfd, 0x1b, 0x00, 0x0b,       // the instruction, i32x4.extract_lane 0, end
]);

/** What two instructions before AVX-VNNI give: their sums of pairs end at 32767. */
const WITHOUT_VNNI = 2 * 32767;

/**
 * Where the instruction is one of the CPU's (`sdot` of ARM, `vpdpbusd` of AVX-VNNI) it does the work
 * of four; where it is three of them, the build without it is faster.
 */
export function relaxedPays() {
  if (!WebAssembly.validate(MODULE)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MODULE));
  return /** @type {() => number} */ (exports.f)() !== WITHOUT_VNNI;
}
