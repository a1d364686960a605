import type { CorrectionEvent, ErrorEvent, ProgressEvent, ReadyEvent, ResultEvent, TouchstoneScorer } from "./widget.js";

export * from "./widget.js";

declare global {
  interface HTMLElementTagNameMap {
    "touchstone-scorer": TouchstoneScorer;
  }
  interface HTMLElementEventMap {
    "touchstone-ready": ReadyEvent;
    "touchstone-progress": ProgressEvent;
    "touchstone-result": ResultEvent;
    "touchstone-error": ErrorEvent;
    "touchstone-correction": CorrectionEvent;
  }
}
