//! Parquet files as elements, one a row: flat columns of text, numbers and true or false.

use ::parquet::basic::{
    CompressionCodec, ConvertedType, LogicalType, Repetition, Type as Physical,
};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::Type;
use bytes::Bytes;
use serde_json::{Map, Number, Value};

use super::forms::{self, Element, Elements};
use crate::error::{Error, ErrorKind, Result};

/// What a Parquet file begins and ends with.
pub const MAGIC: &[u8] = b"PAR1";

/// The rows of a Parquet file, cells under [`forms::keys`] of the column names.
///
/// # Errors
/// `Data` for a file that is cut short, damaged or packed by an unknown codec, and for a column
/// that is nested or holds anything but text, numbers, true or false (which, and what it holds).
pub fn elements(bytes: Vec<u8>) -> Result<Elements> {
    if bytes.len() < 3 * MAGIC.len() || !bytes.ends_with(MAGIC) {
        return Err(cut_short(bytes.len()));
    }
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(damaged)?;
    check_codecs(reader.metadata())?;
    let columns = reader.metadata().file_metadata().schema().get_fields();
    columns.iter().try_for_each(|column| check(column))?;
    let header: Vec<String> = columns.iter().map(|c| c.name().to_owned()).collect();
    let keys = forms::keys(&header);
    let rows = reader.get_row_iter(None).map_err(damaged)?;
    let elements = rows.enumerate().map(|(i, row)| {
        let value = Value::Object(object(&keys, row.map_err(damaged)?)?);
        Ok(Element {
            number: i + 1,
            line: None,
            value: Ok(value),
        })
    });
    let elements = elements.collect::<Result<_>>()?;
    Ok(Elements { header, elements })
}

fn check_codecs(metadata: &ParquetMetaData) -> Result<()> {
    use CompressionCodec as C;
    let mut columns = metadata.row_groups().iter().flat_map(|g| g.columns());
    let known = [C::UNCOMPRESSED, C::SNAPPY, C::GZIP, C::ZSTD];
    match columns.find(|column| !known.contains(&column.compression_codec())) {
        None => Ok(()),
        Some(column) => {
            let codec = column.compression_codec();
            let message = format!(
                "packed with {codec:?}; Snappy, gzip, zstd and no packing can be read: save it so"
            );
            Err(Error::new(ErrorKind::Data, message))
        }
    }
}

/// Refuses a column that the record reader misreads or panics on, or that JSON has no value for.
fn check(column: &Type) -> Result<()> {
    use ConvertedType as C;
    let info = column.get_basic_info();
    if !column.is_primitive() || info.repetition() == Repetition::REPEATED {
        return Err(unsupported(column, "lists or objects"));
    }
    let half = info.logical_type_ref() == Some(&LogicalType::Float16);
    let readable = match (column.get_physical_type(), info.converted_type()) {
        (Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE, _) => true,
        (Physical::FIXED_LEN_BYTE_ARRAY, _) => half,
        (Physical::BYTE_ARRAY, found) => matches!(found, C::UTF8 | C::ENUM | C::JSON),
        (Physical::INT32, found) => matches!(
            found,
            C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::UINT_8 | C::UINT_16 | C::UINT_32
        ),
        // Without a converted type it may still be a time, in nanoseconds.
        (Physical::INT64, C::NONE) => info.logical_type_ref().is_none(),
        (Physical::INT64, found) => matches!(found, C::INT_64 | C::UINT_64),
        (Physical::INT96, _) => false,
    };
    match readable {
        true => Ok(()),
        false => Err(unsupported(column, kind(column))),
    }
}

/// What an unreadable column holds, in a user's words.
fn kind(column: &Type) -> &'static str {
    match column.get_basic_info().converted_type() {
        ConvertedType::DECIMAL => "decimal numbers",
        ConvertedType::INTERVAL => "durations",
        ConvertedType::NONE | ConvertedType::BSON
            if matches!(
                column.get_physical_type(),
                Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY
            ) =>
        {
            "bytes that are not marked as text"
        }
        _ => "dates or times",
    }
}

fn object(keys: &[String], row: Row) -> Result<Map<String, Value>> {
    let cells = keys.iter().zip(row.into_columns());
    cells
        .map(|(key, (name, field))| Ok((key.clone(), value(&name, field)?)))
        .collect()
}

fn value(name: &str, field: Field) -> Result<Value> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(value) => value.into(),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => number(f64::from(f32::from(value))),
        Field::Float(value) => shortest(value),
        Field::Double(value) => number(value),
        Field::Str(value) => value.into(),
        other => {
            let message = format!("column `{name}` holds {other:?}, which cannot be read");
            return Err(Error::new(ErrorKind::Data, message));
        }
    })
}

/// The shortest decimal that reads back as this f32: 8.3, where a plain cast gives 8.3000001907.
fn shortest(value: f32) -> Value {
    number(value.to_string().parse().unwrap_or(f64::from(value)))
}

/// A JSON number; text where JSON has none (NaN, infinity), so that a score of it is refused.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number)
}

fn unsupported(column: &Type, holds: &str) -> Error {
    let name = column.name();
    let message = format!(
        "column `{name}` holds {holds}; text, numbers and true or false can be read. \
         Leave it out of the file or save it as text"
    );
    Error::new(ErrorKind::Data, message)
}

fn cut_short(bytes: usize) -> Error {
    let message = format!(
        "the Parquet file is cut short: it has {bytes} bytes and does not end with PAR1; copy it again"
    );
    Error::new(ErrorKind::Data, message)
}

fn damaged(error: ::parquet::errors::ParquetError) -> Error {
    let message = format!("the Parquet file is damaged or of an unknown kind: {error}");
    Error::new(ErrorKind::Data, message)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use ::parquet::basic::{Compression, ZstdLevel};
    use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
    use ::parquet::file::metadata::ColumnChunkMetaData;
    use ::parquet::file::properties::WriterProperties;
    use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
    use ::parquet::schema::parser::parse_message_type;

    use super::super::rows::{Form, Options, Rows, parse};
    use super::*;

    type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

    fn file(schema: &str, compression: Compression, fill: impl Fn(&mut Group<'_>)) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression);
        let properties = Arc::new(properties.build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        fill(&mut group);
        group.close().unwrap();
        writer.into_inner().unwrap()
    }

    /// A column of text; none is null.
    fn text(group: &mut Group<'_>, cells: &[Option<&str>]) {
        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
        let values: Vec<ByteArray> = cells.iter().flatten().map(|cell| (*cell).into()).collect();
        let mut column = group.next_column().unwrap().unwrap();
        let typed = column.typed::<ByteArrayType>();
        typed.write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
    }

    fn texts(group: &mut Group<'_>) {
        text(group, &[Some("fairness"), Some("fairness")]);
        text(group, &[Some("नमस्ते?"), Some("Hi")]);
        text(group, &[Some("उत्तर"), None]);
    }

    const COLUMNS: &str = "optional binary metric_name (UTF8); optional binary user_prompt (UTF8); \
        optional binary response (UTF8);";

    fn judged(compression: Compression) -> Vec<u8> {
        let schema =
            format!("message rows {{ {COLUMNS} required float score; required int64 n; }}");
        file(&schema, compression, |group| {
            texts(group);
            let mut column = group.next_column().unwrap().unwrap();
            let scores = column.typed::<FloatType>();
            scores.write_batch(&[8.3, 10.0], None, None).unwrap();
            column.close().unwrap();
            let mut column = group.next_column().unwrap().unwrap();
            let numbers = column.typed::<Int64Type>();
            numbers.write_batch(&[-1, i64::MAX], None, None).unwrap();
            column.close().unwrap();
        })
    }

    fn read(bytes: Vec<u8>, options: &Options) -> Result<Rows> {
        parse(bytes, Path::new("rows"), options)
    }

    fn message<T>(result: Result<T>) -> String {
        let error = result.err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    }

    #[test]
    fn text_numbers_and_nulls_are_read_from_every_codec() {
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let gzip = Compression::GZIP(Default::default());
        for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY, gzip, zstd] {
            let rows = read(judged(codec), &Options::JUDGED).unwrap();
            assert_eq!(rows.form, Form::Parquet);
            assert_eq!(rows.header[2..], ["response", "score", "n"]);
            let row = &rows.rows[0];
            assert_eq!((row.user.as_str(), row.score), ("नमस्ते?", Some(8.3)));
            assert_eq!(row.fields["score"].to_string(), "8.3");
            let skipped = &rows.skipped[0];
            assert_eq!((skipped.number, skipped.why.as_str()), (2, "no answer"));
            let rows = read(judged(codec), &Options::SCORING).unwrap();
            assert_eq!(rows.rows[1].fields["n"], i64::MAX);
            assert_eq!(rows.rows[1].fields["response"], Value::Null);
        }
    }

    #[test]
    fn a_score_may_be_text() {
        let schema = format!("message rows {{ {COLUMNS} optional binary score (UTF8); }}");
        let bytes = file(&schema, Compression::SNAPPY, |group| {
            texts(group);
            text(group, &[Some("9.5"), Some("9")]);
        });
        let rows = read(bytes, &Options::JUDGED).unwrap();
        assert_eq!(rows.rows[0].score, Some(9.5));
    }

    #[test]
    fn a_score_that_is_no_number_names_its_row() {
        let schema = format!("message rows {{ {COLUMNS} required double score; }}");
        let bytes = file(&schema, Compression::SNAPPY, |group| {
            texts(group);
            let mut column = group.next_column().unwrap().unwrap();
            let scores = column.typed::<DoubleType>();
            scores.write_batch(&[f64::NAN, 1.0], None, None).unwrap();
            column.close().unwrap();
        });
        assert!(message(read(bytes, &Options::JUDGED)).starts_with("row 1: score is \"NaN\""));
    }

    #[test]
    fn a_file_cut_short_is_refused_wherever_it_is_cut() {
        let whole = judged(Compression::SNAPPY);
        for length in [4, 11, whole.len() / 2, whole.len() - 1] {
            let found = message(read(whole[..length].to_vec(), &Options::SCORING));
            assert!(
                found.contains(&format!("cut short: it has {length} bytes")),
                "{found}"
            );
        }
        let mut middle_lost = whole[..40].to_vec();
        middle_lost.extend(&whole[whole.len() - 8..]);
        assert!(message(read(middle_lost, &Options::SCORING)).contains("damaged"));
    }

    #[test]
    fn a_column_that_cannot_be_read_is_named() {
        for (column, holds) in [
            ("optional int64 odd (TIMESTAMP_MILLIS);", "dates or times"),
            ("optional int32 odd (DATE);", "dates or times"),
            (
                "optional int64 odd (TIMESTAMP(NANOS,true));",
                "dates or times",
            ),
            ("optional int96 odd;", "dates or times"),
            ("optional int32 odd (DECIMAL(9,2));", "decimal numbers"),
            ("optional binary odd;", "bytes that are not marked as text"),
            ("repeated binary odd (UTF8);", "lists or objects"),
            (
                "optional group odd { optional int32 a; }",
                "lists or objects",
            ),
        ] {
            let schema = parse_message_type(&format!("message rows {{ {COLUMNS} {column} }}"));
            let schema = Arc::new(schema.unwrap());
            let writer = SerializedFileWriter::new(Vec::new(), schema, Default::default());
            let found = message(read(
                writer.unwrap().into_inner().unwrap(),
                &Options::SCORING,
            ));
            assert!(
                found.contains(&format!("column `odd` holds {holds}")),
                "{column}: {found}"
            );
        }
    }

    #[test]
    fn a_codec_that_cannot_be_unpacked_is_named() {
        let bytes = Bytes::from(judged(Compression::SNAPPY));
        let metadata = SerializedFileReader::new(bytes).unwrap().metadata().clone();
        let group = metadata.row_group(0).clone();
        let pack = |column: &ColumnChunkMetaData| {
            let builder = column.clone().into_builder();
            builder.set_compression(Compression::LZ4).build().unwrap()
        };
        let columns = group.columns().iter().map(pack).collect();
        let group = group.into_builder().set_column_metadata(columns).build();
        let packed = ParquetMetaData::new(metadata.file_metadata().clone(), vec![group.unwrap()]);
        assert!(check_codecs(&metadata).is_ok());
        assert!(message(check_codecs(&packed)).starts_with("packed with LZ4"));
    }

    #[test]
    fn a_file_without_rows_or_columns_says_so() {
        let empty = |columns: &str| {
            let schema = parse_message_type(&format!("message rows {{ {columns} }}")).unwrap();
            let writer = SerializedFileWriter::new(Vec::new(), schema.into(), Default::default());
            message(read(
                writer.unwrap().into_inner().unwrap(),
                &Options::SCORING,
            ))
        };
        assert!(empty(COLUMNS).contains("no rows"));
    }
}
