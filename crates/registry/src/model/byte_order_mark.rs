//! Byte order marks: the invisible first bytes that editors, mostly on Windows, write to a file.

/// Returns the text after a UTF-8 byte order mark, or the whole text if there is no mark.
///
/// # Errors
/// Returns the name of the encoding if the mark is that of another encoding.
pub fn without_byte_order_mark(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
        // UTF-32 is checked first, because one of its marks begins with the bytes of a UTF-16 mark.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("UTF-16"),
        _ => Ok(bytes),
    }
}
