//! The bytes of lookups: made once for each change, and handed to every reader.

use crate::model::{Fingerprint, Lookup};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The most lookups whose bytes are kept.
///
/// Engines ask for a handful of types, so this is never reached by them; it bounds the memory of a registry that
/// holds many types and is asked for each. A lookup that finds no service takes no place.
pub(super) const MAX_RENDERINGS: usize = 256;

/// A lookup's bytes.
#[derive(Debug)]
pub struct Rendered {
    /// The JSON body, with the line end that airlift adds.
    pub json: Bytes,
    gzip: OnceLock<Bytes>,
    tag: OnceLock<Tag>,
}

#[derive(Debug)]
struct Tag {
    hex: Box<str>,
    quoted: Bytes,
}

impl Rendered {
    /// Wraps a JSON body.
    pub fn new(json: Vec<u8>) -> Self {
        Self {
            json: json.into(),
            gzip: OnceLock::new(),
            tag: OnceLock::new(),
        }
    }

    /// A digest of the body, in hex: equal bodies have equal tags, on every node.
    pub fn tag(&self) -> &str {
        &self.digest().hex
    }

    /// The same between quotes, as an `ETag` has it.
    pub fn quoted_tag(&self) -> Bytes {
        self.digest().quoted.clone()
    }

    fn digest(&self) -> &Tag {
        self.tag.get_or_init(|| {
            let digest = Fingerprint::of("lookup").bytes(&self.json).finish();
            Tag {
                hex: format!("{digest:032x}").into(),
                quoted: format!("\"{digest:032x}\"").into(),
            }
        })
    }

    /// The same body, gzipped: made when first asked for, and once. This takes about 2 ms for each megabyte.
    pub fn gzip(&self) -> Bytes {
        self.gzip
            .get_or_init(|| {
                const IN_MEMORY: &str = "writing into memory cannot fail";
                // The fastest level: a body is made anew with every change, and nine parts in ten go already.
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&self.json).expect(IN_MEMORY);
                encoder.finish().expect(IN_MEMORY).into()
            })
            .clone()
    }
}

/// The renderings that are up to date.
///
/// The lock is held to find a place only; rendering itself is done outside of it, once, while others that want the
/// same lookup wait for it and those that want another do not.
#[derive(Debug, Default)]
pub(super) struct Renderings(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    places: BTreeMap<Lookup, Place>,
    uses: u64,
    nothing: Arc<OnceLock<Arc<Rendered>>>,
}

#[derive(Debug, Default)]
struct Place {
    rendered: Arc<OnceLock<Arc<Rendered>>>,
    last_use: u64,
}

impl Renderings {
    /// The bytes of a lookup, rendered if they are not there.
    pub fn get(&self, lookup: &Lookup, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let place = self.lock().place(lookup);
        place.get_or_init(|| Arc::new(render())).clone()
    }

    /// The bytes of every lookup that finds nothing.
    pub fn nothing(&self, render: impl FnOnce() -> Rendered) -> Arc<Rendered> {
        let place = self.lock().nothing.clone();
        place.get_or_init(|| Arc::new(render())).clone()
    }

    /// Something of this type and pool changed.
    pub fn invalidate(&mut self, service_type: &str, pool: &str) {
        let places = &mut self
            .0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .places;
        if places.is_empty() {
            return;
        }
        places.remove(&Lookup::All);
        places.remove(&Lookup::Type(service_type.to_owned()));
        places.remove(&Lookup::TypeAndPool(
            service_type.to_owned(),
            pool.to_owned(),
        ));
    }

    /// A static changed.
    pub fn invalidate_statics(&mut self) {
        self.0
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .places
            .remove(&Lookup::Statics);
    }

    /// How many are kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.lock().places.len()
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn place(&mut self, lookup: &Lookup) -> Arc<OnceLock<Arc<Rendered>>> {
        self.uses += 1;
        if !self.places.contains_key(lookup) && self.places.len() >= MAX_RENDERINGS {
            let oldest = self
                .places
                .iter()
                .min_by_key(|(_, place)| place.last_use)
                .map(|(lookup, _)| lookup.clone());
            oldest.map(|lookup| self.places.remove(&lookup));
        }
        let place = self.places.entry(lookup.clone()).or_default();
        place.last_use = self.uses;
        place.rendered.clone()
    }
}
