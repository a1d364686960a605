//! What the scorer says beside a single score, with the tiny bundle.

mod common;

use std::cell::Cell;

use touchstone::encoder::Execution;
use touchstone::error::{Error, ErrorKind, Result};
use touchstone::metric::Metric;
use touchstone::scorer::{MAX_PARTS, Pause, Unpaused};
use touchstone::text::Segment;
use touchstone::{Score, Scorer, Task};

use common::{failure, stdout, tiny_bundle};

fn wait<F: Future>(future: F) -> F::Output {
    touchstone::cli::block_on(future)
}

fn scorer() -> Scorer {
    let bundle = touchstone::cli::model::read_bundle(tiny_bundle()).unwrap();
    Scorer::load(bundle, &Execution::Fused).unwrap()
}

fn task(metric: &str, response: &str) -> Task {
    Task {
        metric: metric.into(),
        user: "How do I get to the station? मुझे रास्ता बताइए।".into(),
        response: response.into(),
        ..Task::default()
    }
}

fn own() -> Metric {
    Metric {
        name: "Friendly".into(),
        parent: None,
        title: "Friendly".into(),
        definition: "Whether the answer is warm. 10: kind. 0: rude.".into(),
    }
}

fn score(scorer: &Scorer, task: &Task) -> Score {
    wait(scorer.score(task, &Unpaused)).unwrap()
}

/// Rests a number of times, then calls the work off.
struct Patience(Cell<usize>);

impl Patience {
    fn of(rests: usize) -> Self {
        Self(Cell::new(rests))
    }
}

impl Pause for Patience {
    async fn pause(&self) -> Result<()> {
        let left = self.0.get().checked_sub(1);
        let called_off = || Error::new(ErrorKind::Cancelled, "enough");
        self.0.set(left.ok_or_else(called_off)?);
        Ok(())
    }
}

#[test]
fn one_bad_task_fails_alone_and_the_order_is_kept() {
    let scorer = scorer();
    let long = "Go straight on, then left. ".repeat(40);
    let tasks = [
        task("fairness", &long),
        task("fairness", "  "),
        task("no such metric", "Left."),
        task("accuracy", "Go left."),
        task("fairness", &"a".repeat((1 << 20) + 1)),
        task("fairness", "दाएँ मुड़िए।"),
    ];
    let scores = wait(scorer.score_batch(&tasks, &Unpaused)).unwrap();
    assert_eq!(scores.len(), tasks.len());
    let kind = |index: usize| scores[index].as_ref().err().map(Error::kind);
    assert_eq!(kind(1), Some(ErrorKind::Input));
    assert_eq!(kind(2), Some(ErrorKind::Metric));
    assert_eq!(kind(4), Some(ErrorKind::Input));
    for index in [0, 3, 5] {
        let (found, alone) = (
            scores[index].as_ref().unwrap(),
            score(&scorer, &tasks[index]),
        );
        assert!((found.score - alone.score).abs() < 1e-4, "task {index}");
        assert_eq!(found.receipt.tokens, alone.receipt.tokens);
    }
    assert!(wait(scorer.score_batch(&[], &Unpaused)).unwrap().is_empty());
}

#[test]
fn a_profile_holds_the_score_of_every_metric_and_of_own_ones() {
    let scorer = scorer();
    let answer = "Take the second street on the left. Ask again there!";
    let any = task("", answer);
    let profile = wait(scorer.profile(&any, &[own()], &Unpaused)).unwrap();
    let names = scorer.info().anchors.iter().map(String::as_str);
    let names: Vec<&str> = names.chain(["Friendly"]).collect();
    let found: Vec<&str> = profile.scores.iter().map(|s| s.metric.as_str()).collect();
    assert_eq!(found, names);
    for found in &profile.scores {
        let mut task = task(&found.metric, answer);
        task.definition = (found.metric == "Friendly").then(|| own().definition);
        let alone = score(&scorer, &task);
        assert!((found.score - alone.score).abs() < 1e-4, "{}", found.metric);
        assert_eq!(
            (found.support, &found.doubts),
            (alone.support, &alone.doubts)
        );
        assert_eq!(found.interval.is_some(), alone.interval.is_some());
    }
}

#[test]
fn a_profile_needs_an_answer_and_definitions() {
    let scorer = scorer();
    let empty = wait(scorer.profile(&task("", ""), &[], &Unpaused)).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Input);
    let mut undefined = own();
    undefined.definition = " ".into();
    let error = wait(scorer.profile(&task("", "Left."), &[undefined], &Unpaused)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Metric);
}

#[test]
fn an_explanation_is_the_difference_that_each_sentence_makes() {
    let scorer = scorer();
    let whole = task("fairness", "Go left. फिर सीधे जाइए। Ask there.");
    let explanation = wait(scorer.explain(&whole, Segment::Response, &Unpaused)).unwrap();
    let texts: Vec<&str> = explanation
        .parts
        .iter()
        .map(|part| &whole.response[part.start..part.end])
        .collect();
    assert_eq!(texts, ["Go left.", "फिर सीधे जाइए।", "Ask there."]);
    assert!((explanation.score - score(&scorer, &whole).score).abs() < 1e-4);
    let without = score(&scorer, &task("fairness", "Go left. Ask there.")).score;
    let middle = &explanation.parts[1];
    assert!((middle.score.unwrap() - without).abs() < 1e-4);
    let change = explanation.score - middle.score.unwrap();
    assert_eq!(middle.change, Some(change));
}

#[test]
fn without_its_only_sentence_an_answer_has_no_score_and_a_prompt_may_be_empty() {
    let scorer = scorer();
    let task = task("fairness", "Left.");
    let answer = wait(scorer.explain(&task, Segment::Response, &Unpaused)).unwrap();
    assert_eq!(
        (answer.parts[0].score, answer.parts[0].change),
        (None, None)
    );
    let mut short = task.clone();
    short.user = "Where?".into();
    let prompt = wait(scorer.explain(&short, Segment::User, &Unpaused)).unwrap();
    assert!(prompt.parts[0].score.is_some());
    let error = wait(scorer.explain(&task, Segment::System, &Unpaused)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("no system prompt"), "{error}");
}

#[test]
fn a_long_answer_is_explained_in_at_most_64_parts() {
    let scorer = scorer();
    let answer = "Turn left here. ".repeat(200);
    let explanation =
        wait(scorer.explain(&task("fairness", &answer), Segment::Response, &Unpaused));
    let parts = explanation.unwrap().parts;
    assert!((2..=MAX_PARTS).contains(&parts.len()));
    assert!(parts.windows(2).all(|two| two[0].end <= two[1].start));
}

#[test]
fn neighbours_are_ranked_and_leave_the_metric_itself_out() {
    let scorer = scorer();
    let mut known = own();
    known.name = "fairness".into();
    for metric in [own(), known] {
        let nearest = wait(scorer.locate(&metric, &Unpaused)).unwrap();
        assert!(!nearest.is_empty() && nearest.iter().all(|near| near.metric != metric.name));
        let falls = nearest
            .windows(2)
            .all(|two| two[0].similarity >= two[1].similarity);
        assert!(falls && nearest.iter().all(|near| near.similarity.abs() <= 1.001));
    }
    let mut undefined = own();
    undefined.definition = String::new();
    let error = wait(scorer.locate(&undefined, &Unpaused)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Metric);
}

#[test]
fn long_work_rests_between_layers_and_ends_when_called_off() {
    let scorer = scorer();
    let task = task("fairness", "Go left. Then ask. Good luck!");
    let rests = Patience::of(1000);
    wait(scorer.score(&task, &rests)).unwrap();
    assert!(
        1000 - rests.0.get() >= 4,
        "two layers and a batch have rests"
    );
    let kind = |error: Error| error.kind();
    for rests in 0..3 {
        let rests = Patience::of(rests);
        let score = wait(scorer.score(&task, &rests)).map(|_| ()).map_err(kind);
        assert_eq!(score, Err(ErrorKind::Cancelled));
    }
    let tasks = [task.clone(), task.clone()];
    let batch = wait(scorer.score_batch(&tasks, &Patience::of(3))).map(|_| ());
    let profile = wait(scorer.profile(&task, &[], &Patience::of(1))).map(|_| ());
    let parts = wait(scorer.explain(&task, Segment::Response, &Patience::of(4))).map(|_| ());
    let check = wait(scorer.check(&Patience::of(2))).map(|_| ());
    for ended in [batch, profile, parts, check] {
        assert_eq!(ended.map_err(kind), Err(ErrorKind::Cancelled));
    }
}

#[test]
fn the_map_shows_every_metric_once() {
    let scorer = scorer();
    let map = scorer.map().expect("a packed bundle has a map");
    let names: Vec<&str> = map.iter().map(|point| point.metric.as_str()).collect();
    assert_eq!(names, scorer.info().anchors);
    let inside = |value: f32| (-1.0..=1.0).contains(&value);
    assert!(map.iter().all(|point| inside(point.x) && inside(point.y)));
}

#[test]
fn golden_texts_agree_on_the_machine_that_packed_them() {
    let check = wait(scorer().check(&Unpaused)).unwrap();
    assert_eq!(check.passed, Some(true));
    assert!(check.worst < Some(0.001) && check.cases.len() >= 6);
}

#[test]
fn a_wrong_golden_score_is_found_and_an_older_bundle_claims_nothing() {
    let mut bundle = touchstone::cli::model::read_bundle(tiny_bundle()).unwrap();
    bundle.manifest.golden[2].score += 0.5;
    let altered = Scorer::load(bundle, &Execution::Fused).unwrap();
    let check = wait(altered.check(&Unpaused)).unwrap();
    assert_eq!(check.passed, Some(false));
    assert!((check.worst.unwrap() - 0.5).abs() < 0.01);

    let manifest = std::fs::read(tiny_bundle().join("bundle.json")).unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key != "map" && key != "golden");
    let old = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tiny_bundle()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), old.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(old.path().join("bundle.json"), manifest.to_string()).unwrap();
    let bundle = touchstone::cli::model::read_bundle(old.path()).unwrap();
    let old = Scorer::load(bundle, &Execution::Fused).unwrap();
    assert!(old.map().is_none());
    let check = wait(old.check(&Unpaused)).unwrap();
    assert_eq!(
        (check.passed, check.worst, check.cases.len()),
        (None, None, 0)
    );
}

#[test]
fn the_command_line_explains_and_profiles() {
    let bundle = tiny_bundle().to_str().unwrap();
    let texts = [
        "--bundle",
        bundle,
        "--user",
        "Where? Now.",
        "--response",
        "Left. Right.",
    ];
    let print = |more: &[&str]| -> serde_json::Value {
        let args = [&["score"], texts.as_slice(), more].concat();
        serde_json::from_str(&stdout(&args)).unwrap()
    };
    let answer = print(&["--metric", "fairness", "--explain"]);
    assert_eq!(answer["parts"].as_array().unwrap().len(), 2);
    let prompt = print(&["--metric", "fairness", "--explain=user"]);
    assert_eq!(prompt["parts"][1]["start"], 7);
    let scores = print(&["--profile"])["scores"].as_array().unwrap().len();
    let own = [
        "--profile",
        "--metric",
        "Mine",
        "--definition",
        "Is it mine?",
    ];
    assert_eq!(print(&own)["scores"].as_array().unwrap().len(), scores + 1);
    let absent = [
        &["score"],
        texts.as_slice(),
        &["--metric", "fairness", "--explain=system"],
    ];
    assert!(failure(&absent.concat()).contains("no system prompt"));
}
