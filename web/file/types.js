// @ts-check
/**
 * The shapes that the parts of the file view share.
 *
 * @typedef {"csv" | "json-list" | "json-lines"} Form
 *
 * @typedef {object} Row one row as its file wrote it; `c` for tables, `j` for JSON
 * @property {number} n 1-based number as the user counts: data row, element of the list, line of JSON lines
 * @property {number} line 1-based line where it starts
 * @property {string[]} [c] the cells, in the order of the columns
 * @property {string} [j] the JSON text of the object
 *
 * @typedef {object} Told something to say to the user: a message key without its prefix, and what goes into it
 * @property {string} code
 * @property {Record<string, string | number>} [values]
 *
 * @typedef {Told & { n: number, line: number }} Broken a row that could not be read
 *
 * @typedef {object} Mapping which column plays which part; null where none does
 * @property {string | null} metric
 * @property {string | null} definition
 * @property {string | null} system
 * @property {string | null} user
 * @property {string | null} response
 * @property {string | null} score the judged score
 * @property {string | null} id
 *
 * @typedef {{ name: string, title?: string, definition?: string }} JobMetric `definition` for own metrics
 *
 * @typedef {object} Job
 * @property {number} id
 * @property {string} name of the file
 * @property {number} size bytes
 * @property {number} created milliseconds since 1970
 * @property {Form} form
 * @property {string} encoding
 * @property {string} delimiter of a table, else ""
 * @property {string[]} header column names as written, or every JSON key in order of appearance
 * @property {string[]} columns unique keys for `header`
 * @property {Told[]} notices
 * @property {Broken[]} broken the first of them
 * @property {number} brokenCount
 * @property {number} rows
 * @property {"reading" | "ready" | "waiting" | "running" | "paused" | "done" | "cut-short"} state
 * @property {Mapping} mapping
 * @property {"column" | "chosen"} mode one metric a row from its column, or the chosen ones for every row
 * @property {JobMetric[]} metrics what the rows are scored on: the chosen ones, or those of the column
 * @property {Record<string, string>} aliases unknown names of the column, and the metric meant
 * @property {number} done items with a result or an error
 * @property {string} bundle SHA-256 of the model's manifest, from the first receipt; "" before
 * @property {number} threshold
 * @property {boolean} [volatile] a part of the rows was in memory only, and is gone after a visit
 *
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").Score} Score
 * @typedef {Score | { error: { kind: string, message: string } }} Outcome
 */

export {};
