//! The wasm-bindgen boundary: translation only.

use std::collections::BTreeMap;

use js_sys::{Array, Float32Array, Function, Object, Promise, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::SubtleCrypto;

use crate::bundle::{Bundle, hexadecimal};
use crate::encoder::Execution;
use crate::error::{Error, ErrorKind};
use crate::metric::Metric;
use crate::scorer::{Pause, Score, Scorer};
use crate::text::{Segment, Task};

/// A [`Scorer`] for JavaScript. Rejections are `TouchstoneError`s with `kind` and `message`.
///
/// Where a method takes `pause`, a function without arguments, it awaits what that returns between
/// layers and batches; a throw or a rejection ends the call with kind `cancelled`. One call at a
/// time: calls made meanwhile compute in between.
#[wasm_bindgen]
pub struct WebScorer(Scorer);

/// Turns a Rust panic into a readable console error before the instance is lost.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

type Answer = std::result::Result<JsValue, JsValue>;

#[wasm_bindgen]
impl WebScorer {
    /// Loads a bundle: the bytes of its manifest and an object of its files by name
    /// (`{ [name]: Uint8Array }`, emptied as they are taken). Every byte is verified.
    pub async fn load(manifest: Vec<u8>, files: Object) -> Result<WebScorer, JsValue> {
        let sums = sums(&files).await;
        let bundle = Bundle::from_bytes(&manifest, take_files(&files)).map_err(to_js)?;
        let bundle = bundle.with_sums(sums);
        let execution = execution().await.map_err(to_js)?;
        Scorer::load(bundle, &execution).map(Self).map_err(to_js)
    }

    /// Scores `{ metric, definition?, system?, user, response }`; resolves to a Score.
    pub async fn score(&self, task: JsValue, pause: Option<Function>) -> Answer {
        let task: Task = from_js(task)?;
        let score = self.0.score(&task, &JsPause(pause)).await;
        to_value(&score.map_err(to_js)?)
    }

    /// Scores a list of tasks; resolves to a list of the same length, for each task a Score or
    /// `{ error: { kind, message } }`. Only a failing device and `pause` reject.
    pub async fn score_batch(&self, tasks: JsValue, pause: Option<Function>) -> Answer {
        let tasks: Vec<JsValue> = from_list(tasks)?;
        let tasks: Vec<Result<Task, Error>> = tasks.into_iter().map(parse).collect();
        let good: Vec<Task> = tasks.iter().flatten().cloned().collect();
        let scores = self.0.score_batch(&good, &JsPause(pause)).await;
        let mut scores = scores.map_err(to_js)?.into_iter();
        let rows = tasks.into_iter().map(|task| match task {
            Ok(_) => scores.next(),
            Err(error) => Some(Err(error)),
        });
        let rows = rows.flatten().map(|row| row_value(&row));
        rows.collect::<Result<Array, JsValue>>().map(JsValue::from)
    }

    /// Scores the task's texts on every metric and on `own` (a list of `{ name, definition }`):
    /// `{ scores: [{ metric, score, rounded, interval, coverage, support, abstain, doubts }],
    /// truncated, receipt }`.
    pub async fn profile(&self, task: JsValue, own: JsValue, pause: Option<Function>) -> Answer {
        let task: Task = from_js(task)?;
        let own = own_metrics(own)?;
        let profile = self.0.profile(&task, &own, &JsPause(pause)).await;
        to_value(&profile.map_err(to_js)?)
    }

    /// Leaves out each sentence of `part` (`response`, `user` or `system`) in turn:
    /// `{ score, parts: [{ start, end, score, change }] }`, offsets in UTF-16 units; `score` and
    /// `change` are null where nothing would be left to score.
    pub async fn explain(&self, task: JsValue, part: &str, pause: Option<Function>) -> Answer {
        let mut task: Task = from_js(task)?;
        let segment: Segment = part.parse().map_err(to_js)?;
        let explanation = self.0.explain(&task, segment, &JsPause(pause)).await;
        let text = task.text_mut(segment).map_or("", |text| text.as_str());
        to_value(&explanation.map_err(to_js)?.in_utf16(text))
    }

    /// The neighbours of `{ name, definition? }`, a metric of the catalogue or of one's own:
    /// `{ anchors: [{ metric, similarity }] }`, best first.
    pub async fn locate(&self, metric: JsValue, pause: Option<Function>) -> Answer {
        let metric: OwnMetric = from_js(metric)?;
        let anchors = self.0.locate(&metric.into(), &JsPause(pause)).await;
        to_value(&json!({ "anchors": anchors.map_err(to_js)? }))
    }

    /// `{ metrics: [{ metric, parent, x, y }] }`, or null for a bundle without a map.
    pub fn map(&self) -> Answer {
        to_value(&self.0.map().map(|map| json!({ "metrics": map })))
    }

    /// Scores the bundle's golden texts: `{ passed, worst, cases: [{ expected, found }] }`; `passed`
    /// and `worst` are null for a bundle without them.
    pub async fn check(&self, pause: Option<Function>) -> Answer {
        let outcome = self.0.check(&JsPause(pause)).await;
        to_value(&outcome.map_err(to_js)?)
    }

    /// The encoder's embedding of each text of a list: a list of `Float32Array`s of length 1.
    pub async fn embed(&self, texts: JsValue, pause: Option<Function>) -> Answer {
        let texts: Vec<String> = from_js(texts)?;
        let vectors = self.0.embed(&texts, &JsPause(pause)).await;
        let vectors = vectors.map_err(to_js)?;
        let rows = vectors.chunks_exact(self.0.width());
        let rows: Array = rows
            .map(|row| JsValue::from(Float32Array::from(row)))
            .collect();
        Ok(rows.into())
    }

    /// Tokens that scoring the task costs.
    pub fn tokens(&self, task: JsValue) -> Result<usize, JsValue> {
        self.0.tokens(&from_js(task)?).map_err(to_js)
    }

    /// Runs one short text through everything, so that the first real score is quick.
    pub async fn warm_up(&self) -> Result<(), JsValue> {
        self.0.warm_up().await.map_err(to_js)
    }

    /// `{ bundle, name, encoder, quantisation, sizes: { bytes, layers, width, vocabulary, metrics,
    /// window, windows }, backend, version, members, support, training, evaluation }`.
    pub fn info(&self) -> Answer {
        to_value(&self.0.summary())
    }
}

/// A function of the caller that returns a promise.
struct JsPause(Option<Function>);

impl Pause for JsPause {
    async fn pause(&self) -> crate::Result<()> {
        let Some(function) = &self.0 else {
            return Ok(());
        };
        let called_off = |_| Error::new(ErrorKind::Cancelled, "the work was called off");
        let returned = function.call0(&JsValue::NULL).map_err(called_off)?;
        let settled = JsFuture::from(Promise::resolve(&returned)).await;
        settled.map(|_| ()).map_err(called_off)
    }
}

/// A metric as the page keeps it.
#[derive(serde::Deserialize)]
struct OwnMetric {
    name: String,
    #[serde(default)]
    definition: String,
}

impl From<OwnMetric> for Metric {
    fn from(own: OwnMetric) -> Self {
        Self {
            title: own.name.clone(),
            name: own.name,
            parent: None,
            definition: own.definition,
        }
    }
}

fn own_metrics(own: JsValue) -> Result<Vec<Metric>, JsValue> {
    if own.is_undefined() || own.is_null() {
        return Ok(Vec::new());
    }
    let own: Vec<OwnMetric> = from_js(own)?;
    Ok(own.into_iter().map(Metric::from).collect())
}

/// The one backend this file was built with.
#[cfg(feature = "webgpu")]
async fn execution() -> crate::Result<Execution> {
    Ok(Execution::Gpu(crate::encoder::Gpu::request().await?))
}

/// The one backend this file was built with.
#[cfg(not(feature = "webgpu"))]
async fn execution() -> crate::Result<Execution> {
    Ok(Execution::Fused)
}

/// SHA-256 of each file as the browser takes it; empty where it does not, as on an insecure page.
async fn sums(files: &Object) -> BTreeMap<String, String> {
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into());
    let subtle = crypto.and_then(|crypto| Reflect::get(&crypto, &"subtle".into()));
    let Some(subtle) = subtle.ok().filter(JsValue::is_object) else {
        return BTreeMap::new();
    };
    let subtle: SubtleCrypto = subtle.unchecked_into();
    let begin = |name: JsValue| {
        let bytes: Uint8Array = Reflect::get(files, &name).ok()?.dyn_into().ok()?;
        let digest = subtle.digest_with_str_and_js_u8_array("SHA-256", &bytes);
        Some((name.as_string()?, digest.ok()?))
    };
    // All at once: each is taken by a thread of its own.
    let begun: Vec<_> = Object::keys(files).iter().filter_map(begin).collect();
    let mut sums = BTreeMap::new();
    for (name, digest) in begun {
        if let Ok(digest) = JsFuture::from(digest).await {
            sums.insert(name, hexadecimal(&Uint8Array::new(&digest).to_vec()));
        }
    }
    sums
}

fn take_files(files: &Object) -> BTreeMap<String, Vec<u8>> {
    let mut taken = BTreeMap::new();
    for name in Object::keys(files).iter() {
        let bytes = Reflect::get(files, &name).map(|value| Uint8Array::new(&value).to_vec());
        // Dropped on the JavaScript side at once: wasm now holds its own copy.
        let _ = Reflect::delete_property(files, &name);
        if let (Some(name), Ok(bytes)) = (name.as_string(), bytes) {
            taken.insert(name, bytes);
        }
    }
    taken
}

fn parse<T: DeserializeOwned>(value: JsValue) -> crate::Result<T> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| Error::new(ErrorKind::Input, format!("the call is malformed: {error}")))
}

fn from_js<T: DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    parse(value).map_err(to_js)
}

fn from_list(value: JsValue) -> Result<Vec<JsValue>, JsValue> {
    let list = value.dyn_into::<Array>().map_err(|_| {
        let message = "the call is malformed: expected a list of tasks";
        to_js(Error::new(ErrorKind::Input, message))
    })?;
    Ok(list.iter().collect())
}

fn row_value(row: &crate::Result<Score>) -> Answer {
    match row {
        Ok(score) => to_value(score),
        Err(error) => {
            let body = json!({ "kind": error.kind().as_str(), "message": error.to_string() });
            to_value(&json!({ "error": body }))
        }
    }
}

fn to_value(value: &impl Serialize) -> Answer {
    // Plain objects, not `Map`s.
    Ok(value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?)
}

/// An `Error` named TouchstoneError with `kind`.
fn to_js(error: Error) -> JsValue {
    let js = js_sys::Error::new(&error.to_string());
    js.set_name("TouchstoneError");
    let _ = Reflect::set(&js, &"kind".into(), &error.kind().as_str().into());
    js.into()
}
