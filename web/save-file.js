// @ts-check
import { el } from "./dom.js";

/**
 * Hands a text to the user as a file; nothing leaves the machine.
 *
 * @param {string} name
 * @param {string} type its media type
 * @param {string} text
 */
export function saveFile(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * One line of CSV. A cell that a spreadsheet would take for a formula gets an apostrophe before it.
 *
 * @param {(string | number | null | undefined)[]} cells
 */
export function csvLine(cells) {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

/** @param {string | number | null | undefined} cell */
function csvCell(cell) {
  if (typeof cell === "number") return String(cell);
  const text = (cell ?? "").replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
