//! The companion with a real Label Studio: connected, asked, corrected by API and in Chromium.
//!
//! Run by `cargo xtask test-label-studio`, which installs Label Studio and names it in the environment;
//! left out by a plain `cargo test`.

mod companion;
mod studio;

use serde_json::{Value, json};

use self::companion::Companion;
use self::studio::Studio;
use crate::browser::Browser;
use crate::page::Page;
use crate::{CONFIG, common};

const TASKS: &str = include_str!("../../examples/label-studio/tasks.json");

/// A project with ten tasks, connected to the companion.
struct Project<'a> {
    studio: &'a Studio,
    id: u64,
    backend: u64,
    tasks: Vec<u64>,
}

impl<'a> Project<'a> {
    fn new(studio: &'a Studio, companion: &Companion) -> Self {
        let about =
            json!({"title": "Answers", "label_config": CONFIG, "show_collab_predictions": true});
        let id = id(&studio.call("POST", "/api/projects", &about));
        let backend = id_of_backend(studio, companion, id);
        let tasks: Value = serde_json::from_str(TASKS).unwrap();
        studio.call("POST", &format!("/api/projects/{id}/import"), &tasks);
        let listed = studio.get(&format!("/api/tasks?project={id}&page_size=100"));
        let mut tasks: Vec<u64> = listed["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(self::id)
            .collect();
        tasks.sort_unstable();
        Self {
            studio,
            id,
            backend,
            tasks,
        }
    }

    /// Every prediction of the project, by task.
    fn predictions(&self) -> Vec<Value> {
        let found = self
            .studio
            .get(&format!("/api/predictions?project={}", self.id));
        let mut found = found.as_array().unwrap().clone();
        found.sort_by_key(|prediction| prediction["task"].as_u64());
        found
    }

    /// What the data manager's "Retrieve predictions" does.
    fn retrieve_predictions(&self) {
        let path = format!(
            "/api/dm/actions?id=retrieve_tasks_predictions&project={}",
            self.id
        );
        let all = json!({"selectedItems": {"all": true, "excluded": []}});
        self.studio.call("POST", &path, &all);
    }
}

fn id(record: &Value) -> u64 {
    record["id"].as_u64().expect("a number")
}

/// Connects the companion as the model of a project, with its password, and gives the webhook,
/// which Label Studio makes without one, the same.
fn id_of_backend(studio: &Studio, companion: &Companion, project: u64) -> u64 {
    let mut connection = json!({
        "project": project, "url": companion.address, "title": "Touchstone",
        "auth_method": "BASIC_AUTH", "basic_auth_user": companion::USER, "basic_auth_pass": "wrong",
    });
    let (status, refused) = studio.ask("POST", "/api/ml", &connection);
    assert_eq!(status, 400);
    assert!(
        refused.to_string().contains("authentication parameters"),
        "{refused}"
    );
    connection["basic_auth_pass"] = json!(companion::PASSWORD);
    let backend = id(&studio.call("POST", "/api/ml", &connection));
    let state = studio.get(&format!("/api/ml/{backend}"));
    assert_eq!(state["state"], "CO", "{state}");
    assert!(
        state["model_version"]
            .as_str()
            .unwrap()
            .starts_with("touchstone-")
    );

    let hooks = studio.get(&format!("/api/webhooks/?project={project}"));
    assert_eq!(hooks[0]["url"], format!("{}/webhook", companion.address));
    let path = format!("/api/webhooks/{}/", id(&hooks[0]));
    studio.call(
        "PATCH",
        &path,
        &json!({"headers": {"Authorization": companion::CREDENTIALS}}),
    );
    backend
}

fn score(prediction: &Value) -> f64 {
    let result = prediction["result"].as_array().unwrap();
    let score = result.iter().find(|region| region["from_name"] == "score");
    score.unwrap()["value"]["number"].as_f64().unwrap()
}

fn given(score: f64) -> Value {
    json!({"result": [{"id": "a", "from_name": "score", "to_name": "response", "type": "number", "value": {"number": score}}]})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real Label Studio: `cargo xtask test-label-studio`"]
async fn a_project_is_prescored_corrected_and_learned_from() {
    let studio = Studio::start().await;
    let companion = Companion::start();
    let project = Project::new(&studio, &companion);
    predictions_are_those_of_the_command_line(&project);
    annotations_become_rows(&project, &companion).await;
    the_annotator_sees_and_corrects(&project, &companion).await;
    copies_of_predictions_are_no_rows(&project, &companion);
    refusals_are_shown(&project);
    the_rows_are_read(&companion);
}

fn predictions_are_those_of_the_command_line(project: &Project<'_>) {
    project.retrieve_predictions();
    let found = project.predictions();
    let of_tasks: Vec<u64> = found
        .iter()
        .map(|it| it["task"].as_u64().unwrap())
        .collect();
    assert_eq!(of_tasks, project.tasks, "one prediction a task");
    let tasks: Value = serde_json::from_str(TASKS).unwrap();
    for (task, prediction) in tasks.as_array().unwrap().iter().zip(&found).take(3) {
        let data = |name: &str| task["data"][name].as_str().unwrap();
        let bundle = common::real_model().to_str().unwrap();
        let native = common::stdout(&[
            "score",
            "--metric",
            data("metric"),
            "--system",
            data("system_prompt"),
            "--user",
            data("prompt"),
            "--response",
            data("response"),
            "--bundle",
            bundle,
        ]);
        let native: Value = serde_json::from_str(&native).unwrap();
        let difference = score(prediction) - native["score"].as_f64().unwrap();
        assert!(difference.abs() < 0.06, "{difference}");
    }
    project.retrieve_predictions();
    assert_eq!(
        project.predictions().len(),
        found.len(),
        "nothing is asked twice"
    );
}

async fn annotations_become_rows(project: &Project<'_>, companion: &Companion) {
    let (studio, task) = (project.studio, project.tasks[1]);
    let path = format!("/api/tasks/{task}/annotations/");
    let annotation = id(&studio.call("POST", &path, &given(2.5)));
    let row = companion.row_of(task, |row| row["score"] == 2.5).await;
    assert_eq!(row["metric_name"], "task_completion_rate");
    assert!(row["user_prompt"].as_str().unwrap().starts_with("बुख़ार"));
    let path = format!("/api/annotations/{annotation}/");
    studio.call("PATCH", &path, &given(4.0));
    companion.row_of(task, |row| row["score"] == 4.0).await;
    studio.call("DELETE", &path, &Value::Null);
    assert!(companion.rows().is_empty(), "the annotation was deleted");
}

async fn the_annotator_sees_and_corrects(project: &Project<'_>, companion: &Companion) {
    let page = Page::start(&Browser::default(), &project.studio.address).await;
    let goto = async |path: &str| {
        let address = format!("{}{path}", project.studio.address);
        page.client.goto(&address).await.unwrap();
    };
    goto("/user/login").await;
    page.fill("input[name=email]", studio::USER).await;
    page.fill("input[name=password]", studio::PASSWORD).await;
    page.click("button[type=submit]").await;
    page.wait(
        "the projects are shown",
        60,
        "location.pathname.startsWith('/projects') || location.pathname === '/'",
    )
    .await;

    let task = project.tasks[0];
    let address = format!("/projects/{}/data?task={task}", project.id);
    let shown = "document.querySelector('input[name=score]')?.value";
    for theme in ["Light", "Dark"] {
        page.run(&format!(
            "localStorage.setItem('preferred-color-scheme', '{theme}')"
        ))
        .await;
        goto(&address).await;
        let found = page.wait("the pre-score is shown", 60, shown).await;
        let prediction = &project.predictions()[0];
        assert_eq!(
            found.as_str().unwrap().parse::<f64>().unwrap(),
            score(prediction)
        );
        page.screenshot(&format!("label-studio-{}", theme.to_lowercase()))
            .await;
    }
    for region in project.predictions()[0]["result"].as_array().unwrap() {
        let Some(text) = region["value"]["text"][0].as_str() else {
            continue;
        };
        let script = format!("document.body.innerText.includes({})", json!(text));
        page.wait("the texts of the prediction are shown", 10, &script)
            .await;
    }
    page.fill("input[name=score]", "3.5\t").await;
    page.click("button[aria-label='Submit current annotation']")
        .await;
    let row = companion.row_of(task, |row| row["score"] == 3.5).await;
    assert_eq!(row["metric_name"], "fairness");

    // Markup in a task's texts is text.
    goto(&format!(
        "/projects/{}/data?task={}",
        project.id, project.tasks[8]
    ))
    .await;
    page.wait(
        "markup is shown as text",
        60,
        "document.body.innerText.includes('onerror=alert(1)')",
    )
    .await;
    assert_eq!(
        page.run("return document.querySelectorAll('img[src=x]').length")
            .await,
        0
    );
    page.close().await;
}

fn copies_of_predictions_are_no_rows(project: &Project<'_>, companion: &Companion) {
    let before = companion.rows();
    let path = format!(
        "/api/dm/actions?id=predictions_to_annotations&project={}",
        project.id
    );
    let two = json!({"selectedItems": {"all": false, "included": &project.tasks[4..6]}});
    project.studio.call("POST", &path, &two);
    let annotations = project
        .studio
        .get(&format!("/api/tasks/{}/annotations/", project.tasks[4]));
    assert_eq!(
        annotations.as_array().unwrap().len(),
        1,
        "the copies are made"
    );
    assert_eq!(companion.rows(), before);
}

/// What the companion refuses is told in Label Studio, in its own words.
fn refusals_are_shown(project: &Project<'_>) {
    let studio = project.studio;
    let backend = format!("/api/ml/{}", project.backend);
    studio.call("POST", &format!("{backend}/train"), &json!({}));
    let listed = studio.get(&format!("/api/ml?project={}", project.id));
    assert_eq!(
        listed[0]["state"], "CO",
        "a refused training does no harm: {listed}"
    );

    let choices = "<View><Text name=\"response\" value=\"$response\"/><Choices name=\"verdict\" \
                   toName=\"response\"><Choice value=\"good\"/></Choices></View>";
    let about = json!({"title": "Verdicts", "label_config": choices});
    let other = id(&studio.call("POST", "/api/projects", &about));
    let connection = json!({
        "project": other, "url": studio.get(&backend)["url"], "title": "Touchstone",
        "auth_method": "BASIC_AUTH", "basic_auth_user": companion::USER, "basic_auth_pass": companion::PASSWORD,
    });
    let (status, refused) = studio.ask("POST", "/api/ml", &connection);
    assert_eq!(status, 400);
    assert!(
        refused.to_string().contains("found Choices `verdict`"),
        "{refused}"
    );
}

fn the_rows_are_read(companion: &Companion) {
    let (file, bundle) = (companion.file(), common::real_model());
    let report = common::stdout(&[
        "eval",
        file.to_str().unwrap(),
        "--json",
        "--bundle",
        bundle.to_str().unwrap(),
    ]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report.to_string().contains("label-studio"), "{report}");
}
