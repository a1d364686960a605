//! What a bundle with heads says of itself: the map of its anchors and its golden texts.

use super::{block_on, map};
use crate::bundle::{Bundle, Golden, MapPoint};
use crate::encoder::Execution;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{AnchorKind, HeadsInfo};
use crate::scorer::{Scorer, Unpaused};
use crate::text::Task;

/// Similarities kept of each golden text.
const ANCHORS: usize = 3;

/// Map and golden texts of `bundle`, by scoring on this machine's CPU.
///
/// # Errors
/// As [`Scorer::load`] and [`Scorer::score`].
pub fn survey(bundle: Bundle) -> Result<(Vec<MapPoint>, Vec<Golden>)> {
    let scorer = Scorer::load(bundle, &Execution::Fused)?;
    let cosines = block_on(scorer.anchor_likeness())?;
    let map = map::layout(&scorer.info().anchors, &cosines);
    let kept = 100.0 * map::kept(&map, &cosines);
    eprintln!("the map shows {kept:.0} % of the ten nearest neighbours of each metric as such");
    Ok((map, golden(&scorer)?))
}

fn golden(scorer: &Scorer) -> Result<Vec<Golden>> {
    let tasks = tasks(scorer.info())?;
    let scores = block_on(scorer.score_batch(&tasks, &Unpaused))?;
    let golden = tasks.into_iter().zip(scores).map(|(task, score)| {
        let score = score?;
        let anchors = score.anchors.iter().take(ANCHORS);
        let anchors = anchors.map(|near| (near.metric.clone(), rounded(near.similarity)));
        Ok(Golden {
            task,
            score: rounded(score.score),
            anchors: anchors.collect(),
        })
    });
    golden.collect()
}

/// The texts of `golden.json`; heads that know only given metrics get them on some of those.
fn tasks(info: &HeadsInfo) -> Result<Vec<Task>> {
    let parsed = serde_json::from_str(include_str!("../golden.json"));
    let mut tasks: Vec<Task> =
        parsed.map_err(|e| Error::new(ErrorKind::Format, format!("golden.json: {e}")))?;
    if info.anchor_kind == AnchorKind::Given {
        let anchors = info.anchors.iter().cycle();
        for (task, anchor) in tasks.iter_mut().zip(anchors) {
            task.metric.clone_from(anchor);
            task.definition = None;
        }
    }
    Ok(tasks)
}

/// Four decimals, far finer than what is compared.
fn rounded(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}
