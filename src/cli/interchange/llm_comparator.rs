//! The file of LLM Comparator: answers of two models to the same prompts, side by side.
//!
//! Rows become pairs by their field `model`: two rows with the same metric, system prompt and
//! prompt, one of each model. The first model of the file is A. Where several answers of a model
//! share a prompt, the first of A meets the first of B, and so on.
//!
//! LLM Comparator's `score` runs from -1.5 (B is far better) to 1.5; a difference of the whole
//! scale of 10 points is that far. The Scores themselves are a custom field.

use std::path::Path;

use serde_json::{Value, json};

use super::super::rows::Row;
use super::{Scored, label, plain, rounded, row_error};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Score;

const MODEL: &[&str] = &["model", "model_name"];

/// LLM Comparator's score of one point more for A: 10 points are its 1.5.
const PER_POINT: f64 = 0.15;

/// Whether every row names its model, and the file two of them.
///
/// # Errors
/// `Data` naming the row without a model, or the models found.
pub fn check(rows: &[Row]) -> Result<()> {
    models(rows.iter()).map(|_| ())
}

/// The file's text, and a remark where rows have no partner.
///
/// # Errors
/// As [`check`]; `Data` if no two rows make a pair.
pub fn text(scored: &[Scored<'_>], source: &Path) -> Result<(String, Option<String>)> {
    let models = models(scored.iter().map(|one| one.row))?;
    let pairs = pairs(scored, &models[0]);
    if pairs.is_empty() {
        let message = format!(
            "no prompt has an answer of both {} and {} that could be scored; a pair is two rows with the same metric, \
             system prompt and prompt",
            models[0], models[1]
        );
        return Err(Error::new(ErrorKind::Data, message));
    }
    let examples: Vec<Value> = pairs.iter().map(example).collect::<Result<_>>()?;
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let with_system = pairs.iter().any(|(a, _)| a.row.system.is_some());
    let document = json!({
        "metadata": { "source_path": name, "custom_fields_schema": schema(with_system) },
        "models": models.map(|name| json!({ "name": name })),
        "examples": examples,
    });
    let alone = scored.len() - 2 * pairs.len();
    let remark = (alone > 0).then(|| {
        format!(
            "{} pairs; {alone} scored rows have no partner and are left out",
            pairs.len()
        )
    });
    Ok((format!("{document:#}\n"), remark))
}

fn model(row: &Row) -> Result<String> {
    let missing = || {
        row_error(
            row,
            "no model; pairs are made of the rows of two models, told apart by the field model",
        )
    };
    label(&row.fields, MODEL).ok_or_else(missing)
}

/// The two models, in order of appearance.
fn models<'a>(rows: impl Iterator<Item = &'a Row>) -> Result<[String; 2]> {
    let mut found: Vec<String> = Vec::new();
    for row in rows {
        let name = model(row)?;
        if !found.contains(&name) {
            found.push(name);
        }
    }
    <[String; 2]>::try_from(found).map_err(|found| {
        let names = found
            .iter()
            .take(6)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let message = format!(
            "LLM Comparator compares two models, the file has {}: {names}",
            found.len()
        );
        Error::new(ErrorKind::Data, message)
    })
}

/// What the rows of a pair share.
fn question(row: &Row) -> [&str; 4] {
    [
        &row.metric,
        row.definition.as_deref().unwrap_or_default(),
        row.system.as_deref().unwrap_or_default(),
        &row.user,
    ]
}

/// Pairs in the order in which their questions first appear.
fn pairs<'a>(scored: &[Scored<'a>], first: &str) -> Vec<(Scored<'a>, Scored<'a>)> {
    let mut order: Vec<[&str; 4]> = Vec::new();
    let mut groups: std::collections::HashMap<[&str; 4], [Vec<Scored<'a>>; 2]> = Default::default();
    for one in scored {
        let key = question(one.row);
        let group = groups.entry(key).or_insert_with(|| {
            order.push(key);
            Default::default()
        });
        let is_first = label(&one.row.fields, MODEL).as_deref() == Some(first);
        group[usize::from(!is_first)].push(*one);
    }
    let paired = order.iter().filter_map(|key| groups.remove(key));
    paired.flat_map(|[a, b]| a.into_iter().zip(b)).collect()
}

fn schema(with_system: bool) -> Value {
    let mut fields = vec![
        json!({ "name": "metric", "type": "category" }),
        json!({ "name": "touchstone", "type": "per_model_number" }),
        json!({ "name": "interval", "type": "per_model_text" }),
        json!({ "name": "not sure", "type": "per_model_boolean" }),
        json!({ "name": "beyond the doubt", "type": "category" }),
    ];
    fields.extend(with_system.then(|| json!({ "name": "system prompt", "type": "text" })));
    Value::Array(fields)
}

fn example((a, b): &(Scored<'_>, Scored<'_>)) -> Result<Value> {
    let values = [
        plain(a.score)?["score"].clone(),
        plain(b.score)?["score"].clone(),
    ];
    let difference =
        values[0].as_f64().unwrap_or_default() - values[1].as_f64().unwrap_or_default();
    let mut custom = json!({
        "metric": a.row.metric,
        "touchstone": values,
        "interval": [interval(a.score), interval(b.score)],
        "not sure": [a.score.abstain, b.score.abstain],
        "beyond the doubt": verdict(a.score, b.score),
    });
    if let (Some(system), Value::Object(custom)) = (&a.row.system, &mut custom) {
        custom.insert("system prompt".into(), system.clone().into());
    }
    Ok(json!({
        "input_text": a.row.user,
        "tags": [a.row.metric],
        "output_text_a": a.row.response,
        "output_text_b": b.row.response,
        "score": rounded(difference * PER_POINT),
        "individual_rater_scores": [],
        "custom_fields": custom,
    }))
}

fn interval(score: &Score) -> String {
    match score.interval {
        Some([low, high]) => format!("{low:.1} to {high:.1}"),
        None => "none".into(),
    }
}

/// Whose Score is higher by more than the doubt of both, as on the page (`web/difference.js`): the
/// root of the summed squares of the interval arms that reach towards each other.
fn verdict(a: &Score, b: &Score) -> &'static str {
    let (low, high) = if b.score >= a.score { (a, b) } else { (b, a) };
    let (Some([_, up]), Some([down, _])) = (low.interval, high.interval) else {
        return "no interval";
    };
    if a.abstain || b.abstain {
        return "not sure";
    }
    let doubt = (up - low.score).hypot(high.score - down);
    match high.score - low.score <= doubt {
        true => "no",
        false if a.score > b.score => "A is ahead",
        false => "B is ahead",
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{rows, score, scored};
    use super::*;

    fn line(model: &str, user: &str, response: &str) -> String {
        format!(
            "{{\"metric\":\"m\",\"user\":\"{user}\",\"response\":\"{response}\",\"model\":\"{model}\"}}\n"
        )
    }

    fn document(lines: &str, scores: &[f32]) -> (Value, Option<String>) {
        let (rows, scores) = (
            rows(lines),
            scores.iter().map(|s| score(*s)).collect::<Vec<_>>(),
        );
        let (text, remark) = text(&scored(&rows, &scores), Path::new("dir/answers.jsonl")).unwrap();
        (serde_json::from_str(&text).unwrap(), remark)
    }

    #[test]
    fn rows_of_two_models_become_pairs_by_their_prompt() {
        let lines = [
            line("new", "p", "a"),
            line("old", "q", "c"),
            line("old", "p", "b"),
            line("new", "q", "d"),
        ];
        let (found, remark) = document(&lines.concat(), &[9.0, 2.5, 4.0, 2.0]);
        assert_eq!(
            found["models"],
            json!([{ "name": "new" }, { "name": "old" }])
        );
        assert_eq!(found["metadata"]["source_path"], "answers.jsonl");
        let first = &found["examples"][0];
        assert_eq!(
            (&first["output_text_a"], &first["output_text_b"]),
            (&json!("a"), &json!("b"))
        );
        assert_eq!(
            (&first["input_text"], &first["score"]),
            (&json!("p"), &json!(0.75))
        );
        assert_eq!(first["custom_fields"]["touchstone"], json!([9.0, 4.0]));
        assert_eq!(first["custom_fields"]["beyond the doubt"], "A is ahead");
        let second = &found["examples"][1];
        assert_eq!(
            (&second["output_text_a"], &second["score"]),
            (&json!("d"), &json!(-0.075))
        );
        assert_eq!(second["custom_fields"]["beyond the doubt"], "no");
        assert_eq!(remark, None);
    }

    #[test]
    fn every_custom_field_is_in_the_schema() {
        let (found, _) = document(&(line("x", "p", "a") + &line("y", "p", "b")), &[1.0, 2.0]);
        let fields = found["metadata"]["custom_fields_schema"]
            .as_array()
            .unwrap();
        let mut named: Vec<&str> = fields.iter().map(|f| f["name"].as_str().unwrap()).collect();
        let custom = found["examples"][0]["custom_fields"].as_object().unwrap();
        let mut used: Vec<&str> = custom.keys().map(String::as_str).collect();
        named.sort_unstable();
        used.sort_unstable();
        assert_eq!(named, used);
    }

    #[test]
    fn answers_without_a_partner_are_left_out_and_counted() {
        let lines = [
            line("x", "p", "a"),
            line("x", "p", "b"),
            line("y", "p", "c"),
            line("y", "q", "d"),
        ];
        let (found, remark) = document(&lines.concat(), &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(found["examples"].as_array().unwrap().len(), 1);
        assert_eq!(
            remark.unwrap(),
            "1 pairs; 2 scored rows have no partner and are left out"
        );
    }

    #[test]
    fn what_makes_no_pairs_is_refused_with_what_was_found() {
        let refusal = |lines: &str| check(&rows(lines)).unwrap_err().to_string();
        let one = refusal(&line("x", "p", "a"));
        assert!(one.ends_with("the file has 1: x"), "{one}");
        let three = [
            line("x", "p", "a"),
            line("y", "p", "a"),
            line("z", "p", "a"),
        ]
        .concat();
        assert!(refusal(&three).ends_with("the file has 3: x, y, z"));
        let none = refusal("{\"metric\":\"m\",\"user\":\"u\",\"response\":\"r\"}");
        assert!(none.starts_with("row 1: no model"), "{none}");
        let apart = rows(&(line("x", "p", "a") + &line("y", "q", "b")));
        let error = text(&scored(&apart, &[score(1.0), score(2.0)]), Path::new("a")).unwrap_err();
        assert!(error.to_string().contains("both x and y"), "{error}");
    }

    #[test]
    fn a_score_that_abstains_decides_nothing() {
        let (mut sure, mut unsure) = (score(9.0), score(1.0));
        unsure.abstain = true;
        assert_eq!(verdict(&sure, &unsure), "not sure");
        unsure.interval = None;
        assert_eq!(verdict(&sure, &unsure), "no interval");
        sure.interval = Some([8.9, 9.0]);
        assert_eq!(verdict(&score(1.0), &sure), "B is ahead");
    }
}
