//! A compact encoding of properties.
//!
//! A body of 1 MB can contain a hundred thousand properties. In a map of strings, each property
//! would take twenty times the size of its text.

use crate::model::text::Text;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

/// Key-value pairs, sorted by key. Each key occurs once.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Properties {
    packed: Vec<u8>,
    count: usize,
}

/// A borrowed view of [`Properties`], and an iterator over its pairs.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    packed: &'a [u8],
    count: usize,
}

impl Properties {
    /// Returns an iterator over the pairs.
    pub fn iter(&self) -> Pairs<'_> {
        Pairs::new(&self.packed, self.count)
    }

    /// Returns the value of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().get(name)
    }

    /// Returns the encoded size of all keys and values in bytes.
    pub fn packed_bytes(&self) -> usize {
        self.packed.len()
    }

    /// Creates properties from the pairs that `write` pushes to the writer.
    ///
    /// # Errors
    /// Returns the errors of `write`.
    pub(crate) fn packed<E>(
        room_bytes: usize,
        write: impl FnOnce(&mut PairsWriter<'_>) -> Result<(), E>,
    ) -> Result<Properties, E> {
        let mut packed = Vec::with_capacity(room_bytes);
        let mut writer = PairsWriter::new(&mut packed);
        write(&mut writer)?;
        let count = writer.finish();
        packed.shrink_to_fit();
        Ok(Properties { packed, count })
    }
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(packed: &'a [u8], count: usize) -> Pairs<'a> {
        Pairs { packed, count }
    }

    /// Returns the value of a property.
    pub fn get(mut self, name: &str) -> Option<&'a str> {
        self.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Returns the pairs as a map, which can be modified.
    pub fn to_map(self) -> BTreeMap<String, String> {
        self.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        Some((take(&mut self.packed), take(&mut self.packed)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Pairs<'_> {}

/// Appends properties, in any order, to packed bytes.
pub(crate) struct PairsWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    count: usize,
    last: usize,
    ascending: bool,
}

impl<'o> PairsWriter<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>) -> PairsWriter<'o> {
        PairsWriter {
            start: out.len(),
            last: out.len(),
            out,
            count: 0,
            ascending: true,
        }
    }

    /// Returns the number of pairs added.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Adds a pair. Of two pairs with the same key, the last one wins.
    pub(crate) fn push(&mut self, key: &str, value: &str) {
        self.ascending &= self.count == 0 || text_at(self.out, self.last) < key;
        self.last = self.out.len();
        put(self.out, key);
        put(self.out, value);
        self.count += 1;
    }

    /// Sorts the pairs by key, keeps only the last of several pairs with the same key, and returns
    /// the number of pairs.
    pub(crate) fn finish(self) -> usize {
        match self.ascending {
            true => self.count,
            false => {
                let pair = |bytes: &mut &[u8]| {
                    take(bytes);
                    take(bytes);
                };
                in_order(self.out, self.start, self.count, pair)
            }
        }
    }
}

/// Sorts the records from `start` on by key; each record begins with its key. Keeps only the last
/// of several records with the same key, and returns the number of kept records.
pub(crate) fn in_order(
    out: &mut Vec<u8>,
    start: usize,
    count: usize,
    skip: impl Fn(&mut &[u8]),
) -> usize {
    let records = &out[start..];
    let mut places = Vec::with_capacity(count);
    let mut rest = records;
    while places.len() < count {
        places.push((records.len() - rest.len()) as u32);
        skip(&mut rest);
    }
    let key = |place: &u32| text_at(records, *place as usize);
    // The sort is stable, so the last of several records with the same key is the one added last.
    places.sort_by(|a, b| key(a).cmp(key(b)));
    let mut sorted = Vec::with_capacity(records.len());
    let mut kept = 0;
    for (at, place) in places.iter().enumerate() {
        if places
            .get(at + 1)
            .is_some_and(|next| key(next) == key(place))
        {
            continue;
        }
        let from = &records[*place as usize..];
        let mut after = from;
        skip(&mut after);
        sorted.extend_from_slice(&from[..from.len() - after.len()]);
        kept += 1;
    }
    out.truncate(start);
    out.extend_from_slice(&sorted);
    kept
}

/// Appends a length-prefixed text.
pub(crate) fn put(out: &mut Vec<u8>, text: &str) {
    let extended = postcard::to_extend(text, std::mem::take(out));
    *out = extended.expect("a text can be encoded into memory");
}

/// Removes a text from the front of packed bytes.
pub(crate) fn take<'a>(packed: &mut &'a [u8]) -> &'a str {
    let (text, rest) = postcard::take_from_bytes(packed).expect("packed here");
    *packed = rest;
    text
}

fn text_at(packed: &[u8], place: usize) -> &str {
    take(&mut &packed[place..])
}

impl From<BTreeMap<String, String>> for Properties {
    fn from(map: BTreeMap<String, String>) -> Properties {
        map.iter().map(|(key, value)| (&**key, &**value)).collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Properties {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Properties {
        let packed = Properties::packed(0, |writer| {
            pairs.into_iter().for_each(|(k, v)| writer.push(k, v));
            Ok::<(), std::convert::Infallible>(())
        });
        match packed {
            Ok(packed) => packed,
            Err(never) => match never {},
        }
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(*self)
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Properties, D::Error> {
        Properties::packed(0, |writer| PairsSeed(writer).deserialize(deserializer))
    }
}

/// Deserializes a map of texts by appending it to packed bytes.
pub(crate) struct PairsSeed<'w, 'o>(pub(crate) &'w mut PairsWriter<'o>);

impl<'de> DeserializeSeed<'de> for PairsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PairsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
            self.0.push(&key, &value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None, ..ProptestConfig::default()
        })]

        /// Properties that are added in any order are equal to a map of the same pairs, and have
        /// the same encoding.
        #[test]
        fn they_are_a_map(pairs in prop::collection::vec(("[ab]{0,3}", "\\PC{0,9}"), 0..20)) {
            let map: BTreeMap<String, String> = pairs.iter().cloned().collect();
            let properties: Properties = pairs.iter().map(|(k, v)| (&**k, &**v)).collect();
            prop_assert_eq!(properties.iter().to_map(), map.clone());
            for (key, value) in &map {
                prop_assert_eq!(properties.get(key), Some(&**value));
            }
            let bytes = postcard::to_allocvec(&map).unwrap();
            prop_assert_eq!(&postcard::to_allocvec(&properties).unwrap(), &bytes);
            prop_assert_eq!(postcard::from_bytes::<Properties>(&bytes).unwrap(), properties);
        }
    }
}
