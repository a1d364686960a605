//! Which tokens make up which pooled vector, as weights for matrix products.

use super::pipeline::SentencePooling;
use crate::text::{SEGMENTS, Segment};
use crate::tokenizer::Passage;

/// Pooled vectors of a passage or a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Mean over the system prompt's tokens.
    System = 0,
    /// Mean over the user prompt's tokens.
    User = 1,
    /// Mean over the answer's tokens.
    Response = 2,
    /// The whole text as the sentence encoder itself pools it: the mean over every token, special
    /// ones and the prefix included, or the first token.
    All = 3,
    /// The first token.
    First = 4,
}

/// Number of pooled vectors.
pub const POOLS: usize = 5;

/// Weights `[windows, POOLS, length]`; those of one passage sum to 1 over its windows for every
/// pool that has a token and are 0 otherwise. Padding has weight 0.
pub(super) fn token_weights(
    passages: &[&Passage],
    length: usize,
    pooling: SentencePooling,
) -> Vec<f32> {
    let rows: usize = passages.iter().map(|passage| passage.windows.len()).sum();
    let mut weights = vec![0.0; rows * POOLS * length];
    let mut outputs = weights.chunks_exact_mut(POOLS * length);
    for passage in passages {
        let counts = passage.counts();
        for window in &passage.windows {
            let Some(output) = outputs.next() else {
                return weights;
            };
            let first = 1.0 / passage.windows.len() as f32;
            output[Pool::First as usize * length] = first;
            if pooling == SentencePooling::Cls {
                output[Pool::All as usize * length] = first;
            }
            for (token, segment) in window.segments.iter().enumerate() {
                if pooling == SentencePooling::Mean {
                    output[Pool::All as usize * length + token] = 1.0 / passage.len() as f32;
                }
                if let Some(segment) = segment {
                    let pool = *segment as usize;
                    output[pool * length + token] = 1.0 / counts[pool] as f32;
                }
            }
        }
    }
    weights
}

/// `[passages, windows]`: 1 where a window belongs to the passage.
pub(super) fn window_sums(passages: &[&Passage]) -> Vec<f32> {
    let rows: usize = passages.iter().map(|passage| passage.windows.len()).sum();
    let mut sums = vec![0.0; passages.len() * rows];
    let mut column = 0;
    for (passage, sums) in passages.iter().zip(sums.chunks_exact_mut(rows)) {
        sums[column..column + passage.windows.len()].fill(1.0);
        column += passage.windows.len();
    }
    sums
}

/// How a task's pools come from the pools of its passages: `[POOLS, passages]`, the weight of
/// passage p's vector of that pool. One passage (the joined layout) keeps its own pools; of
/// several, means are weighted by tokens and the first token is the last passage's (the answer's).
pub fn slot_weights(passages: &[Passage]) -> Vec<f32> {
    let counts: Vec<[usize; SEGMENTS]> = passages.iter().map(Passage::counts).collect();
    let mut weights = vec![0.0; POOLS * passages.len()];
    let total: usize = passages.iter().map(Passage::len).sum();
    for (index, passage) in passages.iter().enumerate() {
        for segment in Segment::ALL {
            let pool = segment as usize;
            let tokens: usize = counts.iter().map(|count| count[pool]).sum();
            if tokens > 0 {
                weights[pool * passages.len() + index] = counts[index][pool] as f32 / tokens as f32;
            }
        }
        weights[Pool::All as usize * passages.len() + index] = passage.len() as f32 / total as f32;
    }
    if let Some(last) = passages.len().checked_sub(1) {
        weights[Pool::First as usize * passages.len() + last] = 1.0;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Window;

    fn passage(segments: &[&[Option<Segment>]]) -> Passage {
        let windows = segments.iter().map(|segments| Window {
            ids: vec![7; segments.len()],
            segments: segments.to_vec(),
        });
        Passage {
            windows: windows.collect(),
            kept: 0,
            of: 0,
        }
    }

    #[test]
    fn padding_and_absent_segments_weigh_nothing_and_the_rest_sums_to_one() {
        use Segment::{Response, User};
        let long = passage(&[
            &[None, Some(User), Some(Response), None],
            &[None, Some(Response), None],
        ]);
        for pooling in [SentencePooling::Mean, SentencePooling::Cls] {
            let weights = token_weights(&[&long], 6, pooling);
            let sum = |pool: Pool| -> f32 {
                (0..2)
                    .flat_map(|row| &weights[(row * POOLS + pool as usize) * 6..][..6])
                    .sum()
            };
            assert_eq!(sum(Pool::System), 0.0);
            for pool in [Pool::User, Pool::Response, Pool::All, Pool::First] {
                assert!((sum(pool) - 1.0).abs() < 1e-6, "{pool:?}");
            }
            let mut rows = weights.chunks_exact(6);
            assert!(rows.all(|row| row[4] == 0.0 && row[5] == 0.0));
        }
    }

    #[test]
    fn a_tasks_pools_come_from_its_passages() {
        use Segment::{Response, User};
        let user = passage(&[&[None, Some(User), None]]);
        let response = passage(&[&[
            None,
            Some(Response),
            Some(Response),
            Some(Response),
            None,
            None,
        ]]);
        let weights = slot_weights(&[user, response]);
        assert_eq!(weights[Pool::System as usize * 2..][..2], [0.0, 0.0]);
        assert_eq!(weights[Pool::User as usize * 2..][..2], [1.0, 0.0]);
        assert_eq!(weights[Pool::Response as usize * 2..][..2], [0.0, 1.0]);
        assert_eq!(
            weights[Pool::All as usize * 2..][..2],
            [3.0 / 9.0, 6.0 / 9.0]
        );
        assert_eq!(weights[Pool::First as usize * 2..][..2], [0.0, 1.0]);
    }
}
