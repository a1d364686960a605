//! Pieces of a page about data: sections, lists, long tables, numbers.

use crate::train::chart::{escape, excerpt};

/// Rows of a table that are shown at once; the rest can be unfolded.
pub const SHOWN: usize = 15;

/// Rows of a table, and names of a list, at most.
const LISTED: usize = 400;

/// A table of which the first rows are seen, and the others after unfolding.
pub fn folded(header: &str, rows: &[String], what: &str) -> String {
    let part = |rows: &[String]| {
        format!(
            "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>{header}</tr></thead><tbody>{}</tbody></table></div>",
            rows.concat()
        )
    };
    let (first, rest) = rows.split_at(rows.len().min(SHOWN));
    let listed = &rest[..rest.len().min(LISTED)];
    if rest.is_empty() {
        return part(first);
    }
    let more = match rest.len() - listed.len() {
        0 => String::new(),
        left => format!("<p>And {} more, not listed.</p>", count(left)),
    };
    let told = format!("{} more {what}", count(rest.len()));
    format!(
        "{}<details><summary>{told}</summary>{}{more}</details>",
        part(first),
        part(listed)
    )
}

/// A list of names, at most [`LISTED`].
pub fn names_list(names: &[&str]) -> String {
    let items = names
        .iter()
        .take(LISTED)
        .map(|name| escape(&excerpt(name, 160)));
    let more = names.len().saturating_sub(LISTED);
    let more = (more > 0).then(|| format!("and {} more", count(more)));
    list(items.chain(more))
}

/// An unordered list of HTML items.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let items = items
        .into_iter()
        .map(|item| format!("<li dir=\"auto\">{item}</li>"));
    format!("<ul>{}</ul>", items.collect::<String>())
}

/// Charts side by side where there is room.
pub fn grid(charts: impl IntoIterator<Item = String>) -> String {
    let charts: String = charts.into_iter().collect();
    format!("<div class=\"charts\">{charts}</div>")
}

/// A section under a heading; both are HTML.
pub fn section(title: &str, body: &str) -> String {
    format!("<section><h2>{title}</h2>{body}</section>\n")
}

/// A whole number with its thousands apart: 12,345.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A score with two decimals at most.
pub fn number(score: f32) -> String {
    ((score * 100.0).round() / 100.0).to_string()
}

/// A share as per cent.
pub fn percent(share: f32) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let counts = [0, 999, 1000, 12_345, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!((number(9.5), number(8.3333)), ("9.5".into(), "8.33".into()));
    }

    #[test]
    fn a_long_table_is_folded_and_then_cut() {
        let rows = |n: usize| -> Vec<String> { (0..n).map(|i| format!("<tr>{i}</tr>")).collect() };
        assert!(!folded("", &rows(SHOWN), "rows").contains("<details>"));
        let table = folded("", &rows(SHOWN + LISTED + 3), "rows");
        assert!(table.contains("403 more rows") && table.contains("And 3 more"));
        assert_eq!(table.matches("<tr>").count(), 2 + SHOWN + LISTED);
    }

    #[test]
    fn names_are_escaped() {
        let listed = names_list(&["<b>", "a"]);
        assert!(listed.contains("&lt;b&gt;") && listed.matches("<li").count() == 2);
    }
}
