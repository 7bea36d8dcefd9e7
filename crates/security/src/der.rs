//! A reader of DER, the encoding of certificates, keys and PKCS #12 stores (X.690).
//!
//! The reader borrows from the input. It neither recurses nor allocates, so no length in the input
//! can make it use more memory.

use thiserror::Error;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const BMP_STRING: u8 = 0x1e;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Returns the tag of a constructed element with a number that its context defines.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// Returns the tag of a primitive element with a number that its context defines.
pub(crate) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// The error of bytes that are not the expected DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not the expected DER")]
pub(crate) struct DerError;

/// An element: a tag and its content.
#[derive(Clone, Copy)]
pub(crate) struct DerElement<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// The content with the tag and the length before it.
    pub(crate) whole: &'a [u8],
}

/// A reader of consecutive elements.
#[derive(Clone, Copy)]
pub(crate) struct DerReader<'a> {
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> DerReader<'a> {
        DerReader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Reads an element. Lengths of up to four bytes are accepted, and indefinite lengths, which
    /// only BER has, are not.
    pub(crate) fn element(&mut self) -> Result<DerElement<'a>, DerError> {
        let [tag, first, ..] = *self.rest else {
            return Err(DerError);
        };
        // A tag number above 30 takes more bytes. No format read here has one.
        if tag & 0x1f == 0x1f {
            return Err(DerError);
        }
        let (header, length) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let end = 2 + usize::from(first & 0x7f);
                let digits = self.rest.get(2..end).ok_or(DerError)?;
                let add = |length, digit: &u8| (length << 8) | usize::from(*digit);
                (end, digits.iter().fold(0, add))
            }
            _ => return Err(DerError),
        };
        let end = header.checked_add(length).ok_or(DerError)?;
        let (whole, rest) = self.rest.split_at_checked(end).ok_or(DerError)?;
        self.rest = rest;
        Ok(DerElement {
            tag,
            content: &whole[header..],
            whole,
        })
    }

    /// Reads the content of an element with the given tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], DerError> {
        let element = self.element()?;
        match element.tag == tag {
            true => Ok(element.content),
            false => Err(DerError),
        }
    }

    /// Reads an element with the given tag, if it is next.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, DerError> {
        match self.rest.first() == Some(&tag) {
            true => self.expect(tag).map(Some),
            false => Ok(None),
        }
    }

    /// Reads an element with the given tag, and returns a reader of the elements in it.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<DerReader<'a>, DerError> {
        self.expect(tag).map(DerReader::new)
    }

    /// Reads an integer that is not negative. An integer that does not fit becomes the maximum,
    /// so that a comparison with a limit refuses it.
    pub(crate) fn unsigned(&mut self) -> Result<u64, DerError> {
        let content = self.expect(INTEGER)?;
        match content {
            [] | [0x80..=0xff, ..] => Err(DerError),
            _ => {
                let zeros = content.iter().take_while(|byte| **byte == 0).count();
                let digits = &content[zeros..];
                let add = |number, digit: &u8| (number << 8) | u64::from(*digit);
                Ok(match digits.len() <= size_of::<u64>() {
                    true => digits.iter().fold(0, add),
                    false => u64::MAX,
                })
            }
        }
    }

    /// Reads a bit string that consists of whole bytes.
    pub(crate) fn bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.expect(BIT_STRING)? {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(DerError),
        }
    }

    /// Checks that no bytes are left.
    pub(crate) fn end(&self) -> Result<(), DerError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(DerError),
        }
    }
}

/// Encodes an element.
pub(crate) fn encoded(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut element = vec![tag];
    match length {
        0..=0x7f => element.push(length as u8),
        _ => {
            let digits = length.to_be_bytes();
            let zeros = digits.iter().take_while(|byte| **byte == 0).count();
            element.push(0x80 | (digits.len() - zeros) as u8);
            element.extend(&digits[zeros..]);
        }
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elements are read with lengths of one and of several bytes, and what was encoded is read.
    #[test]
    fn elements_are_read() {
        for length in [0, 1, 127, 128, 255, 256, 65_536] {
            let content = vec![7; length];
            let bytes = encoded(OCTET_STRING, &content);
            let mut reader = DerReader::new(&bytes);
            assert_eq!(reader.expect(OCTET_STRING), Ok(&content[..]));
            assert_eq!(reader.end(), Ok(()));
        }
    }

    /// Neither a length beyond the end nor an indefinite one nor a long tag is accepted.
    #[test]
    fn wrong_lengths_are_refused() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x3f, 0x01, 0x00],
        ] {
            assert!(DerReader::new(bytes).element().is_err(), "{bytes:?}");
        }
    }

    /// An integer is refused if it is negative, and becomes the maximum if it is too large.
    #[test]
    fn integers_are_limited() {
        let read = |content: &[u8]| DerReader::new(&encoded(INTEGER, content)).unsigned();
        assert_eq!(read(&[0x27, 0x10]), Ok(10_000));
        assert_eq!(read(&[0x00, 0x80, 0, 0, 0]), Ok(1 << 31));
        assert_eq!(read(&[1; 9]), Ok(u64::MAX));
        assert_eq!(read(&[0xff]), Err(DerError));
        assert_eq!(read(&[]), Err(DerError));
    }
}
