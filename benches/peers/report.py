"""The results as Markdown."""

from statistics import median

# Title of each half, and what its bytes are.
TITLES = {"native": ("Native", "MB of files"), "browser": ("In Chromium", "MB sent")}


def markdown(result):
    """Everything that was measured."""
    machine = "\n".join(f"| {name} | {value} |" for name, value in result["machine"].items())
    parts = [f"| machine | |\n|---|---|\n{machine}"]
    for name, (title, fetched) in TITLES.items():
        if name in result:
            parts += [f"## {title}", *section(result[name], fetched)]
    return "\n\n".join(parts)


def section(half, fetched):
    """The tables of one half."""
    names = [peer["name"] for peer in half["peers"] if not peer["error"]]
    times = {(entry["peer"], entry["workload"]): entry["ms"] for entry in half["times"]}
    yield table(["peer", "version"], [[peer["name"], peer["error"] and f"left out: {peer['error']}" or peer["version"]] for peer in half["peers"]])
    cells = {
        "Tokens per second, best round": lambda tokens, ms: f"{tokens / min(ms) * 1e3:,.0f}",
        "Milliseconds, best / median": lambda tokens, ms: f"{number(min(ms))} / {number(median(ms))}",
    }
    for title, cell in cells.items():
        rows = []
        for work in half["workloads"]:
            found = [times.get((name, work["name"])) for name in names]
            rows.append([work["name"], *(cell(work["tokens"], ms) if ms else "–" for ms in found)])
        yield f"{title}\n\n" + table(["texts x tokens", *names], rows)
    yield "Accuracy, memory, start\n\n" + table(
        ["peer", "cosine, least", "cosine, mean", "MB loaded", "MB peak", fetched, "s, empty cache", "s, warm cache"],
        [[name, *extras(half, name)] for name in names],
    )


def extras(half, name):
    """What is not speed."""
    close, memory, start = (half[part].get(name) or {} for part in ("accuracy", "memory", "starts"))
    yield from (f"{close[which]:.6f}" if which in close else "–" for which in ("least", "mean"))
    yield from (f"{value / 1e6:,.0f}" if value else "–" for value in (memory.get("loaded"), memory.get("peak"), start.get("bytes")))
    yield from (f"{start[which]:.2f}" if which in start else "–" for which in ("empty", "warm"))


def number(value):
    """Three digits, more where there are more before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    """A Markdown table, numbers to the right."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
