//! Tasks after tokenization: the texts and the metrics they are scored on.

use std::collections::HashMap;

use unicode_script::{Script, UnicodeScript};

use super::output::Truncated;
use crate::encoder::{POOLS, slot_weights};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{AnchorKind, HeadsInfo};
use crate::metric::{self, Metric};
use crate::surface::{SURFACE, surface};
use crate::text::{SEGMENTS, Segment, Task, Template};
use crate::tokenizer::{Passage, Tokenizer};

/// The texts of a task: all that is scored but the metric.
pub(super) struct Text {
    /// In the order the encoder gets them.
    pub passages: Vec<Passage>,
    /// See [`surface`].
    pub surface: [f32; SURFACE],
    /// Script of the answer.
    pub script: &'static str,
}

/// A metric to score on.
pub(super) struct Target {
    /// Its name.
    pub name: String,
    /// What it is known by.
    pub vector: Vector,
}

/// Where a metric's vector comes from.
pub(super) enum Vector {
    /// The heads' anchor of that number.
    Anchor(usize),
    /// The embedding of this text.
    Own(Passage),
}

impl Text {
    /// # Errors
    /// `Input` for an empty answer or a text that is too long.
    pub fn new(task: &Task, tokenizer: &Tokenizer, template: &Template) -> Result<Self> {
        task.validate()?;
        let passages = tokenizer.passages(task.segments(), template)?;
        if present(&passages)[Segment::Response as usize] == 0.0 {
            let message = "no token of the answer is left to score";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(Self {
            passages,
            surface: surface(task),
            script: script(&task.response),
        })
    }

    /// The task's pools `[POOLS x width]` from those of its passages, `[POOLS x width]` each.
    pub fn pools(&self, passages: &[&[f32]], width: usize) -> Vec<f32> {
        let mut pools = vec![0.0; POOLS * width];
        let weights = slot_weights(&self.passages);
        for (cell, &weight) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            let (pool, passage) = (cell / passages.len(), cell % passages.len());
            let from = &passages[passage][pool * width..][..width];
            let to = pools[pool * width..][..width].iter_mut();
            to.zip(from).for_each(|(to, from)| *to += weight * from);
        }
        pools
    }
}

impl Target {
    /// The metric of that name; one that the heads have no anchor of comes from `metric`.
    ///
    /// # Errors
    /// `Metric` for an unknown metric without a definition, or one the heads have no vector of.
    pub fn new(
        name: &str,
        metric: impl FnOnce() -> Result<Metric>,
        info: &HeadsInfo,
        tokenizer: &Tokenizer,
    ) -> Result<Self> {
        let anchor = info.anchors.iter().position(|anchor| anchor == name);
        let vector = match (anchor, info.anchor_kind) {
            (Some(anchor), _) => Vector::Anchor(anchor),
            (None, AnchorKind::Text) => {
                Vector::Own(tokenizer.passage(&metric()?.text(), &info.template)?)
            }
            (None, AnchorKind::Given) => return Err(without_vector(name)),
        };
        Ok(Self {
            name: name.into(),
            vector,
        })
    }

    /// The text to be embedded, of a metric without an anchor.
    pub fn own(&self) -> Option<&Passage> {
        match &self.vector {
            Vector::Own(passage) => Some(passage),
            Vector::Anchor(_) => None,
        }
    }
}

fn without_vector(metric: &str) -> Error {
    let message = format!(
        "`{metric}` is not among the metrics these heads were given vectors of; metrics in your \
         own words need heads trained on the metrics' texts"
    );
    Error::new(ErrorKind::Metric, message)
}

/// Tokens the encoder sees of `passages`.
pub(super) fn tokens<'a>(passages: impl Iterator<Item = &'a Passage>) -> usize {
    passages.map(Passage::len).sum()
}

/// What is left of `passages` where something was cut off.
pub(super) fn truncated<'a>(passages: impl Iterator<Item = &'a Passage>) -> Option<Truncated> {
    let (kept, of) = passages.fold((0, 0), |(kept, of), passage| {
        (kept + passage.kept, of + passage.of)
    });
    (kept < of).then_some(Truncated { kept, of })
}

/// Each passage once.
#[derive(Default)]
pub(super) struct Distinct<'a> {
    /// Without repeats, in the order they came.
    pub passages: Vec<&'a Passage>,
    /// Numbers of the passages that begin with these tokens.
    known: HashMap<&'a [u32], Vec<usize>>,
}

impl<'a> Distinct<'a> {
    /// The number of `passage` among the distinct ones.
    pub fn add(&mut self, passage: &'a Passage) -> usize {
        let ids = passage
            .windows
            .first()
            .map_or(&[][..], |window| &window.ids);
        let alike = self.known.entry(ids).or_default();
        let same = alike
            .iter()
            .find(|&&number| self.passages[number] == passage);
        if let Some(&number) = same {
            return number;
        }
        let number = self.passages.len();
        alike.push(number);
        self.passages.push(passage);
        number
    }
}

/// Which pools of a task hold a token: 1 or 0.
pub fn present(passages: &[Passage]) -> [f32; POOLS] {
    let mut present = [1.0; POOLS];
    for (segment, present) in present.iter_mut().enumerate().take(SEGMENTS) {
        let tokens: usize = passages
            .iter()
            .map(|passage| passage.counts()[segment])
            .sum();
        *present = f32::from(u8::from(tokens > 0));
    }
    present
}

/// Name of the script most letters of `text` are written in; `Common` when there is no letter.
pub fn script(text: &str) -> &'static str {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    for letter in text.chars() {
        let script = letter.script();
        if matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == script) {
            Some((_, count)) => *count += 1,
            None => counts.push((script, 1)),
        }
    }
    let most = counts.iter().max_by_key(|(_, count)| *count);
    most.map_or(Script::Common, |(script, _)| *script)
        .full_name()
}

/// The catalogue's texts as passages, in its order: what anchors are embedded from.
///
/// # Errors
/// As [`Tokenizer::passage`].
pub fn anchor_passages(tokenizer: &Tokenizer, template: &Template) -> Result<Vec<Passage>> {
    let metrics = metric::catalogue().iter();
    metrics
        .map(|metric| tokenizer.passage(&metric.text(), template))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_most_letters_wins() {
        assert_eq!(script("नमस्ते world, कैसे हैं आप"), "Devanagari");
        assert_eq!(script("hello 123 நன்றி thanks"), "Latin");
        assert_eq!(script("123 !?"), "Common");
    }

    #[test]
    fn a_passage_that_comes_again_is_encoded_once() {
        let passage = |ids: &[u32], segment| Passage {
            windows: vec![crate::tokenizer::Window {
                ids: ids.to_vec(),
                segments: vec![Some(segment); ids.len()],
            }],
            kept: ids.len(),
            of: ids.len(),
        };
        let (user, other) = (
            passage(&[1, 2], Segment::User),
            passage(&[1, 3], Segment::User),
        );
        let (again, answer) = (user.clone(), passage(&[1, 2], Segment::Response));
        let mut distinct = Distinct::default();
        let numbers = [&user, &other, &again, &answer].map(|passage| distinct.add(passage));
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!(distinct.passages.len(), 3);
    }
}
