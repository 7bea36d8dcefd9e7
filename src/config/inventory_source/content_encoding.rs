//! Decompression of an inventory that is compressed although this was not requested.

use crate::model::INVENTORY_BYTES_MAX;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::HeaderValue;
use std::io::Read;

/// The first bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Maximum number of times that a body is decompressed: once because of `Content-Encoding`, and
/// once more if the inventory is itself a gzip file.
const LAYERS_MAX: usize = 2;

/// A content coding that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// `gzip`
    Gzip,
    /// `deflate`
    Deflate,
}

impl Coding {
    /// Parses the codings of `Content-Encoding`, in the order in which they were applied.
    ///
    /// # Errors
    /// Fails when a coding cannot be decoded, or there are too many codings.
    pub(super) fn of_headers<'a>(
        values: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> Result<Vec<Coding>, String> {
        let mut codings = Vec::new();
        for value in values {
            let names = value.to_str().map_err(|_| unknown("that is not text"))?;
            for name in names.split(',').map(str::trim) {
                match name.to_ascii_lowercase().as_str() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    _ => return Err(unknown(&name.chars().take(64).collect::<String>())),
                }
            }
        }
        match codings.len() <= LAYERS_MAX {
            true => Ok(codings),
            false => Err(unknown(&format!("with over {LAYERS_MAX} codings"))),
        }
    }
}

fn unknown(what: &str) -> String {
    format!("the server answered with Content-Encoding {what}, which was not requested")
}

/// Decodes bytes to which the codings were applied. If the decoded bytes begin like a gzip file,
/// decodes them once more, but at most [`LAYERS_MAX`] times in all. A result that is too large is
/// cut off one byte after [`INVENTORY_BYTES_MAX`].
///
/// # Errors
/// Fails when the bytes do not match their coding.
pub(super) fn inflate(mut bytes: Vec<u8>, codings: &[Coding]) -> Result<Vec<u8>, String> {
    for coding in codings.iter().rev() {
        // An empty body has nothing to inflate.
        if !bytes.is_empty() {
            bytes = undo(&bytes, *coding)?;
        }
    }
    match bytes.starts_with(&GZIP_MAGIC) && codings.len() < LAYERS_MAX {
        true => undo(&bytes, Coding::Gzip),
        false => Ok(bytes),
    }
}

/// Decodes one coding.
fn undo(bytes: &[u8], coding: Coding) -> Result<Vec<u8>, String> {
    match coding {
        Coding::Gzip => read(MultiGzDecoder::new(bytes), "gzip"),
        // `deflate` means the zlib format, but some servers send raw deflate data.
        Coding::Deflate => read(ZlibDecoder::new(bytes), "deflate")
            .or_else(|_| read(DeflateDecoder::new(bytes), "deflate")),
    }
}

fn read(decoder: impl Read, name: &str) -> Result<Vec<u8>, String> {
    let mut inflated = Vec::new();
    decoder
        .take(INVENTORY_BYTES_MAX as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| format!("it is not valid {name}: {error}"))?;
    Ok(inflated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn codings(values: &[&str]) -> Result<Vec<Coding>, String> {
        let values: Vec<HeaderValue> = values
            .iter()
            .map(|value| HeaderValue::from_str(value).expect("a header"))
            .collect();
        Coding::of_headers(&values)
    }

    /// Known codings are parsed in any case and in any number of headers. An unknown coding is
    /// refused with its name.
    #[test]
    fn codings_are_read() {
        assert_eq!(codings(&[]), Ok(vec![]));
        assert_eq!(codings(&["identity", ""]), Ok(vec![]));
        assert_eq!(codings(&["GZIP"]), Ok(vec![Coding::Gzip]));
        assert_eq!(
            codings(&["deflate, x-gzip"]),
            Ok(vec![Coding::Deflate, Coding::Gzip])
        );
        assert!(codings(&["br"]).expect_err("unknown").contains("br"));
        assert!(codings(&["gzip, gzip, gzip"]).is_err());
    }

    /// A compressed body is restored, and cut off one byte after the limit of an inventory.
    #[test]
    fn bodies_are_inflated() {
        let text = b"{}".to_vec();
        assert_eq!(inflate(text.clone(), &[]), Ok(text.clone()));
        assert_eq!(inflate(gzip(&text), &[]), Ok(text.clone()));
        assert_eq!(inflate(gzip(&text), &[Coding::Gzip]), Ok(text.clone()));
        assert_eq!(
            inflate(gzip(&gzip(&text)), &[Coding::Gzip]),
            Ok(text.clone())
        );
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).expect("memory");
        let zlib = zlib.finish().expect("memory");
        assert_eq!(inflate(zlib, &[Coding::Deflate]), Ok(text.clone()));
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(&text).expect("memory");
        let raw = raw.finish().expect("memory");
        assert_eq!(inflate(raw, &[Coding::Deflate]), Ok(text));
        assert_eq!(inflate(Vec::new(), &[Coding::Gzip]), Ok(Vec::new()));

        let huge = gzip(&vec![b' '; 100 * INVENTORY_BYTES_MAX]);
        assert!(huge.len() < INVENTORY_BYTES_MAX);
        let cut = inflate(huge, &[Coding::Gzip]).map(|bytes| bytes.len());
        assert_eq!(cut, Ok(INVENTORY_BYTES_MAX + 1));
        let broken = inflate(gzip(b"{}")[..12].to_vec(), &[]);
        assert!(broken.expect_err("cut off").contains("not valid gzip"));
        assert!(inflate(b"{}".to_vec(), &[Coding::Gzip]).is_err());
    }
}
