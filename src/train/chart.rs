//! Charts and pages as text: inline SVG and one HTML frame, without a script, in the reader's
//! light or dark theme.
//!
//! A chart is drawn 320 units wide, so that its letters stay readable on a phone; the page's
//! style sheet scales it and holds its colours.

const WIDTH: f32 = 320.0;
const LEFT: f32 = 34.0;
const TOP: f32 = 44.0;
const PLOT: f32 = 150.0;

/// Line colours in the style sheet; further series repeat them dashed.
const COLOURS: usize = 6;

/// An HTML page with the style sheet that the charts need. `body` is HTML, `title` is not.
pub fn page(title: &str, body: &str) -> String {
    let css = include_str!("page.css");
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
}

/// The text with the characters replaced that HTML and SVG give a meaning to.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && !c.is_whitespace() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// At most `length` characters of the text, on one line.
pub fn excerpt(text: &str, length: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

/// Upright bars, in the order given, each with its label below; the axis goes from 0 to at least
/// `top`, so that charts side by side can share it. `colour` is 0, 1 or 2.
pub fn histogram(
    title: &str,
    [x_label, y_label]: [&str; 2],
    bars: &[(String, f32)],
    top: f32,
    colour: usize,
) -> String {
    let highest = bars.iter().map(|(_, value)| *value).fold(top, f32::max);
    let plot = Plot::new(0.0, highest.max(f32::MIN_POSITIVE));
    let step = (WIDTH - LEFT) / bars.len().max(1) as f32;
    let bar = |(index, (label, value)): (usize, &(String, f32))| {
        let (x, y) = (LEFT + step * index as f32, plot.y(*value));
        let middle = x + step / 2.0;
        let rect = format!(
            "<rect class=\"f{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"1.5\"/>",
            colour % 3,
            x + step * 0.12,
            step * 0.76,
            TOP + PLOT - y
        );
        let below = text(middle, TOP + PLOT + 14.0, "mid soft", label);
        let above = text(middle, y - 4.0, "mid", &short(*value));
        format!("{rect}{below}{above}")
    };
    let drawn: String = bars.iter().enumerate().map(bar).collect();
    let labels = axis_labels(x_label, y_label, TOP + PLOT + 32.0);
    let described = format!("{y_label} by {x_label}. {}", told(bars));
    let inner = format!("{}{drawn}{labels}", plot.grid());
    svg(title, &described, TOP + PLOT + 38.0, &inner)
}

/// Level bars, one a row in the order given, each with its name above it; `top` is the full width.
pub fn bars(title: &str, value_label: &str, rows: &[(String, f32)], top: f32) -> String {
    let full = WIDTH - 34.0;
    let row = |(index, (name, value)): (usize, &(String, f32))| {
        let y = TOP + 30.0 * index as f32;
        let width = (value / top.max(f32::MIN_POSITIVE)).clamp(0.0, 1.0) * full;
        format!(
            "{}<rect class=\"track\" x=\"0\" y=\"{:.1}\" width=\"{full}\" height=\"8\" rx=\"2\"/>\
             <rect class=\"f0\" x=\"0\" y=\"{:.1}\" width=\"{width:.1}\" height=\"8\" rx=\"2\"/>{}",
            text(0.0, y, "", &excerpt(name, 46)),
            y + 5.0,
            y + 5.0,
            text(WIDTH, y + 13.0, "end", &short(*value))
        )
    };
    let drawn: String = rows.iter().enumerate().map(row).collect();
    let label = text(0.0, 28.0, "soft", value_label);
    let described = format!("{value_label}. {}", told(rows));
    let height = TOP + 30.0 * rows.len() as f32;
    svg(title, &described, height, &format!("{label}{drawn}"))
}

fn told(bars: &[(String, f32)]) -> String {
    let told = |(label, value): &(String, f32)| format!("{label}: {}", short(*value));
    bars.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// Named series over epochs 1, 2, ... with axes and a legend. Values that are not finite leave a
/// gap.
pub fn lines(title: &str, x_label: &str, y_label: &str, series: &[(String, Vec<f32>)]) -> String {
    let values = series.iter().flat_map(|(_, values)| values);
    let finite = values.copied().filter(|value| value.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let plot = if low <= high {
        Plot::new(low, high)
    } else {
        Plot::new(0.0, 1.0)
    };
    let longest = series.iter().map(|(_, values)| values.len()).max();
    let epochs = longest.unwrap_or(0).max(1);
    let drawn: String = (series.iter().enumerate())
        .map(|(index, (_, values))| curve(&plot, index, values, epochs))
        .collect();
    let labels = axis_labels(x_label, y_label, TOP + PLOT + 32.0);
    let legend: String = (series.iter().enumerate())
        .map(|(index, (name, _))| legend(index, name))
        .collect();
    let height = TOP + PLOT + 42.0 + 18.0 * series.len().div_ceil(2) as f32;
    let parts = [plot.grid(), epoch_ticks(epochs), drawn, labels, legend];
    let described: Vec<String> = series.iter().map(summary).collect();
    let described = format!("{y_label} by {x_label}. {}", described.join("; "));
    svg(title, &described, height, &parts.concat())
}

fn epoch_x(index: usize, epochs: usize) -> f32 {
    let inner = WIDTH - LEFT - 12.0;
    LEFT + 6.0 + inner * index as f32 / (epochs.max(2) - 1) as f32
}

fn epoch_ticks(epochs: usize) -> String {
    let step = nice((epochs as f32 / 6.0).max(1.0)).ceil() as usize;
    let ticks = (1..=epochs).filter(|epoch| step == 1 || epoch % step == 0);
    ticks
        .map(|epoch| {
            let x = epoch_x(epoch - 1, epochs);
            text(x, TOP + PLOT + 14.0, "mid soft", &epoch.to_string())
        })
        .collect()
}

fn curve(plot: &Plot, index: usize, values: &[f32], epochs: usize) -> String {
    let mut path = String::new();
    let mut broken = true;
    for (epoch, value) in values.iter().enumerate() {
        if value.is_finite() {
            let (x, y) = (epoch_x(epoch, epochs), plot.y(*value));
            // A step of no length makes a point visible that has no neighbours.
            let command = if broken { ("M", "h0") } else { ("L", "") };
            path += &format!("{}{x:.1} {y:.1}{}", command.0, command.1);
        }
        broken = !value.is_finite();
    }
    format!("<path {} d=\"{path}\"/>", stroke(index))
}

fn stroke(index: usize) -> String {
    let dash = match index / COLOURS {
        0 => "",
        1 => " stroke-dasharray=\"7 5\"",
        _ => " stroke-dasharray=\"1 5\"",
    };
    format!("class=\"line l{}\"{dash}", index % COLOURS)
}

fn legend(index: usize, name: &str) -> String {
    let x = if index.is_multiple_of(2) {
        LEFT
    } else {
        LEFT + (WIDTH - LEFT) / 2.0
    };
    let y = TOP + PLOT + 52.0 + 18.0 * (index / 2) as f32;
    let line = format!("<path {} d=\"M{x} {:.1}h20\"/>", stroke(index), y - 4.0);
    format!("{line}{}", text(x + 28.0, y, "", &excerpt(name, 18)))
}

fn summary((name, values): &(String, Vec<f32>)) -> String {
    let finite = values.iter().enumerate().filter(|(_, v)| v.is_finite());
    let least = finite.min_by(|a, b| a.1.total_cmp(b.1));
    match (values.first(), values.last(), least) {
        (Some(first), Some(last), Some((at, least))) => format!(
            "{name}: first {}, last {}, least {} at {}",
            short(*first),
            short(*last),
            short(*least),
            at + 1
        ),
        _ => format!("{name}: no values"),
    }
}

/// The vertical axis: which values it shows, between round numbers.
struct Plot {
    low: f32,
    high: f32,
    step: f32,
}

impl Plot {
    fn new(low: f32, high: f32) -> Self {
        let range = if high > low {
            high - low
        } else {
            high.abs().max(1.0)
        };
        let step = nice(range / 4.0);
        Self {
            low: (low / step).floor() * step,
            high: ((high / step).ceil() * step).max((low / step).floor() * step + step),
            step,
        }
    }

    fn y(&self, value: f32) -> f32 {
        TOP + PLOT * (self.high - value) / (self.high - self.low)
    }

    fn grid(&self) -> String {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let tick = |index: usize| {
            let value = self.low + self.step * index as f32;
            let (y, class) = (self.y(value), if index == 0 { "axis" } else { "grid" });
            let label = format!("{value:.decimals$}");
            format!(
                "<path class=\"{class}\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/>{}",
                text(LEFT - 6.0, y + 4.0, "end soft", &label)
            )
        };
        (0..=count).map(tick).collect()
    }
}

/// The smallest of 1, 2, 5, 10, ... times a power of ten that is not below `value`.
fn nice(value: f32) -> f32 {
    let power = 10f32.powf(value.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let found = factors.into_iter().find(|f| f * power >= value * 0.9999);
    found.unwrap_or(10.0) * power
}

/// A number with as many digits as a label has room for.
fn short(value: f32) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.1 => format!("{value:.2}"),
        size if size < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn axis_labels(x_label: &str, y_label: &str, y: f32) -> String {
    let x_label = text((LEFT + WIDTH) / 2.0, y, "mid soft", x_label);
    format!("{x_label}{}", text(0.0, 30.0, "soft", y_label))
}

fn text(x: f32, y: f32, class: &str, content: &str) -> String {
    let content = escape(content);
    format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{content}</text>")
}

/// The frame; `title` is drawn, and told to screen readers together with `described`.
fn svg(title: &str, described: &str, height: f32, inner: &str) -> String {
    let (name, described) = (escape(title), escape(described));
    let heading = text(0.0, 13.0, "title", &excerpt(title, 48));
    format!(
        "<svg role=\"img\" viewBox=\"0 0 {WIDTH} {height:.0}\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{name}</title><desc>{described}</desc>{heading}{inner}</svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f32) -> (String, f32) {
        (label.into(), value)
    }

    #[test]
    fn text_cannot_become_markup() {
        let evil = "</title><script>\"'&\0";
        let escaped = "&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;\u{fffd}";
        for chart in [
            histogram(evil, [evil, evil], &[bar(evil, 1.0)], 1.0, 0),
            bars(evil, evil, &[bar(evil, 1.0)], 1.0),
            lines(evil, evil, evil, &[(evil.into(), vec![1.0])]),
            page(evil, ""),
        ] {
            assert!(!chart.contains("<script") && chart.contains(escaped));
        }
    }

    #[test]
    fn every_chart_names_and_describes_itself() {
        let chart = lines(
            "Loss",
            "epoch",
            "RMSE",
            &[("train".into(), vec![3.0, 1.5, 2.0])],
        );
        assert!(chart.starts_with("<svg role=\"img\""), "{chart}");
        assert!(chart.contains("<title>Loss</title>"), "{chart}");
        let told = "RMSE by epoch. train: first 3.0, last 2.0, least 1.5 at 2";
        assert!(chart.contains(&format!("<desc>{told}</desc>")), "{chart}");
    }

    #[test]
    fn a_bar_is_as_high_as_its_share_of_the_axis() {
        let chart = histogram("t", ["x", "y"], &[bar("a", 50.0), bar("b", 0.0)], 100.0, 0);
        assert!(
            chart.contains(&format!("height=\"{:.1}\"", PLOT / 2.0)),
            "{chart}"
        );
        assert!(chart.contains("height=\"0.0\""), "{chart}");
    }

    #[test]
    fn values_that_are_no_numbers_leave_a_gap() {
        let values = vec![f32::NAN, 1.0, f32::INFINITY, 2.0, 3.0];
        let chart = lines("t", "x", "y", &[("a".into(), values)]);
        let start = chart.find("<path class=\"line").unwrap();
        let path = &chart[start..];
        let path = &path[..path.find("/>").unwrap()];
        assert_eq!(
            (path.matches('M').count(), path.matches('L').count()),
            (2, 1)
        );
        assert!(
            !chart.contains("NaN\"") && !chart.contains("\"inf"),
            "{chart}"
        );
    }

    #[test]
    fn nothing_and_constants_can_be_drawn() {
        for values in [
            vec![],
            vec![2.0],
            vec![0.0; 3],
            vec![f32::NAN],
            vec![-1e9, 1e9],
        ] {
            let chart = lines("t", "x", "y", &[("a".into(), values)]);
            assert!(
                !chart.contains("NaN ") && !chart.contains("inf "),
                "{chart}"
            );
        }
        for chart in [
            lines("t", "x", "y", &[]),
            histogram("t", ["x", "y"], &[], 0.0, 0),
            histogram("t", ["x", "y"], &[bar("a", 0.0)], 0.0, 0),
            bars("t", "x", &[], 10.0),
        ] {
            assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
        }
    }

    #[test]
    fn many_series_stay_apart() {
        let series: Vec<(String, Vec<f32>)> = (0..8)
            .map(|i| (format!("member {i}"), vec![i as f32]))
            .collect();
        let chart = lines("t", "x", "y", &series);
        let marks: std::collections::HashSet<String> = (0..8).map(stroke).collect();
        assert_eq!(marks.len(), 8);
        assert!(marks.iter().all(|mark| chart.contains(mark)));
    }

    #[test]
    fn axes_end_at_round_numbers() {
        let plot = Plot::new(0.0, 37.0);
        assert_eq!((plot.low, plot.high, plot.step), (0.0, 40.0, 10.0));
        let plot = Plot::new(1.23, 1.94);
        assert_eq!((plot.low, plot.high, plot.step), (1.2, 2.0, 0.2));
    }

    #[test]
    fn an_excerpt_counts_characters_and_joins_lines() {
        assert_eq!(excerpt("नमस्ते\n  दुनिया", 40), "नमस्ते दुनिया");
        assert_eq!(excerpt("one two three", 8), "one two…");
    }
}
