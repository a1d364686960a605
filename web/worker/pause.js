// @ts-check
/**
 * A `pause` for long work: awaited between layers, it lets messages in (a cancel above all) and
 * rejects once the work was cancelled.
 *
 * A message of one's own channel queues behind those that already came. `scheduler.yield` would
 * go on before them, and `setTimeout` waits 4 ms each time.
 *
 * @param {AbortSignal} signal
 * @returns {() => Promise<void>}
 */
export function pauseFor(signal) {
  return async () => {
    signal.throwIfAborted();
    await nextTask();
    signal.throwIfAborted();
  };
}

const { port1, port2 } = new MessageChannel();
/** @type {(() => void)[]} */
const waiting = [];
port1.onmessage = () => waiting.shift()?.();

/** @returns {Promise<void>} */
export function nextTask() {
  return new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(null);
  });
}
