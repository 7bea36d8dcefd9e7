//! Byte order marks: the invisible first bytes that editors, of Windows above all, put into a file.

/// Returns the text behind a UTF-8 byte order mark, or all of it where there is none.
///
/// # Errors
/// With the name of another encoding, which the mark says the bytes are in.
pub fn without_byte_order_mark(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Ok(rest),
        // Before UTF-16, whose mark begins with the same bytes.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err("UTF-16"),
        _ => Ok(bytes),
    }
}
