//! Which sentences carry a score: each left out in turn.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Scorer;
use super::pause::Pause;
use super::prepared::Text;
use super::sentences::parts;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::Metric;
use crate::text::{Segment, Task};

/// What each part of a text does to the score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Score of the whole, 0 to 10.
    pub score: f32,
    /// The parts in the order of the text.
    pub parts: Vec<Part>,
}

/// One or several neighbouring sentences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Where it starts in the text, in bytes of UTF-8.
    pub start: usize,
    /// Where it ends, white space after it left out.
    pub end: usize,
    /// The score without it; none where nothing would be left to score.
    pub score: Option<f32>,
    /// Score of the whole less the score without it: positive where the part raises the score.
    pub change: Option<f32>,
}

impl Explanation {
    /// The same with offsets into `text` in UTF-16 units, as JavaScript counts.
    pub fn in_utf16(mut self, text: &str) -> Self {
        let (mut bytes, mut units) = (0, 0);
        let mut convert = |offset: usize| {
            units += text[bytes..offset].encode_utf16().count();
            bytes = offset;
            units
        };
        for part in &mut self.parts {
            part.start = convert(part.start);
            part.end = convert(part.end);
        }
        self
    }
}

impl Scorer {
    /// Scores `task` whole and without each part of the text `segment`; at most
    /// [`super::MAX_PARTS`] parts.
    ///
    /// # Errors
    /// As [`Self::score`]; `Input` when the task has no such text.
    pub async fn explain(
        &self,
        task: &Task,
        segment: Segment,
        pause: &impl Pause,
    ) -> Result<Explanation> {
        let target = self.target(&task.metric, || Metric::of_task(task))?;
        let whole = self.text(task)?;
        let text = task.segments()[segment as usize].ok_or_else(|| absent(segment))?;
        let parts = parts(text);
        let without = self.without(task, segment, &parts, pause).await?;
        let mut texts = vec![&whole];
        texts.extend(without.iter().flatten());
        let rows: Vec<(usize, usize)> = (0..texts.len()).map(|text| (text, 0)).collect();
        let verdicts = self.judge(&texts, &[&target], &rows, pause).await?;
        let scores = texts.iter().zip(verdicts);
        let scores =
            scores.map(|(text, verdict)| Ok(self.conclude(text, &target, verdict?.raw).1.score));
        let mut scores = scores.collect::<Result<Vec<f32>>>()?.into_iter();
        let score = scores.next().unwrap_or_default();
        let parts = parts.into_iter().zip(&without).map(|(range, left)| {
            let without = left.as_ref().and_then(|_| scores.next());
            part(text, range, score, without)
        });
        Ok(Explanation {
            score,
            parts: parts.collect(),
        })
    }

    /// The task's texts without each part; none where nothing is left to score.
    async fn without(
        &self,
        task: &Task,
        segment: Segment,
        parts: &[Range<usize>],
        pause: &impl Pause,
    ) -> Result<Vec<Option<Text>>> {
        let mut texts = Vec::with_capacity(parts.len());
        for range in parts {
            let mut task = task.clone();
            if let Some(text) = task.text_mut(segment) {
                text.replace_range(range.clone(), "");
            }
            texts.push(match self.text(&task) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == ErrorKind::Input => None,
                Err(error) => return Err(error),
            });
            pause.pause().await?;
        }
        Ok(texts)
    }
}

fn part(text: &str, range: Range<usize>, score: f32, without: Option<f32>) -> Part {
    let inner = &text[range.clone()];
    let start = range.start + inner.len() - inner.trim_start().len();
    Part {
        start,
        end: start + inner.trim().len(),
        score: without,
        change: without.map(|without| score - without),
    }
}

fn absent(segment: Segment) -> Error {
    let message = format!("the task has no {} to explain", segment.title());
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_those_of_the_script_that_counts() {
        let text = "नमस्ते। 😀 Hello.";
        let start = text.find("Hello").unwrap();
        let explanation = Explanation {
            score: 5.0,
            parts: vec![
                part(text, 0..22, 5.0, None),
                part(text, start..text.len(), 5.0, Some(6.0)),
            ],
        };
        assert_eq!(explanation.parts[1].change, Some(-1.0));
        let units: Vec<u16> = text.encode_utf16().collect();
        let found = explanation.in_utf16(text).parts;
        let read = |part: &Part| String::from_utf16(&units[part.start..part.end]).unwrap();
        assert_eq!(read(&found[0]), "नमस्ते।");
        assert_eq!(read(&found[1]), "Hello.");
    }
}
