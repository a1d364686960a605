//! What a labelling configuration says: which data field each tag shows, and which controls there are.

use roxmltree::{Document, Node};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};

/// The largest labelling configuration read, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Name of the control that holds the score, where several could.
pub const SCORE: &str = "score";

/// A labelling configuration, as far as scoring needs it.
#[derive(Clone, Debug, Default)]
pub struct Labelling {
    /// Tags that show a data field, in document order.
    pub objects: Vec<Object>,
    /// Tags that take an answer, in document order.
    pub controls: Vec<Control>,
}

/// A tag with `value="$field"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// The data field it shows, without the dollar sign.
    pub field: String,
}

/// A tag with `toName`.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Its kind: `Number`, `TextArea`, ...
    pub tag: String,
    /// Its name.
    pub name: String,
    /// The object it belongs to.
    pub to_name: String,
    /// Attributes that only a score control has.
    pub scale: Scale,
    /// Whether it can hold a score.
    takes_score: bool,
}

/// Attributes of a score control.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    min: Option<f64>,
    max: Option<f64>,
    step: Option<f64>,
    /// The one metric of the project; an attribute of ours, which Label Studio passes over.
    pub metric: Option<String>,
    /// What that metric measures, where it is not in the catalogue; likewise ours.
    pub definition: Option<String>,
}

impl Labelling {
    /// Reads a configuration. An empty one has no tags.
    ///
    /// # Errors
    /// `Format` for text that is no XML, has a document type, or is too large.
    pub fn parse(xml: &str) -> Result<Self> {
        if xml.trim().is_empty() {
            return Ok(Self::default());
        }
        if xml.len() > MAX_BYTES {
            let found = xml.len();
            return Err(malformed(format!(
                "{found} bytes, at most {MAX_BYTES} are read"
            )));
        }
        let document = Document::parse(xml).map_err(|error| malformed(error.to_string()))?;
        let tags = || document.descendants().filter(Node::is_element);
        Ok(Self {
            objects: tags().filter_map(object).collect(),
            controls: tags().filter_map(control).collect(),
        })
    }

    /// The control that holds the score: the one named `score`, or the only one that can. That is
    /// a `<Number>`, or Enterprise's `<ReactCode>` with an output of that name.
    ///
    /// # Errors
    /// `Input` where there is none, where none of several is named `score`, and where its scale
    /// is not 0 to 10; the message names what was found.
    pub fn score(&self) -> Result<&Control> {
        let able: Vec<&Control> = self.controls.iter().filter(|it| it.takes_score).collect();
        let named = able.iter().find(|control| control.name == SCORE);
        let control = match (named, able.as_slice()) {
            (Some(named), _) => named,
            (None, [only]) => only,
            (None, []) => return Err(no_number(&self.controls)),
            (None, several) => return Err(several_numbers(several)),
        };
        control.scale.check(&control.name)?;
        Ok(control)
    }

    /// The `<TextArea>` of that name, where there is one.
    pub fn text_area(&self, name: &str) -> Option<&Control> {
        let mut controls = self.controls.iter();
        controls.find(|control| control.tag == "TextArea" && control.name == name)
    }
}

impl Control {
    /// A `<Number>` of that name, with nothing known besides.
    pub fn number(name: &str) -> Self {
        Self {
            tag: "Number".to_owned(),
            name: name.to_owned(),
            to_name: String::new(),
            scale: Scale::default(),
            takes_score: true,
        }
    }

    /// A score as a prediction's `type` and `value` for this control.
    pub fn region(&self, score: f32) -> (&'static str, Value) {
        let score = self.scale.round(score);
        match self.tag.as_str() {
            "ReactCode" => ("reactcode", json!({ "reactcode": { "score": score } })),
            _ => ("number", json!({ "number": score })),
        }
    }
}

/// The score in the `value` of a result, whichever control it is of.
pub fn score_in(value: &Value) -> Option<f64> {
    value["number"]
        .as_f64()
        .or_else(|| value["reactcode"]["score"].as_f64())
}

impl Scale {
    /// # Errors
    /// `Input` for ends other than 0 and 10: what Label Studio would then take is not a score.
    fn check(&self, name: &str) -> Result<()> {
        let shown = |end: Option<f64>| end.map_or("none".to_owned(), |end| end.to_string());
        if self.min.is_none_or(|min| min == 0.0) && self.max.is_none_or(|max| max == 10.0) {
            return Ok(());
        }
        let (min, max) = (shown(self.min), shown(self.max));
        let message = format!(
            "the Number control `{name}` has min {min} and max {max}, scores go from 0 to 10: \
             set min=\"0\" max=\"10\""
        );
        Err(Error::new(ErrorKind::Input, message))
    }

    /// The score as the control takes it: in its steps, or to a tenth.
    pub fn round(&self, score: f32) -> f64 {
        let step = self.step.filter(|step| (0.001..=10.0).contains(step));
        let step = step.unwrap_or(0.1);
        let rounded = (f64::from(score) / step).round() * step;
        // Multiples of 0.1 are no binary numbers: without this 7.4 could read 7.4000000000000004.
        ((rounded * 1000.0).round() / 1000.0).clamp(0.0, 10.0)
    }
}

fn object(tag: Node<'_, '_>) -> Option<Object> {
    let field = tag.attribute("value")?.strip_prefix('$')?;
    let plain = !field.is_empty() && !field.contains(|c: char| c == '$' || c.is_whitespace());
    plain.then(|| Object {
        name: tag.attribute("name").unwrap_or_default().to_owned(),
        field: field.to_owned(),
    })
}

fn control(tag: Node<'_, '_>) -> Option<Control> {
    let number = |name: &str| tag.attribute(name)?.trim().parse().ok();
    let text = |name: &str| {
        let text = tag.attribute(name)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let kind = tag.tag_name().name();
    let names_score = || {
        let outputs = tag.attribute("outputs").unwrap_or_default();
        let mut words = outputs.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == SCORE)
    };
    Some(Control {
        takes_score: kind == "Number" || kind == "ReactCode" && names_score(),
        tag: kind.to_owned(),
        name: tag.attribute("name")?.to_owned(),
        to_name: tag
            .attribute("toName")?
            .split(',')
            .next()?
            .trim()
            .to_owned(),
        scale: Scale {
            min: number("min"),
            max: number("max"),
            step: number("step"),
            metric: text("metric"),
            definition: text("definition"),
        },
    })
}

fn malformed(why: String) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("the labelling configuration cannot be read: {why}"),
    )
}

fn no_number(controls: &[Control]) -> Error {
    let found: Vec<String> = controls
        .iter()
        .map(|control| format!("{} `{}`", control.tag, control.name))
        .collect();
    let found = if found.is_empty() {
        "no control at all".to_owned()
    } else {
        found.join(", ")
    };
    let message = format!(
        "the labelling configuration has no Number control for the score, found {found}; add \
         <Number name=\"score\" toName=\"...\" min=\"0\" max=\"10\" step=\"0.1\"/>"
    );
    Error::new(ErrorKind::Input, message)
}

fn several_numbers(able: &[&Control]) -> Error {
    let names: Vec<&str> = able.iter().map(|control| control.name.as_str()).collect();
    let message = format!(
        "the labelling configuration has {} controls for numbers ({}); give the one for the score the \
         name `{SCORE}`",
        names.len(),
        names.join(", ")
    );
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Labelling {
        Labelling::parse(xml).unwrap()
    }

    fn refused(xml: &str) -> String {
        parse(xml).score().unwrap_err().to_string()
    }

    #[test]
    fn objects_and_controls_are_found_wherever_they_stand() {
        let found = parse(
            "<View><View className='box'><Text name='prompt' value='$question'/></View>
             <Header value='$title'/><Header value='Answer'/><Text name='mix' value='$a and $b'/>
             <Number name='score' toName='prompt' min='0' max='10' metric=' fairness '/></View>",
        );
        let fields: Vec<_> = found
            .objects
            .iter()
            .map(|o| (&*o.name, &*o.field))
            .collect();
        assert_eq!(fields, [("prompt", "question"), ("", "title")]);
        let score = found.score().unwrap();
        assert_eq!((&*score.name, &*score.to_name), ("score", "prompt"));
        assert_eq!(score.scale.metric.as_deref(), Some("fairness"));
    }

    #[test]
    fn the_score_control_is_the_named_one_or_the_only_one() {
        let only = parse("<View><Number name='stars' toName='a'/></View>");
        assert_eq!(only.score().unwrap().name, "stars");
        let named =
            parse("<View><Number name='n' toName='a'/><Number name='score' toName='a'/></View>");
        assert_eq!(named.score().unwrap().name, "score");
        let several =
            refused("<View><Number name='low' toName='a'/><Number name='high' toName='a'/></View>");
        assert!(several.contains("(low, high)"), "{several}");
    }

    #[test]
    fn a_page_in_a_frame_can_hold_the_score() {
        let found = parse(
            "<View><ReactCode name='judge' toName='judge' src='https://a.example' outputs='score:number(0,10)'/></View>",
        );
        let control = found.score().unwrap();
        let (kind, value) = control.region(7.44);
        assert_eq!(
            (kind, &value),
            ("reactcode", &json!({"reactcode": {"score": 7.4}}))
        );
        assert_eq!(score_in(&value), Some(7.4));
        let other =
            refused("<View><ReactCode name='map' toName='map' outputs='scores, area'/></View>");
        assert!(other.contains("found ReactCode `map`"), "{other}");
    }

    #[test]
    fn what_stands_in_place_of_a_number_is_named() {
        let found = refused("<View><Choices name='verdict' toName='a'/></View>");
        assert!(found.contains("found Choices `verdict`"), "{found}");
        assert!(refused("").contains("no control at all"));
    }

    #[test]
    fn another_scale_is_refused() {
        let found = refused("<View><Number name='score' toName='a' min='1' max='5'/></View>");
        assert!(found.contains("min 1 and max 5"), "{found}");
    }

    #[test]
    fn scores_are_given_in_the_controls_steps() {
        let round = |step: &str, score| {
            let xml = format!("<View><Number name='score' toName='a' step='{step}'/></View>");
            parse(&xml).score().unwrap().scale.round(score)
        };
        assert_eq!(round("0.1", 7.4499), 7.4);
        assert_eq!(round("0.5", 7.3), 7.5);
        assert_eq!(round("1", 7.3), 7.0);
        assert_eq!(round("any", 7.36), 7.4);
        assert_eq!(round("0", 7.36), 7.4);
        assert_eq!(round("3", 9.9), 9.0);
    }

    #[test]
    fn hostile_xml_is_refused() {
        let bomb = "<!DOCTYPE v [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><View>&b;</View>";
        for xml in [bomb, "<View", "not xml", &"<View>".repeat(200_000)] {
            let error = Labelling::parse(xml).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format);
        }
    }
}
