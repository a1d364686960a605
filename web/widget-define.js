// @ts-check
/** Defines `<touchstone-scorer>`. */
import { TouchstoneScorer } from "./widget.js";

export * from "./widget.js";

if (!customElements.get("touchstone-scorer")) customElements.define("touchstone-scorer", TouchstoneScorer);
