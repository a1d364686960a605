//! A training run as an HTML page: results by file, every member, intervals, learning curves.

use super::chart::{bars, escape, lines, page};
use super::evaluation::{FileReport, Line, Report, Spread};
use super::fit::Curve;
use crate::heads::EnsembleConfig;

/// The page of a run: its out-of-fold `report`, the curves of the final fit, the shapes.
pub fn html(report: &Report, curves: &[Curve], config: &EnsembleConfig) -> String {
    let mut body = String::from("<h1>Training run</h1>\n");
    body += "<p>Every row is predicted by heads that saw neither its prompt nor a twin of it. \
             Errors are points of the 0-10 scale; R² and rank correlation are better the higher. \
             ± is the deviation over folds.</p>\n";
    for file in &report.files {
        body += &of_file(file, config);
    }
    if let Some(share) = report.own_metric_nearest {
        body += &format!(
            "<h2>Anchors</h2><p>Of well-scoring authored answers, {:.0} % have their own metric \
             among the ten nearest of all anchors.</p>\n",
            100.0 * share
        );
    }
    body += "<h2>Learning curves</h2>\n<p>Training error is taken with features dropped, \
             validation error on the prompts that each member leaves out.</p>\n";
    body += &of_curves("Final fit", curves);
    for (fold, curves) in report.curves.iter().enumerate() {
        body += &of_curves(&format!("Without fold {}", fold + 1), curves);
    }
    page("Training run", &body)
}

fn of_file(file: &FileReport, config: &EnsembleConfig) -> String {
    let judged = match file.judged {
        true => "",
        false => " <small>(not judged: the project's own answers and scores)</small>",
    };
    let mut html = format!(
        "<h2>{}{judged}</h2>\n<p>{} rows.</p>\n",
        escape(&file.file),
        file.rows
    );
    html += "<div class=\"scroll\"><table><thead><tr><th>predicted by</th><th>RMSE</th><th>MAE</th>\
             <th>R²</th><th>Pearson</th><th>Spearman</th><th>within metrics</th></tr></thead><tbody>\n";
    html += &file.lines.iter().map(row).collect::<String>();
    html += "</tbody></table></div>\n";
    html += &remarks(file);
    html + &members(file, config)
}

fn row(line: &Line) -> String {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    let spread = |value: Option<f64>, spread: Option<Spread>| match (value, spread) {
        (Some(value), Some(spread)) => format!("{value:.2} ± {:.2}", spread.deviation),
        (value, _) => number(value),
    };
    let cells = [
        number(Some(line.fit.rmse)),
        number(Some(line.fit.mae)),
        spread(line.fit.r2, line.r2),
        number(line.fit.pearson),
        spread(line.fit.spearman, line.spearman),
        number(line.within_metric),
    ];
    let cells: String = cells
        .iter()
        .map(|cell| format!("<td>{cell}</td>"))
        .collect();
    format!("<tr><th>{}</th>{cells}</tr>\n", escape(&line.name))
}

fn remarks(file: &FileReport) -> String {
    let mut remarks = Vec::new();
    if let Some(gain) = &file.over_ridge {
        remarks.push(format!(
            "Squared error below the ridge's by {:.2} (95 % of resampled prompts: {:.2} to {:.2}){}.",
            gain.mean,
            gain.low,
            gain.high,
            if gain.is_positive() { "" } else { ": <strong>not proved better</strong>" }
        ));
    }
    if let Some(gain) = &file.over_best_member {
        remarks.push(format!(
            "The ensemble's is below its best member's by {:.2} ({:.2} to {:.2}){}.",
            gain.mean,
            gain.low,
            gain.high,
            if gain.is_positive() {
                ""
            } else {
                ": <strong>it does not beat its best member</strong>"
            }
        ));
    }
    if let Some(deviation) = file.seed_deviation {
        remarks.push(format!(
            "R² of members that differ by seed and dropout alone deviates by {deviation:.3}."
        ));
    }
    if let Some(intervals) = &file.intervals {
        remarks.push(format!(
            "Intervals made to hold {:.0} % hold {:.1} % ({:.1} to {:.1}), are {:.1} points wide on average; {:.0} % of the rows are \"not sure\".",
            100.0 * intervals.nominal,
            100.0 * intervals.coverage.mean,
            100.0 * intervals.coverage.low,
            100.0 * intervals.coverage.high,
            intervals.width,
            100.0 * intervals.abstained
        ));
    }
    format!("<p>{}</p>\n", remarks.join(" "))
}

fn members(file: &FileReport, config: &EnsembleConfig) -> String {
    let shapes = config.groups.iter().flat_map(|group| {
        let name = group.name();
        let members = group.members().into_iter();
        members.map(move |(size, pooling, dropout)| {
            format!("{name} {size}, {pooling:?}, dropout {dropout}").to_lowercase()
        })
    });
    let names = (1..)
        .zip(shapes)
        .map(|(number, shape)| format!("{number}: {shape}"));
    let errors = file.members.iter().map(|fit| fit.rmse as f32);
    let mut rows: Vec<(String, f32)> = names.zip(errors).collect();
    let ensemble = file.lines.iter().find(|line| line.name == "ensemble");
    rows.extend(ensemble.map(|line| ("ensemble".to_owned(), line.fit.rmse as f32)));
    let top = rows.iter().map(|(_, error)| *error).fold(0.0, f32::max);
    bars(
        &format!("{}: RMSE of every member", file.file),
        "RMSE in points",
        &rows,
        top,
    )
}

fn of_curves(title: &str, curves: &[Curve]) -> String {
    let series = curves.iter().flat_map(|curve| {
        let named = |what: &str| format!("{} {what}", curve.group);
        [
            (named("training"), curve.train.clone()),
            (named("validation"), curve.validation.clone()),
        ]
    });
    let series: Vec<(String, Vec<f32>)> = series.filter(|(_, values)| !values.is_empty()).collect();
    if series.is_empty() {
        return String::new();
    }
    lines(title, "epoch", "RMSE in points", &series)
}
