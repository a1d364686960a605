//! The ensemble's axes as options: kinds, sizes, pooling, dropout, contrast, bags.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::heads::{
    EnsembleConfig, GroupConfig, JointConfig, JointMember, Output, Pooling, ProjectionConfig,
    ProjectionMember,
};

/// Which members an ensemble has. Lists that are shorter than a group are taken in turn.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct MemberArgs {
    /// Projection size of each member that regresses the score (approach 1); `none` for no such.
    #[arg(long, default_value = "48,48,64,64")]
    pub projections: Sizes,
    /// Projection size of each member with an ordinal output (CORN).
    #[arg(long, default_value = "48,48,64,64")]
    pub ordinals: Sizes,
    /// Dimensions of each joint space (approach 2).
    #[arg(long, default_value = "48,48,64,64")]
    pub joints: Sizes,
    /// Which vector stands for the answer, in turn.
    #[arg(long, value_delimiter = ',', default_values = ["segments", "segments", "mean", "first"], value_parser = pooling)]
    pub poolings: Vec<Pooling>,
    /// Share of features dropped in training, in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [0.2, 0.3])]
    pub dropouts: Vec<f32>,
    /// Weight of a joint member's contrastive loss beside its regression, in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [0.5, 0.2, 1.0, 0.5])]
    pub contrasts: Vec<f32>,
    /// Whether the system prompt is part of a joint member's text, in turn.
    #[arg(long, value_delimiter = ',', default_values_t = [false, true])]
    pub systems: Vec<bool>,
    /// Width of the members' inner layer.
    #[arg(long, default_value_t = 48)]
    pub hidden: usize,
}

/// Sizes of a group's members, as text separated by commas; `none` for an empty group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes(pub Vec<usize>);

impl std::str::FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let size = |part: &str| part.trim().parse::<usize>().ok().filter(|size| *size > 0);
        let sizes: Option<Vec<usize>> = text.split(',').map(size).collect();
        sizes
            .map(Self)
            .ok_or_else(|| "expected sizes such as 32,64, or none".into())
    }
}

fn pooling(text: &str) -> std::result::Result<Pooling, String> {
    match text {
        "segments" => Ok(Pooling::Segments),
        "mean" => Ok(Pooling::Mean),
        "first" => Ok(Pooling::First),
        _ => Err("expected segments, mean or first".into()),
    }
}

impl MemberArgs {
    /// Shapes of the ensemble on vectors of `width`, metrics of `metric_width`.
    ///
    /// # Errors
    /// `Input` when there is no member or a list is empty; see [`EnsembleConfig::validate`].
    pub fn config(&self, width: usize, metric_width: usize) -> Result<EnsembleConfig> {
        let lists = [
            self.poolings.len(),
            self.dropouts.len(),
            self.contrasts.len(),
            self.systems.len(),
        ];
        if lists.contains(&0) {
            let message = "--poolings, --dropouts, --contrasts and --systems need a value each";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let groups = [
            self.projection(&self.projections, Output::Value),
            self.projection(&self.ordinals, Output::Ordinal),
            self.joint(),
        ];
        let config = EnsembleConfig {
            width,
            metric_width,
            groups: groups.into_iter().flatten().collect(),
        };
        if config.members() == 0 {
            let message = "an ensemble needs a member: give --projections, --ordinals or --joints";
            return Err(Error::new(ErrorKind::Input, message));
        }
        config.validate()?;
        Ok(config)
    }

    fn projection(&self, sizes: &Sizes, output: Output) -> Option<GroupConfig> {
        let members = sizes
            .0
            .iter()
            .enumerate()
            .map(|(index, &size)| ProjectionMember {
                size,
                pooling: turn(&self.poolings, index),
                dropout: turn(&self.dropouts, index),
            });
        let members: Vec<_> = members.collect();
        (!members.is_empty()).then_some(GroupConfig::Projection(ProjectionConfig {
            output,
            hidden: self.hidden,
            members,
        }))
    }

    fn joint(&self) -> Option<GroupConfig> {
        let members = self
            .joints
            .0
            .iter()
            .enumerate()
            .map(|(index, &size)| JointMember {
                size,
                pooling: turn(&self.poolings, index),
                system: turn(&self.systems, index),
                dropout: turn(&self.dropouts, index),
                contrast: turn(&self.contrasts, index),
            });
        let members: Vec<_> = members.collect();
        (!members.is_empty()).then_some(GroupConfig::Joint(JointConfig {
            hidden: self.hidden,
            members,
        }))
    }
}

fn turn<T: Copy>(values: &[T], index: usize) -> T {
    values[index % values.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        members: MemberArgs,
    }

    fn config(line: &[&str]) -> Result<EnsembleConfig> {
        let line = [&["train"], line].concat();
        Line::try_parse_from(line).unwrap().members.config(8, 8)
    }

    #[test]
    fn the_default_has_all_three_kinds_and_at_least_eight_members() {
        let config = config(&[]).unwrap();
        let names: Vec<&str> = config.groups.iter().map(GroupConfig::name).collect();
        assert_eq!(names, ["projection", "ordinal", "joint"]);
        assert!(config.members() >= 8);
    }

    #[test]
    fn lists_are_taken_in_turn_and_none_leaves_a_kind_out() {
        let config = config(&[
            "--ordinals",
            "none",
            "--joints",
            "none",
            "--projections",
            "4,5,6",
            "--poolings",
            "mean,first",
        ])
        .unwrap();
        let [GroupConfig::Projection(group)] = config.groups.as_slice() else {
            panic!("{config:?}");
        };
        let poolings: Vec<Pooling> = group.members.iter().map(|m| m.pooling).collect();
        assert_eq!(poolings, [Pooling::Mean, Pooling::First, Pooling::Mean]);
    }

    #[test]
    fn an_ensemble_without_members_is_refused() {
        let none = [
            "--ordinals",
            "none",
            "--joints",
            "none",
            "--projections",
            "none",
        ];
        assert_eq!(config(&none).unwrap_err().kind(), ErrorKind::Input);
        assert!("4,x".parse::<Sizes>().is_err() && "0".parse::<Sizes>().is_err());
    }
}
