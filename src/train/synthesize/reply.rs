//! What the model wrote: finding the items in it and checking each.

use serde_json::{Map, Value};

use super::language::Language;
use crate::metric::Metric;
use crate::scorer::script;

/// The longest text accepted, in characters; longer ones are repetition or a runaway model.
const MAX_CHARS: usize = 12_000;
/// How far an item's score may lie from one that was asked for.
const TOLERANCE: f32 = 1.0;

/// A good item of a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The system prompt.
    pub system: Option<String>,
    /// The user's prompt.
    pub user: String,
    /// The answer.
    pub response: String,
    /// The score the model gives it, 0-10.
    pub score: f32,
    /// Why, in the model's words.
    pub reason: String,
}

/// Why an item, or a whole reply, was not used; a few fixed phrases, so that they can be counted.
pub type Reason = &'static str;

/// What an item must meet.
pub struct Demand<'a> {
    /// The metric asked for.
    pub metric: &'a Metric,
    /// The language asked for.
    pub language: &'a Language,
    /// The scores asked for, one for each item.
    pub scores: &'a [f32],
}

impl Demand<'_> {
    /// The items of a reply, good or with the reason why not; of a reply without items, one
    /// reason.
    pub fn items(&self, reply: &str) -> Vec<Result<Item, Reason>> {
        let mut open = self.scores.to_vec();
        match values(reply) {
            found if !found.is_empty() => {
                let item = |value: &Value| self.item(value, &mut open);
                found.iter().map(item).collect()
            }
            _ if reply.trim().is_empty() => vec![Err("an empty reply")],
            _ => vec![Err("a reply without JSON items")],
        }
    }

    fn item(&self, value: &Value, open: &mut Vec<f32>) -> Result<Item, Reason> {
        let fields = value.as_object().ok_or("not an object")?;
        let item = Item {
            system: optional(fields, "system_prompt")?,
            user: text(fields, "user_prompt")?.ok_or("no user_prompt")?,
            response: text(fields, "response")?.ok_or("no response")?,
            score: score(fields)?,
            reason: text(fields, "reason")?.ok_or("no reason")?,
        };
        if !self.language.fits(script(&item.user), self.metric) {
            return Err("a prompt in another script");
        }
        claim(open, item.score)?;
        Ok(item)
    }
}

fn optional(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Reason> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(fields, name),
    }
}

/// A text without the space around it; none where it is missing or empty.
fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, Reason> {
    let Some(value) = fields.get(name) else {
        return Ok(None);
    };
    let text = value.as_str().ok_or("a field that is no text")?.trim();
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err("a text that is too long");
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn score(fields: &Map<String, Value>) -> Result<f32, Reason> {
    let score = fields.get("score").ok_or("no score")?;
    let score = score.as_f64().ok_or("a score that is no number")?;
    let within = (0.0..=10.0).contains(&score);
    within.then_some(score as f32).ok_or("a score outside 0-10")
}

/// Takes the nearest score still open, so that no demand is met twice.
fn claim(open: &mut Vec<f32>, score: f32) -> Result<(), Reason> {
    let distance = |wanted: &f32| (wanted - score).abs();
    let near = open.iter().enumerate();
    let near = near.min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
    match near {
        Some((index, wanted)) if distance(wanted) <= TOLERANCE => {
            open.swap_remove(index);
            Ok(())
        }
        _ => Err("a score not asked for"),
    }
}

/// The items in a reply: of `{"items": [...]}`, of a bare list, or of objects one after another,
/// in a fence, between prose, or cut off, when the whole items of it are found.
fn values(reply: &str) -> Vec<Value> {
    // Some models think aloud first, with drafts of their items.
    let reply = reply
        .rsplit_once("</think>")
        .map_or(reply, |(_, rest)| rest);
    let mut found = Vec::new();
    let mut rest = reply;
    while let Some(start) = rest.find(['{', '[']) {
        rest = &rest[start..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                rest = &rest[values.byte_offset()..];
                found.extend(unwrapped(value));
            }
            _ => rest = &rest[1..],
        }
    }
    found
}

fn unwrapped(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) if values.iter().any(Value::is_object) => values,
        Value::Object(mut fields) => match fields.remove("items") {
            Some(Value::Array(values)) => values,
            _ if fields.contains_key("response") => vec![Value::Object(fields)],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metric;

    fn good(score: f64) -> Value {
        json!({"system_prompt": null, "user_prompt": "Why?", "response": format!("For {score}."),
            "score": score, "reason": "It says so."})
    }

    fn items(reply: &str) -> Vec<Result<Item, Reason>> {
        check("en", &[0.0, 5.0, 10.0], reply)
    }

    fn check(language: &str, scores: &[f32], reply: &str) -> Vec<Result<Item, Reason>> {
        let demand = Demand {
            metric: metric::find("task_completion_rate").unwrap(),
            language: &Language::of(language),
            scores,
        };
        demand.items(reply)
    }

    fn scores(reply: &str) -> Vec<f32> {
        let items = items(reply).into_iter();
        items.map(|item| item.unwrap().score).collect()
    }

    /// The reason why the good item is refused once `field` is `value`.
    fn refusal(field: &str, value: Value) -> Reason {
        let mut item = good(5.0);
        item[field] = value;
        items(&json!({ "items": [item] }).to_string())[0]
            .clone()
            .unwrap_err()
    }

    #[test]
    fn items_are_found_plain_fenced_in_prose_and_as_a_list() {
        let list = json!([good(0.0), good(10.0)]);
        let whole = json!({ "items": list }).to_string();
        let fenced = format!("Here you are:\n```json\n{whole}\n```\nAll {{good}}?");
        let thought = format!("<think>{whole}{whole}</think>{whole}");
        for reply in [whole.clone(), fenced, thought, list.to_string()] {
            assert_eq!(scores(&reply), [0.0, 10.0], "{reply}");
        }
    }

    #[test]
    fn the_whole_items_of_a_cut_reply_are_kept() {
        let whole = json!({"items": [good(0.0), good(5.0), good(10.0)]}).to_string();
        assert_eq!(scores(&whole[..whole.len() - 20]), [0.0, 5.0]);
    }

    #[test]
    fn nonsense_is_one_reason() {
        assert_eq!(
            items("I cannot do that."),
            [Err("a reply without JSON items")]
        );
        assert_eq!(
            items("{\"a\": [1, 2]} [[["),
            [Err("a reply without JSON items")]
        );
        assert_eq!(items(" \n"), [Err("an empty reply")]);
    }

    #[test]
    fn a_wrong_schema_is_refused_with_its_reason() {
        assert_eq!(refusal("response", json!("  ")), "no response");
        assert_eq!(refusal("user_prompt", json!(3)), "a field that is no text");
        assert_eq!(
            refusal("system_prompt", json!([])),
            "a field that is no text"
        );
        assert_eq!(refusal("reason", json!("")), "no reason");
        assert_eq!(refusal("score", json!("5")), "a score that is no number");
        assert_eq!(refusal("score", json!(11)), "a score outside 0-10");
        assert_eq!(refusal("score", json!(-0.5)), "a score outside 0-10");
        assert_eq!(refusal("score", json!(7)), "a score not asked for");
        let long = "a".repeat(MAX_CHARS + 1);
        assert_eq!(refusal("response", json!(long)), "a text that is too long");
        assert_eq!(items(r#"{"items": ["x"]}"#), [Err("not an object")]);
    }

    #[test]
    fn every_score_asked_for_is_met_once() {
        let reply = json!({"items": [good(4.5), good(5.5), good(9.0)]}).to_string();
        let found = items(&reply);
        assert!(found[0].is_ok() && found[2].is_ok());
        assert_eq!(found[1], Err("a score not asked for"));
    }

    #[test]
    fn a_prompt_in_another_script_is_refused() {
        let mut item = good(5.0);
        item["user_prompt"] = json!("ரயில் எப்போது வரும்?");
        let reply = json!({ "items": [item] }).to_string();
        assert_eq!(
            check("hi", &[5.0], &reply),
            [Err("a prompt in another script")]
        );
        assert!(check("ta", &[5.0], &reply)[0].is_ok());
    }
}
