//! A device: shaders in, numbers in and out.

use std::sync::{Arc, Mutex};

use bytemuck::Pod;
use futures_channel::oneshot;
use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{
    BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType,
    BufferUsages, CommandEncoderDescriptor, ComputePass, ComputePipeline,
    ComputePipelineDescriptor, DeviceDescriptor, Features, Instance, InstanceDescriptor, Limits,
    MapMode, PipelineLayoutDescriptor, PollType, PowerPreference, RequestAdapterOptions,
    ShaderModuleDescriptor, ShaderSource, ShaderStages,
};

use crate::error::{Error, ErrorKind, Result};

/// A graphics card that is ready; clones are the same one.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    name: String,
    /// Whether it multiplies numbers of 16 bits.
    half: bool,
    /// What the device first complained of.
    failure: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// The most powerful one at hand.
    ///
    /// # Errors
    /// `Device` when there is none or it does not start.
    pub async fn request() -> Result<Self> {
        let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
        let options = RequestAdapterOptions {
            power_preference: PowerPreference::HighPerformance,
            ..RequestAdapterOptions::default()
        };
        let adapter = instance.request_adapter(&options).await;
        let adapter =
            adapter.map_err(|error| failed(format!("no graphics card was found: {error}")))?;
        let most = adapter.limits();
        let features = adapter.features() & Features::SHADER_F16;
        let descriptor = DeviceDescriptor {
            label: Some("touchstone"),
            required_features: features,
            // What a long batch needs; all else is what every device has.
            required_limits: Limits {
                max_storage_buffer_binding_size: most.max_storage_buffer_binding_size,
                max_buffer_size: most.max_buffer_size,
                ..Limits::default()
            },
            ..DeviceDescriptor::default()
        };
        let started = adapter.request_device(&descriptor).await;
        let (device, queue) =
            started.map_err(|error| failed(format!("the graphics card did not start: {error}")))?;
        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Arc<Mutex<Option<String>>>| {
            let failure = Arc::clone(failure);
            move |message: String| {
                if let Ok(mut first) = failure.lock() {
                    first.get_or_insert(message);
                }
            }
        };
        let (complaint, loss) = (note(&failure), note(&failure));
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            complaint(error.to_string());
        }));
        device.set_device_lost_callback(move |_, message| loss(format!("it was lost: {message}")));
        Ok(Self {
            name: adapter.get_info().name,
            half: !features.is_empty(),
            device,
            queue,
            failure,
        })
    }

    /// What its driver calls it; empty in browsers, which do not tell.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether products are of numbers of 16 bits.
    pub fn is_half(&self) -> bool {
        self.half
    }

    /// The same card, all products in f32.
    #[must_use]
    pub fn in_f32(self) -> Self {
        Self {
            half: false,
            ..self
        }
    }

    /// A kernel that reads a uniform, then so many buffers, and writes the last one. The layout is
    /// spelled out, since compilers differ in what they take for unused.
    pub(super) fn compile(&self, text: &str, bindings: u32) -> ComputePipeline {
        let kind = |binding| match binding {
            0 => BufferBindingType::Uniform,
            _ => BufferBindingType::Storage {
                read_only: binding + 1 < bindings,
            },
        };
        let entries = (0..bindings).map(|binding| BindGroupLayoutEntry {
            binding,
            visibility: ShaderStages::COMPUTE,
            ty: BindingType::Buffer {
                ty: kind(binding),
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        });
        let entries: Vec<BindGroupLayoutEntry> = entries.collect();
        let bindings = BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        };
        let bindings = self.device.create_bind_group_layout(&bindings);
        let layout = PipelineLayoutDescriptor {
            bind_group_layouts: &[Some(&bindings)],
            ..PipelineLayoutDescriptor::default()
        };
        let layout = self.device.create_pipeline_layout(&layout);
        let module = self.device.create_shader_module(ShaderModuleDescriptor {
            label: None,
            source: ShaderSource::Wgsl(text.into()),
        });
        self.device
            .create_compute_pipeline(&ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Every element is written before it is read.
                    zero_initialize_workgroup_memory: false,
                    ..wgpu::PipelineCompilationOptions::default()
                },
                cache: None,
            })
    }

    /// A buffer of these bytes that no kernel changes.
    pub(super) fn upload(&self, bytes: &[u8]) -> Buffer {
        self.device.create_buffer_init(&BufferInitDescriptor {
            label: None,
            contents: bytes,
            usage: BufferUsages::STORAGE,
        })
    }

    /// A buffer of so many bytes.
    pub(super) fn buffer(&self, bytes: usize, usage: BufferUsages) -> Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.max(16) as u64,
            usage,
            mapped_at_creation: false,
        })
    }

    pub(super) fn bind(&self, pipeline: &ComputePipeline, buffers: &[&Buffer]) -> wgpu::BindGroup {
        let entries = buffers.iter().zip(0..);
        let entries = entries.map(|(buffer, binding)| wgpu::BindGroupEntry {
            binding,
            resource: buffer.as_entire_binding(),
        });
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries.collect::<Vec<_>>(),
        })
    }

    pub(super) fn write<T: Pod>(&self, buffer: &Buffer, values: &[T]) {
        self.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(values));
    }

    /// Hands what `record` puts into a compute pass to the device.
    pub(super) fn submit(&self, record: impl FnOnce(&mut ComputePass)) {
        let mut commands = self
            .device
            .create_command_encoder(&CommandEncoderDescriptor::default());
        record(&mut commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
        self.queue.submit([commands.finish()]);
    }

    /// The first `length` numbers of `buffer`, by way of `staging`.
    ///
    /// # Errors
    /// `Device` when anything that was handed to the device failed.
    pub(super) async fn read(
        &self,
        buffer: &Buffer,
        staging: &Buffer,
        length: usize,
    ) -> Result<Vec<f32>> {
        let bytes = (length * size_of::<f32>()) as u64;
        let mut commands = self
            .device
            .create_command_encoder(&CommandEncoderDescriptor::default());
        commands.copy_buffer_to_buffer(buffer, 0, staging, 0, bytes);
        self.queue.submit([commands.finish()]);
        let (sender, receiver) = oneshot::channel();
        staging.map_async(MapMode::Read, ..bytes, |mapped| {
            // A caller that stopped waiting needs no answer.
            let _ = sender.send(mapped);
        });
        // The browser waits by itself.
        let waited = self.device.poll(PollType::wait_indefinitely());
        let mapped = receiver.await;
        self.check()?;
        waited.map_err(|error| failed(error.to_string()))?;
        match mapped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("it gave no answer".into())),
        }
        let view = staging.get_mapped_range(..bytes);
        let view = view.map_err(|error| failed(error.to_string()))?;
        let values = bytemuck::pod_collect_to_vec(&view[..]);
        drop(view);
        staging.unmap();
        Ok(values)
    }

    fn check(&self) -> Result<()> {
        let failure = self.failure.lock();
        match failure.ok().and_then(|failure| failure.clone()) {
            Some(message) => Err(failed(message)),
            None => Ok(()),
        }
    }
}

fn failed(what: String) -> Error {
    Error::new(
        ErrorKind::Device,
        format!("the graphics card failed: {what}"),
    )
}
