//! Label Studio's machine learning backend protocol: pre-scores for its tasks, and training rows
//! from what annotators make of them.
//!
//! The protocol is that of Label Studio 1.23: its `ml/api_connector.py` sends the requests, its
//! `webhooks/` the events.

mod auth;
mod exchange;
mod export;
mod fields;
mod import;
mod labelling;
mod ledger;
mod predict;
mod row;
mod settings;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use self::export::tasks;
pub use self::import::{Open, import_file};

use self::auth::Auth;
use self::exchange::{Refusal, answer, read};
use self::fields::{Fields, Role};
use self::ledger::Ledger;
use self::predict::Stop;
use self::settings::{Projects, Settings};
use super::args::{BundleArgs, RunArgs};
use super::{block_on, model};
use crate::bundle::MANIFEST;
use crate::error::Result;
use crate::scorer::Scorer;
use crate::text::Task;

/// Requests scored at once: an annotator's next task does not wait for a long list.
const AT_ONCE: usize = 4;

/// Options of `touchstone serve` for Label Studio.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Label Studio")]
pub struct LabelStudioArgs {
    /// Be a machine learning backend of Label Studio too; scores with the first --bundle, else
    /// with the served page's model, else with the default one.
    #[arg(long)]
    label_studio: bool,
    /// File that annotations become training rows in.
    #[arg(long, value_name = "FILE", requires = "label_studio")]
    #[arg(default_value = "label-studio-rows.jsonl")]
    label_studio_rows: PathBuf,
    /// Metric of tasks and projects that name none.
    #[arg(long, value_name = "NAME", requires = "label_studio")]
    label_studio_metric: Option<String>,
    /// What that metric measures, if it is your own.
    #[arg(long, value_name = "TEXT", requires = "label_studio_metric")]
    label_studio_definition: Option<String>,
    /// Data field of a text, such as prompt=question: metric, definition, system, prompt or
    /// response; repeatable.
    #[arg(
        long = "label-studio-field",
        value_name = "TEXT=FIELD",
        requires = "label_studio"
    )]
    #[arg(value_parser = field)]
    label_studio_fields: Vec<(Role, String)>,
    /// Seconds within which a request for predictions is answered; Label Studio waits for 100.
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "label_studio",
        default_value_t = 85
    )]
    label_studio_deadline: u64,
    /// Name that Label Studio has to give.
    #[arg(long, value_name = "NAME", env = "TOUCHSTONE_LABEL_STUDIO_USER")]
    label_studio_user: Option<String>,
    /// Password that goes with it; better given in the environment, where others do not see it.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "TOUCHSTONE_LABEL_STUDIO_PASSWORD"
    )]
    #[arg(hide_env_values = true)]
    label_studio_password: Option<String>,
}

impl LabelStudioArgs {
    /// Who may ask; everybody where neither name nor password is given.
    fn auth(&self) -> Result<Option<Auth>> {
        match (&self.label_studio_user, &self.label_studio_password) {
            (None, None) => Ok(None),
            (user, password) => {
                let given = |text: &Option<String>| text.clone().unwrap_or_default();
                Auth::new(&given(user), &given(password)).map(Some)
            }
        }
    }
}

fn field(text: &str) -> std::result::Result<(Role, String), String> {
    let parts = text.split_once('=').filter(|(_, field)| !field.is_empty());
    let (role, field) = parts.ok_or("expected TEXT=FIELD, such as prompt=question")?;
    Ok((role.parse()?, field.to_owned()))
}

/// The backend: a model, and what the projects are told and say.
struct Backend {
    scorer: Scorer,
    general: Settings,
    projects: Mutex<Projects>,
    ledger: Mutex<Ledger>,
    auth: Option<Auth>,
    limit: Duration,
    places: Semaphore,
}

/// The backend's routes, with its model loaded and tried; none without `--label-studio`. `page` is
/// the folder of the served page, `bundles` what it offers besides.
///
/// # Errors
/// `Io` and others for a bundle or a rows file that cannot be read, `Metric` for a metric that is
/// not in the catalogue and has no definition, `Input` for credentials that cannot be sent.
pub fn routes(args: &LabelStudioArgs, page: &Path, bundles: &[PathBuf]) -> Result<Option<Router>> {
    if !args.label_studio {
        return Ok(None);
    }
    let backend = Arc::new(Backend::open(args, page, bundles)?);
    let both = |path: &'static str| [path.to_owned(), format!("{path}/")];
    let mut router = Router::new();
    for path in both("/health") {
        router = router.route(&path, get(health));
    }
    for path in both("/setup") {
        router = router.route(&path, post(setup));
    }
    for path in both("/predict") {
        router = router.route(&path, post(predict));
    }
    for path in both("/webhook") {
        router = router.route(&path, post(webhook));
    }
    for path in both("/versions") {
        router = router.route(&path, get(versions));
    }
    let guard = from_fn_with_state(backend.clone(), authorised);
    Ok(Some(router.route_layer(guard).with_state(backend)))
}

impl Backend {
    fn open(args: &LabelStudioArgs, page: &Path, bundles: &[PathBuf]) -> Result<Self> {
        let general = Settings {
            metric: args.label_studio_metric.clone(),
            definition: args.label_studio_definition.clone(),
            fields: args.label_studio_fields.iter().cloned().collect(),
        };
        let rows = &args.label_studio_rows;
        let (ledger, projects) = (Ledger::open(rows)?, Projects::open(rows)?);
        let scorer = model::scorer(&bundle(page, bundles))?;
        block_on(scorer.warm_up())?;
        ensure_metric(&scorer, &general)?;
        eprintln!(
            "Label Studio: annotations go into {}, which holds {} rows",
            rows.display(),
            ledger.rows()
        );
        Ok(Self {
            scorer,
            general,
            projects: Mutex::new(projects),
            ledger: Mutex::new(ledger),
            auth: args.auth()?,
            limit: Duration::from_secs(args.label_studio_deadline),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// How the tasks of project `id` are read.
    fn fields(&self, id: &str, label_config: &Value) -> Result<Fields> {
        let label_config = label_config.as_str().unwrap_or_default();
        let own = locked(&self.projects).get(id);
        Fields::new(label_config, own, self.general.clone())
    }
}

/// A metric that no task could be scored on is told before the first one.
fn ensure_metric(scorer: &Scorer, general: &Settings) -> Result<()> {
    let Some(metric) = &general.metric else {
        return Ok(());
    };
    let task = Task {
        metric: metric.clone(),
        definition: general.definition.clone(),
        user: "?".into(),
        response: "!".into(),
        ..Task::default()
    };
    let tried = scorer.tokens(&task);
    tried
        .map(|_| ())
        .map_err(|error| error.context("--label-studio-metric"))
}

fn bundle(page: &Path, bundles: &[PathBuf]) -> RunArgs {
    let own = page.join("model");
    let own = own.join(MANIFEST).is_file().then_some(own);
    RunArgs::on_the_cpu(BundleArgs {
        bundle: bundles.first().cloned().or(own),
    })
}

/// Both are as they were before a call that panicked: they change only at its end.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Answer = std::result::Result<Response, Refusal>;

async fn authorised(State(backend): State<Arc<Backend>>, request: Request, next: Next) -> Response {
    let refused = backend
        .auth
        .as_ref()
        .and_then(|auth| auth.refuse(request.headers()));
    match refused {
        Some(refused) => refused,
        None => next.run(request).await,
    }
}

async fn health() -> Response {
    answer(&json!({ "status": "UP", "model_class": "Touchstone" })).into_response()
}

async fn setup(State(backend): State<Arc<Backend>>, request: Request) -> Answer {
    let request = read(request).await?;
    let settings = Settings::from_extra_params(&request["extra_params"])?;
    let project = project_number(&request["project"]);
    blocking(move || {
        locked(&backend.projects).set(&project, settings)?;
        let fields = backend.fields(&project, &request["schema"])?;
        Ok(json!({ "model_version": predict::version(&backend.scorer, &fields) }))
    })
    .await
}

async fn versions(State(backend): State<Arc<Backend>>) -> Response {
    let version = predict::model_version(&backend.scorer);
    answer(&json!({ "versions": [version] })).into_response()
}

async fn predict(State(backend): State<Arc<Backend>>, request: Request) -> Answer {
    let (stop, waiting) = Stop::after(backend.limit);
    let mut request = read(request).await?;
    let Value::Array(tasks) = request["tasks"].take() else {
        let message = "`tasks` is missing or no list";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    };
    let project = project_number(&request["project"]);
    let fields = backend.fields(&project, &request["label_config"])?;
    // Without a place in time the tasks are still answered, each with the error that says so.
    let place = tokio::time::timeout_at(stop.deadline().into(), backend.places.acquire()).await;
    let work = backend.clone();
    let answer = blocking(move || {
        let results = predict::predictions(&work.scorer, &fields, &tasks, &stop);
        Ok(json!({ "results": results }))
    })
    .await;
    drop((place, waiting));
    answer
}

async fn webhook(State(backend): State<Arc<Backend>>, request: Request) -> Answer {
    let event = read(request).await?;
    blocking(move || webhook::take(&backend, &event)).await
}

/// Runs what computes or waits for the disk apart from the server's own threads.
async fn blocking(
    work: impl FnOnce() -> std::result::Result<Value, Refusal> + Send + 'static,
) -> Answer {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|_| {
        let message = "the work ended early; its message stands in the companion's terminal";
        Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message))
    });
    Ok(answer(&done?).into_response())
}

/// A project's number, from `"3.1732688000"` (number and time of creation) or `3`.
fn project_number(project: &Value) -> String {
    let text = match project {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.split('.').next().unwrap_or_default().to_owned()
}
