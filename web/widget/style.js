// @ts-check
/**
 * The look of an element. A constructed sheet: a strict page forbids `style` elements, not this.
 * Colours meet WCAG 2.2 AA on the surface they are used on, as in style.css.
 */
const CSS = `
:host {
  display: block;
  position: relative;
  max-width: 30rem;
}

:host([hidden]) {
  display: none;
}

:host([compact]) {
  max-width: none;
}

* {
  box-sizing: border-box;
}

.card {
  --ink: var(--touchstone-color, light-dark(#1d2126, #eae8e2));
  --muted: var(--touchstone-muted, light-dark(#555c65, #a9afb8));
  --paper: var(--touchstone-background, light-dark(#fffefb, #1a1e23));
  --line: var(--touchstone-border, light-dark(#dedbd1, #30363f));
  --accent: var(--touchstone-accent, light-dark(#976504, #e2b450));
  --accent-soft: color-mix(in srgb, var(--accent) 30%, var(--paper));
  --edge: light-dark(#85827a, #79818c);
  --track: light-dark(#e6e3da, #30363f);
  --warn: light-dark(#6f4a00, #f0cd86);
  --warn-soft: light-dark(#fdf1d3, #352d1a);
  --bad: light-dark(#9c2b20, #f2a097);
  --focus: light-dark(#1858c4, #86b4ff);
  --up: light-dark(#1463a5, #79b8f2);
  --down: light-dark(#a84300, #f3a066);
  --up-soft: light-dark(#b9dbf7, #1d4b73);
  --down-soft: light-dark(#fbd0ac, #74400f);
  position: relative;
  padding: 0.85rem 1rem;
  border: 1px solid var(--line);
  border-radius: var(--touchstone-radius, 0.75rem);
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 var(--touchstone-font, system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans Devanagari", sans-serif);
  text-align: start;
  overflow-wrap: anywhere;
}

.card[data-theme="light"] {
  color-scheme: light;
}

.card[data-theme="dark"] {
  color-scheme: dark;
}

.card:lang(hi) {
  line-height: 1.65;
}

p,
ol {
  margin: 0;
}

/* Words keep their own direction where the page has the other. */
:is(p, button, label, .title, .range, .doubt, .note, .rounded, .anchors span) {
  unicode-bidi: plaintext;
}

:focus-visible {
  outline: 3px solid var(--focus);
  outline-offset: 2px;
}

.visually-hidden {
  position: absolute;
  width: 1px;
  height: 1px;
  margin: 0;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

.title {
  font-weight: 650;
}

.note,
.interval-words,
.backend {
  color: var(--muted);
  font-size: 0.875rem;
}

.backend {
  margin-block-start: 0.75rem;
}

.error {
  color: var(--bad);
}

progress {
  display: block;
  width: 100%;
  height: 0.5rem;
  margin-block-start: 0.4rem;
  accent-color: var(--accent);
}

button {
  min-height: 2rem;
  padding: 0.25rem 0.75rem;
  border: 1px solid var(--edge);
  border-radius: 0.4rem;
  background: var(--paper);
  color: var(--ink);
  font: inherit;
  font-size: 0.9rem;
  cursor: pointer;
}

button:hover,
button[aria-expanded="true"] {
  background: var(--track);
}

:is(.note, .error) + button {
  margin-block-start: 0.5rem;
}

/* Dial */

.dial {
  position: relative;
  max-width: 18rem;
  margin: 0.25rem auto 0;
}

.gauge svg {
  display: block;
  width: 100%;
  direction: ltr;
}

.gauge path {
  fill: none;
  stroke-width: 10;
}

.gauge .track {
  stroke: var(--track);
}

.gauge .interval {
  stroke: var(--accent-soft);
  stroke-width: 24;
}

.gauge .value,
.gauge .end {
  stroke: var(--accent);
}

.gauge .value.unsure {
  stroke-dasharray: 5 4;
}

.gauge .end {
  stroke-width: 2.5;
}

.gauge .tick {
  stroke: var(--paper);
  stroke-width: 1.5;
}

.gauge text {
  fill: var(--muted);
  font-size: 12px;
  font-variant-numeric: tabular-nums;
}

.gauge .end-label {
  fill: var(--ink);
  font-weight: 600;
}

.gauge .member {
  fill: var(--ink);
  fill-opacity: 0.5;
}

.gauge .knob {
  fill: var(--ink);
  stroke: var(--paper);
  stroke-width: 3;
}

.gauge .knob.unsure {
  fill: var(--paper);
  stroke: var(--ink);
}

.reading {
  position: absolute;
  inset: auto 0 0;
  display: grid;
  justify-items: center;
}

.dial .score {
  font-size: 2.6rem;
  font-weight: 650;
  line-height: 1.05;
  font-variant-numeric: tabular-nums;
}

.rounded {
  color: var(--muted);
  font-size: 0.8rem;
}

.interval-words {
  margin-block-start: 0.5rem;
  text-align: center;
}

.notice {
  margin-block-start: 0.6rem;
  padding: 0.4rem 0.7rem;
  border-radius: 0.4rem;
  background: var(--warn-soft);
  color: var(--warn);
  font-size: 0.9rem;
}

.anchors {
  margin-block-start: 0.75rem;
  font-size: 0.875rem;
}

.heading {
  font-weight: 650;
}

.anchors ol {
  padding: 0;
  list-style: none;
}

.anchors li {
  display: flex;
  gap: 0.75rem;
  justify-content: space-between;
}

.similarity {
  color: var(--muted);
  font-variant-numeric: tabular-nums;
}

.actions {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
  margin-block-start: 0.75rem;
}

/* Correction */

.correction,
.explanation {
  display: grid;
  gap: 0.5rem;
  justify-items: start;
  margin-block-start: 0.6rem;
}

.explanation {
  justify-items: stretch;
}

.slider {
  display: grid;
  grid-template-columns: minmax(0, 1fr) 3rem;
  gap: 0.75rem;
  align-items: center;
  width: 100%;
}

.slider input {
  width: 100%;
  min-height: 1.5rem;
  accent-color: var(--accent);
}

.slider output {
  font-size: 1.2rem;
  font-weight: 650;
  font-variant-numeric: tabular-nums;
}

/* Explanation: blue with a solid line raises, orange with a wavy line lowers. */

.text {
  max-height: 24rem;
  padding: 0.5rem 0.75rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  line-height: 2;
  overflow: auto;
  white-space: pre-wrap;
}

.sentence.up {
  background: color-mix(in srgb, var(--up-soft) calc(20% + 80% * var(--strength)), transparent);
  text-decoration: underline solid var(--up) 2px;
}

.sentence.down {
  background: color-mix(in srgb, var(--down-soft) calc(20% + 80% * var(--strength)), transparent);
  text-decoration: underline wavy var(--down) 1.5px;
}

.change {
  display: inline-block;
  margin-inline-start: 0.3em;
  padding: 0 0.3em;
  border-radius: 0.2rem;
  background: var(--paper);
  font-size: 0.75em;
  font-weight: 650;
  line-height: 1.5;
}

/* One line, where there is room for it */

.compact {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem 0.6rem;
  align-items: center;
  min-height: 2.25rem;
  padding: 0.2rem 0.6rem;
  border-radius: var(--touchstone-radius, 0.4rem);
  font-size: 0.875rem;
}

.compact .score {
  font-size: 1.15rem;
  font-variant-numeric: tabular-nums;
}

.compact .range {
  color: var(--muted);
}

.compact .doubt {
  padding: 0 0.4rem;
  border-radius: 0.3rem;
  background: var(--warn-soft);
  color: var(--warn);
}

.compact progress {
  flex: 0 1 8rem;
  margin: 0;
}

.compact button {
  min-height: 1.6rem;
  margin: 0;
  padding-block: 0;
}

.meter {
  position: relative;
  flex: 0 0 6rem;
  height: 0.6rem;
  border-radius: 0.2rem;
  background: var(--track);
}

.meter::before,
.meter::after {
  content: "";
  position: absolute;
  inset-block: 0;
}

.meter::before {
  inset-inline-start: calc(10% * var(--low));
  width: calc(10% * (var(--high) - var(--low)));
  background: var(--accent-soft);
}

.meter::after {
  inset-block: -0.15rem;
  inset-inline-start: calc(10% * var(--score) - 0.15rem);
  width: 0.3rem;
  border-radius: 0.15rem;
  background: var(--accent);
}

@media (forced-colors: active) {
  .meter,
  .meter::before,
  .meter::after {
    forced-color-adjust: none;
  }
}
`;

/** @type {CSSStyleSheet | null} made with the first element: the module itself touches no page */
let made = null;

export function sheet() {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(CSS);
  }
  return made;
}
