// @ts-check
/** What a file may hold. Each is there to keep a phone's browser alive, and is named when reached. */

/** Rows of one file. */
export const MAX_ROWS = 100_000;
/** Bytes of one file, unpacked. */
export const MAX_BYTES = 200_000_000;
/** Columns of a table, or different keys of JSON rows. */
export const MAX_COLUMNS = 1000;
/** Characters of one row: beyond it, a quote or a bracket was left open. */
export const MAX_ROW_CHARACTERS = 8_000_000;
/** Broken rows of one file; more mean that it is not what it seems. */
export const MAX_BROKEN = 10_000;
/** Rows times metrics of one job. */
export const MAX_ITEMS = 500_000;
/** Rows of one record of the store: about half a megabyte for long answers. */
export const ROWS_A_CHUNK = 128;
