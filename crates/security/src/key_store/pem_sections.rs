//! The sections of a PEM file.
//!
//! rustls-pki-types reads PEM too, but it skips encrypted keys and takes the headers of an
//! encrypted traditional key for base64.

use super::error::KeyStoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The beginning of each section.
pub(super) const PEM_BEGIN: &[u8] = b"-----BEGIN ";

/// A section of a PEM file.
pub(super) struct PemSection<'a> {
    /// The kind of the content, such as `CERTIFICATE`.
    pub(super) label: &'a str,
    pub(super) der: Vec<u8>,
    /// The section has the headers of an encrypted traditional key (RFC 1421). Then `der` is
    /// encrypted.
    pub(super) is_encrypted: bool,
}

/// Reads the sections of a PEM file. Text between them is ignored.
pub(super) fn pem_sections(text: &[u8]) -> Result<Vec<PemSection<'_>>, KeyStoreError> {
    const CUT_OFF: KeyStoreError = KeyStoreError::Damaged("a PEM section has no end");
    let mut lines = text.split(|byte| *byte == b'\n' || *byte == b'\r');
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        let Some(label) = label_of(line, PEM_BEGIN) else {
            continue;
        };
        let (mut base64, mut is_encrypted) = (Vec::new(), false);
        loop {
            let line = lines.next().ok_or(CUT_OFF)?.trim_ascii();
            if label_of(line, b"-----END ") == Some(label) {
                break;
            }
            match line.contains(&b':') {
                true => is_encrypted |= line.starts_with(b"Proc-Type:") && ends_encrypted(line),
                false => base64.extend(line),
            }
        }
        let der = STANDARD
            .decode(base64)
            .map_err(|_| KeyStoreError::Damaged("a PEM section is not base64"))?;
        sections.push(PemSection {
            label,
            der,
            is_encrypted,
        });
    }
    Ok(sections)
}

fn ends_encrypted(line: &[u8]) -> bool {
    line.ends_with(b"ENCRYPTED")
}

/// Returns the label of a line that begins or ends a section.
fn label_of<'a>(line: &'a [u8], prefix: &[u8]) -> Option<&'a str> {
    let label = line.trim_ascii().strip_prefix(prefix)?;
    std::str::from_utf8(label.strip_suffix(b"-----")?).ok()
}
