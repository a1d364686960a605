//! The wasm-bindgen boundary: translation only.

use std::collections::BTreeMap;

use js_sys::{Object, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::bundle::Bundle;
use crate::error::Error;
use crate::scorer::{Backend, Scorer};
use crate::text::Task;

/// A [`Scorer`] for JavaScript.
#[wasm_bindgen]
pub struct WebScorer(Scorer);

/// Turns a Rust panic into a readable console error before the instance is lost.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

#[wasm_bindgen]
impl WebScorer {
    /// Loads a bundle: the bytes of its manifest and an object of its files by name
    /// (`{ [name]: Uint8Array }`, emptied as they are taken). Every byte is verified.
    pub async fn load(manifest: Vec<u8>, files: Object) -> Result<WebScorer, JsValue> {
        let bundle = Bundle::from_bytes(&manifest, take_files(&files)).map_err(to_js)?;
        let (backend, device) = device().await.map_err(to_js)?;
        Scorer::load(bundle, backend, &device)
            .map(Self)
            .map_err(to_js)
    }

    /// Scores `{ metric, definition?, system?, user, response }`; resolves to a Score.
    pub async fn score(&self, task: JsValue) -> Result<JsValue, JsValue> {
        let task: Task = serde_wasm_bindgen::from_value(task)?;
        let score = self.0.score(&task).await.map_err(to_js)?;
        to_value(&score)
    }

    /// Runs one short text through everything, so that the first real score is quick.
    pub async fn warm_up(&self) -> Result<(), JsValue> {
        self.0.warm_up().await.map_err(to_js)
    }

    /// `{ bundle, backend, version, members, training, evaluation }`.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        to_value(&self.0.summary())
    }
}

/// The one backend this file was built with.
#[cfg(feature = "webgpu")]
async fn device() -> crate::Result<(Backend, burn::tensor::Device)> {
    use crate::error::ErrorKind;
    let device = burn::tensor::Device::wgpu_options()
        // Short submits: long ones trip the browser's watchdog on slow adapters.
        .tasks_max(8)
        .init_async()
        .await;
    let device = device.map_err(|error| {
        Error::new(
            ErrorKind::Device,
            format!("WebGPU could not be started: {error:?}"),
        )
    })?;
    Ok((Backend::WebGpu, device))
}

/// The one backend this file was built with.
#[cfg(not(feature = "webgpu"))]
async fn device() -> crate::Result<(Backend, burn::tensor::Device)> {
    Ok((Backend::Cpu, burn::tensor::Device::flex()))
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

fn to_value(value: &impl Serialize) -> Result<JsValue, JsValue> {
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
